/*
 * listener: binding, and the accept loop. Out of file descriptors, it rests for a moment instead of
 * spinning.
 */
#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum {
    BACKLOG = 4096,  /* the kernel caps it at net.core.somaxconn */
    ACCEPT_MAX = 64, /* per loop turn: those already connected come first */
    REST_MS = 100,
    KEEPALIVE_S = 120,
};

struct listener {
    struct worker *worker;
    uv_poll_t poll;
    uv_timer_t rest;
    int fd;
    int handles;
};

static void set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof(value));
}

static int open_socket(const struct sockaddr_storage *addr, socklen_t len, bool share)
{
    int fd = socket(addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (share) {
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    /* Accepted sockets inherit these: no system call for each. */
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S);
    if (bind(fd, (const struct sockaddr *)addr, len) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Without SO_REUSEPORT a bind fails if anybody listens there, which is what we want to know. */
static enum err check_free(const char *address, const struct sockaddr_storage *addr, socklen_t len,
                           struct load_error *why)
{
    int fd = open_socket(addr, len, false);
    if (fd < 0) {
        return load_error_set(why, "--listen %s: %s", address, strerror(errno));
    }
    close(fd);
    return ERR_OK;
}

static enum err bind_one(const char *address, struct sockaddr_storage *addr, socklen_t len, int *fd,
                         struct load_error *why)
{
    *fd = open_socket(addr, len, true);
    if (*fd < 0) {
        return load_error_set(why, "--listen %s: %s", address, strerror(errno));
    }
    getsockname(*fd, (struct sockaddr *)addr, &len); /* the port, when it was 0 */
    if (listen(*fd, BACKLOG) != 0) {
        close(*fd);
        return load_error_set(why, "--listen %s: %s", address, strerror(errno));
    }
    return ERR_OK;
}

enum err listener_bind(const char *address, size_t count, int *fds, struct sockaddr_storage *bound,
                       struct load_error *why)
{
    socklen_t len;
    if (address_parse(address, bound, &len) != ERR_OK) {
        return load_error_set(why, "--listen %s: not ADDRESS:PORT", address);
    }
    enum err err = check_free(address, bound, len, why);
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        err = bind_one(address, bound, len, &fds[i], why);
    }
    return err;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void rest_over(uv_timer_t *timer)
{
    struct listener *l = timer->data;
    uv_poll_start(&l->poll, UV_READABLE, on_poll);
}

static void rest(struct listener *l)
{
    log_event(LOG_WARNING, "cannot accept clients for a moment", LF_STR("reason", strerror(errno)));
    uv_poll_stop(&l->poll);
    uv_timer_start(&l->rest, rest_over, REST_MS, 0);
}

/* accept_some returns false when the queue is empty. */
static bool accept_some(struct listener *l)
{
    for (int i = 0; i < ACCEPT_MAX; i++) {
        struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
        socklen_t len = sizeof(from);
        int fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            worker_offer(l->worker, fd, &from);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            rest(l);
            return false;
        } else if (errno == EAGAIN) {
            return false;
        }
        /* Others, as ECONNABORTED, are about that one client. */
    }
    return true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    accept_some(poll->data);
}

struct listener *listener_new(struct worker *w, int fd)
{
    struct listener *l = mem_zalloc(sizeof(*l));
    l->worker = w;
    l->fd = fd;
    l->handles = 2;
    uv_poll_init(worker_loop(w), &l->poll, fd);
    uv_timer_init(worker_loop(w), &l->rest);
    l->poll.data = l;
    l->rest.data = l;
    uv_poll_start(&l->poll, UV_READABLE, on_poll);
    return l;
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    if (--l->handles == 0) {
        free(l);
    }
}

void listener_close(struct listener *l)
{
    for (int i = 0; i < BACKLOG / ACCEPT_MAX && accept_some(l); i++) {
    }
    uv_close((uv_handle_t *)&l->poll, on_closed);
    uv_close((uv_handle_t *)&l->rest, on_closed);
    close(l->fd);
}
