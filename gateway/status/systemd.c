/*
 * systemd: one datagram socket, and numbers from the environment. An error here never stops the gateway:
 * whether it runs is not the manager's business alone.
 */
#include "status/systemd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

enum {
    FIRST_FD = 3, /* SD_LISTEN_FDS_START */
    FDS_MAX = 1024,
};

static int connect_to(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    size_t len = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof(addr.sun_path)) {
        log_event(LOG_WARNING, "NOTIFY_SOCKET is not a socket that we know", LF_STR("path", path));
        return -1;
    }
    memcpy(addr.sun_path, path, len);
    if (path[0] == '@') {
        addr.sun_path[0] = '\0'; /* an abstract one */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, size) != 0) {
        log_event(LOG_WARNING, "the service manager cannot be told", LF_STR("path", path),
                  LF_STR("reason", strerror(errno)));
        close(fd);
        return -1;
    }
    return fd;
}

void systemd_init(struct systemd *s)
{
    const char *path = getenv("NOTIFY_SOCKET");
    *s = (struct systemd){ .fd = path == NULL ? -1 : connect_to(path) };
    if (s->fd >= 0) {
        s->watchdog_ms =
            systemd_watchdog(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), getpid());
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void systemd_release(struct systemd *s)
{
    if (s->fd >= 0) {
        close(s->fd);
    }
    s->fd = -1;
}

void systemd_notify(const struct systemd *s, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    if (s->fd < 0) {
        return;
    }
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    size_t n = len < 0 ? 0 : (size_t)len;
    n = n < sizeof(text) ? n : sizeof(text) - 1;
    if (send(s->fd, text, n, MSG_NOSIGNAL) < 0) {
        log_event(LOG_WARNING, "the service manager was not told", LF_STR("message", text),
                  LF_STR("reason", strerror(errno)));
    }
}

void systemd_reloading(const struct systemd *s)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    systemd_notify(s, "RELOADING=1\nMONOTONIC_USEC=%lld",
                   (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

static bool number(const char *text, int64_t *out)
{
    return text != NULL && slice_to_i64(slice_of(text), out) == ERR_OK;
}

uint64_t systemd_watchdog(const char *usec, const char *watchdog_pid, int64_t pid)
{
    int64_t period, whose;
    if (!number(usec, &period) || period < 2000 ||
        (watchdog_pid != NULL && (!number(watchdog_pid, &whose) || whose != pid))) {
        return 0;
    }
    return (uint64_t)period / 1000;
}

enum err systemd_listen_fds(const char *listen_pid, const char *listen_fds, int64_t pid, int *count)
{
    int64_t whose, n;
    if (listen_pid == NULL || listen_fds == NULL) {
        *count = 0;
        return ERR_OK;
    }
    if (!number(listen_pid, &whose) || !number(listen_fds, &n) || n < 0 || n > FDS_MAX) {
        return ERR_INVALID;
    }
    *count = whose == pid ? (int)n : 0;
    return ERR_OK;
}

/* The names are for messages: they may be fewer than the descriptors. */
static void name_of(const char *names, int at, char *out, size_t cap)
{
    for (; names != NULL && at > 0; at--) {
        names = strchr(names, ':');
        names = names == NULL ? NULL : names + 1;
    }
    snprintf(out, cap, "%.*s", names == NULL ? 0 : (int)strcspn(names, ":"),
             names == NULL ? "" : names);
}

enum err systemd_sockets(struct listen_set *out, struct load_error *why)
{
    int count;
    char name[256];
    if (systemd_listen_fds(getenv("LISTEN_PID"), getenv("LISTEN_FDS"), getpid(), &count) !=
        ERR_OK) {
        return load_error_set(why, "LISTEN_PID and LISTEN_FDS are not as sd_listen_fds(3) says");
    }
    for (int i = 0; i < count; i++) {
        if (listen_set_adopt(out, FIRST_FD + i) != ERR_OK) {
            name_of(getenv("LISTEN_FDNAMES"), i, name, sizeof(name));
            return load_error_set(why,
                                  "descriptor %d (\"%s\") of LISTEN_FDS is no listening TCP socket",
                                  FIRST_FD + i, name);
        }
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return ERR_OK;
}
