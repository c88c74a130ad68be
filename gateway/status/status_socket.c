/*
 * status_socket: binding, renaming, removing. What a dead process left behind is replaced; what is alive,
 * or not a socket, is not touched.
 */
#include "status/status_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 64 };

enum err status_socket_address(const char *path, struct sockaddr_un *out)
{
    size_t len = strlen(path);
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (len == 0 || len >= sizeof(out->sun_path)) {
        return ERR_INVALID;
    }
    memcpy(out->sun_path, path, len + 1);
    return ERR_OK;
}

const char *status_socket_directory(const char *path, char *out, size_t cap)
{
    if (path == NULL) {
        return NULL;
    }
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) {
        snprintf(out, cap, "%s", slash == NULL ? "." : "/");
    } else {
        snprintf(out, cap, "%.*s", (int)(slash - path), path);
    }
    return out;
}

/* A socket whose process is dead refuses; one whose queue is full is alive. */
static bool is_alive(const struct sockaddr_un *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive = fd >= 0 && (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
                             (errno != ECONNREFUSED && errno != ENOENT));
    if (fd >= 0) {
        close(fd);
    }
    return alive;
}

enum err status_socket_check(const char *path, struct load_error *why)
{
    struct sockaddr_un addr;
    struct stat st;
    if (status_socket_address(path, &addr) != ERR_OK) {
        return load_error_set(why, "--status %s: too long for a socket", path);
    }
    if (lstat(path, &st) != 0) {
        return errno == ENOENT ? ERR_OK
                               : load_error_set(why, "--status %s: %s", path, strerror(errno));
    }
    if (!S_ISSOCK(st.st_mode)) {
        return load_error_set(why, "--status %s: it is there, and is no socket", path);
    }
    if (is_alive(&addr)) {
        return load_error_set(
            why, "--status %s: another process listens there; --takeover replaces it", path);
    }
    return ERR_OK;
}

static enum err give_to(const char *path, const char *user, struct load_error *why)
{
    const struct passwd *pw = user == NULL || geteuid() != 0 ? NULL : getpwnam(user);
    if (pw != NULL && lchown(path, pw->pw_uid, pw->pw_gid) != 0) {
        return load_error_set(why, "--status %s: %s", path, strerror(errno));
    }
    return ERR_OK;
}

/* The file has its mode from its first moment on, and nobody can connect before it listens. */
static enum err bind_and_listen(struct status_socket *s, const struct sockaddr_un *addr,
                                const char *user, struct load_error *why)
{
    struct stat st;
    unlink(addr->sun_path); /* of a process that had our pid */
    mode_t former = umask(0177);
    int failed = bind(s->fd, (const struct sockaddr *)addr, sizeof(*addr));
    umask(former);
    if (failed != 0) {
        return load_error_set(why, "--status %s: %s", addr->sun_path, strerror(errno));
    }
    enum err err = give_to(addr->sun_path, user, why);
    if (err == ERR_OK && (lstat(addr->sun_path, &st) != 0 || listen(s->fd, BACKLOG) != 0)) {
        err = load_error_set(why, "--status %s: %s", addr->sun_path, strerror(errno));
    }
    if (err != ERR_OK) {
        unlink(addr->sun_path);
        return err;
    }
    s->device = st.st_dev;
    s->inode = st.st_ino;
    return ERR_OK;
}

enum err status_socket_open(struct status_socket *s, const char *path, const char *user,
                            struct load_error *why)
{
    struct sockaddr_un addr;
    *s = (struct status_socket){ .fd = -1, .path = path };
    int len = snprintf(s->temporary, sizeof(s->temporary), "%s.%d", path, getpid());
    if (len < 0 || (size_t)len >= sizeof(s->temporary) ||
        status_socket_address(s->temporary, &addr) != ERR_OK) {
        return load_error_set(why, "--status %s: too long for a socket", path);
    }
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0) {
        return load_error_set(why, "--status %s: %s", path, strerror(errno));
    }
    enum err err = bind_and_listen(s, &addr, user, why);
    if (err != ERR_OK) {
        close(s->fd);
        s->fd = -1;
    }
    return err;
}

enum err status_socket_install(struct status_socket *s, struct load_error *why)
{
    if (rename(s->temporary, s->path) != 0) {
        return load_error_set(why, "--status %s: its directory must let us put it there: %s",
                              s->path, strerror(errno));
    }
    s->temporary[0] = '\0';
    return ERR_OK;
}

void status_socket_close(struct status_socket *s)
{
    struct stat st;
    if (s->fd < 0) {
        return;
    }
    const char *path = s->temporary[0] == '\0' ? s->path : s->temporary;
    if (lstat(path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode) {
        unlink(path);
    }
    close(s->fd);
    s->fd = -1;
}
