/*
 * listener: the accept loop. Out of file descriptors, it rests for a moment instead of
 * spinning.
 */
#include "listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum {
    ACCEPT_MAX = 64, /* per loop turn: those already connected come first */
    REST_MS = 100,
    LAST_ROUNDS = 64, /* when closing: a full queue is over by then */
};

struct listener {
    struct worker *worker;
    uv_poll_t poll;
    uv_timer_t rest;
    int fd;
    int handles;
};

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
    for (int i = 0; i < LAST_ROUNDS && accept_some(l); i++) {
    }
    uv_close((uv_handle_t *)&l->poll, on_closed);
    uv_close((uv_handle_t *)&l->rest, on_closed);
    close(l->fd);
}
