/*
 * takeover: descriptors over a Unix socket (unix(7)). Who is at the other end is asked of the kernel, by both.
 */
#include "status/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log.h"
#include "status/status_reply.h"
#include "status/status_socket.h"

enum {
    CHUNK = 64, /* descriptors a message; the kernel takes 253 */
    WAIT_S = 10,
    OVERFLOW_UID = 65534, /* what any user of another user namespace looks like */
};

/* Who may hand over to us and whom we hand over to: ourselves, root, and whom we are to become. */
enum err takeover_peer(int fd, const char *user, int *pid)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    const struct passwd *pw = user == NULL ? NULL : getpwnam(user);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 || cred.uid == OVERFLOW_UID ||
        (cred.uid != 0 && cred.uid != geteuid() && (pw == NULL || cred.uid != pw->pw_uid))) {
        return ERR_REFUSED;
    }
    *pid = cred.pid;
    return ERR_OK;
}

/* Sending. */

static bool send_some(int fd, const struct listen_socket *from, size_t count)
{
    char byte = '.';
    struct iovec io = { &byte, 1 };
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(CHUNK * sizeof(int))];
    } control = { .space = { 0 } };
    struct msghdr message = { .msg_iov = &io,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (size_t i = 0; i < count; i++) {
        memcpy(CMSG_DATA(c) + i * sizeof(int), &from[i].fd, sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) == 1;
}

enum err takeover_send(int fd, const struct listen_set *sockets)
{
    char head[128];
    int len = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nCofre-Sockets: %zu\r\n\r\n",
                       sockets->count);
    if (send(fd, head, (size_t)len, MSG_NOSIGNAL) != len) {
        return ERR_SYSTEM;
    }
    for (size_t at = 0; at < sockets->count; at += CHUNK) {
        size_t left = sockets->count - at;
        if (!send_some(fd, sockets->items + at, left < CHUNK ? left : CHUNK)) {
            return ERR_SYSTEM;
        }
    }
    return ERR_OK;
}

/* Receiving. */

/* adopt closes what is no listening socket, and says so. */
static bool adopt(struct listen_set *out, int fd)
{
    if (listen_set_adopt(out, fd) != ERR_OK) {
        close(fd);
        return false;
    }
    return true;
}

/* receive_some returns how many descriptors came, 0 when it failed. */
static size_t receive_some(int fd, struct listen_set *out)
{
    char byte;
    struct iovec io = { &byte, 1 };
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(CHUNK * sizeof(int))];
    } control;
    struct msghdr message = { .msg_iov = &io,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = sizeof(control.space) };
    if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != 1) {
        return 0;
    }
    size_t count = 0;
    bool sound = (message.msg_flags & MSG_CTRUNC) == 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int one;
            memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            sound = adopt(out, one) && sound;
            count++;
        }
    }
    return sound ? count : 0;
}

/* Byte by byte: what follows the head comes with descriptors. */
static enum err receive_head(int fd, struct status_reply *reply, struct load_error *why)
{
    uint8_t head[STATUS_REPLY_HEAD_MAX];
    size_t len = 0;
    enum err err = ERR_NOT_FOUND;
    while (err == ERR_NOT_FOUND) {
        if (len == sizeof(head) || recv(fd, head + len, 1, 0) != 1) {
            return load_error_set(why, "--takeover: the old gateway gave no answer");
        }
        len++;
        err = status_reply_parse((struct slice){ head, len }, reply);
    }
    if (err != ERR_OK || reply->sockets > TAKEOVER_SOCKETS_MAX) {
        return load_error_set(why, "--takeover: what answers at --status is no gateway");
    }
    if (reply->code != 200) {
        return load_error_set(why,
                              "--takeover: the old gateway does not hand over now (%d): its log "
                              "says why",
                              reply->code);
    }
    return ERR_OK;
}

static enum err receive_all(int fd, struct listen_set *inherited, struct load_error *why)
{
    struct status_reply reply = { .code = 0 };
    enum err err = receive_head(fd, &reply, why);
    if (err != ERR_OK) {
        return err;
    }
    for (int64_t left = reply.sockets; left > 0;) {
        size_t got = receive_some(fd, inherited);
        if (got == 0 || (int64_t)got > left) {
            return load_error_set(why, "--takeover: the old gateway's sockets did not come");
        }
        left -= (int64_t)got;
    }
    return ERR_OK;
}

static int connect_to(const struct sockaddr_un *addr)
{
    const struct timeval wait = { .tv_sec = WAIT_S };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static enum err talk(struct takeover *t, const char *path, const char *user,
                     struct listen_set *inherited, struct load_error *why)
{
    static const char request[] = "POST /takeover HTTP/1.1\r\n\r\n";
    int pid;
    if (takeover_peer(t->fd, user, &pid) != ERR_OK) {
        return load_error_set(why, "--takeover: who listens at %s is another user", path);
    }
    if (send(t->fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(request) - 1) {
        return load_error_set(why, "--takeover: %s: %s", path, strerror(errno));
    }
    enum err err = receive_all(t->fd, inherited, why);
    if (err == ERR_OK) {
        log_event(LOG_INFO, "taking over from another gateway", LF_INT("pid", pid),
                  LF_INT("sockets", inherited->count));
    }
    return err;
}

enum err takeover_begin(struct takeover *t, const char *path, const char *user,
                        struct listen_set *inherited, struct load_error *why)
{
    struct sockaddr_un addr;
    t->fd = -1;
    if (status_socket_address(path, &addr) != ERR_OK) {
        return load_error_set(why, "--status %s: too long for a socket", path);
    }
    t->fd = connect_to(&addr);
    if (t->fd < 0 && (errno == ENOENT || errno == ECONNREFUSED)) {
        log_event(LOG_INFO, "no gateway to take over from: starting as usual",
                  LF_STR("status", path));
        return status_socket_check(path, why);
    }
    if (t->fd < 0) {
        return load_error_set(why, "--takeover: %s: %s", path, strerror(errno));
    }
    enum err err = talk(t, path, user, inherited, why);
    if (err != ERR_OK) {
        close(t->fd);
        t->fd = -1;
    }
    return err;
}

void takeover_finish(struct takeover *t)
{
    if (t->fd >= 0) {
        ssize_t sent = send(t->fd, TAKEOVER_READY.p, TAKEOVER_READY.len, MSG_NOSIGNAL);
        if (sent != (ssize_t)TAKEOVER_READY.len) {
            log_event(LOG_WARNING, "the old gateway has ended before we were ready");
        }
        close(t->fd);
        t->fd = -1;
    }
}
