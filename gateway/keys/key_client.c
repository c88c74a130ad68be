/*
 * key_client: a nonblocking socket in the worker's loop. When the holder is gone it only stops: what the
 * process does about that is decided where the holder itself is watched (key_control).
 */
#include "keys/key_client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

enum {
    IN_CAP = 64 * 1024,         /* several hundred replies */
    OUT_MAX = 16 * 1024 * 1024, /* 90,000 handshakes that wait; their deadline is sooner */
    OUT_KEEP = 64 * 1024,
};

struct key_client {
    uv_poll_t poll;
    int fd;       /* -1: the holder is gone */
    bool writing; /* poll for room in the socket */
    const struct key_client_events *events;
    void *arg;
    size_t waiting; /* answers */
    size_t filled;  /* of in: at most one incomplete reply between reads */
    struct buf out;
    uint8_t in[IN_CAP];
};

static void on_poll(uv_poll_t *poll, int status, int events);

struct key_client *key_client_new(uv_loop_t *loop, int fd, const struct key_client_events *events,
                                  void *arg)
{
    struct key_client *k = mem_zalloc(sizeof(*k));
    k->fd = fd;
    k->events = events;
    k->arg = arg;
    buf_init(&k->out, OUT_MAX);
    uv_poll_init(loop, &k->poll, fd);
    uv_poll_start(&k->poll, UV_READABLE, on_poll);
    return k;
}

static void lost(struct key_client *k, const char *why)
{
    log_event(LOG_ERROR, "no signatures any more from the key holder", LF_STR("reason", why));
    uv_poll_stop(&k->poll);
    close(k->fd);
    k->fd = -1;
    buf_release(&k->out);
    k->waiting = 0;
    k->events->on_lost(k->arg);
}

static void take_replies(struct key_client *k)
{
    size_t at = 0;
    for (;;) {
        struct key_reply reply;
        size_t used;
        enum key_wire_status status =
            key_read_reply((struct slice){ k->in + at, k->filled - at }, &reply, &used);
        if (status == KEY_WIRE_BAD) {
            lost(k, "it sent what breaks the format");
            return;
        }
        if (status == KEY_WIRE_NEED_MORE) {
            break;
        }
        at += used;
        k->waiting -= k->waiting > 0;
        k->events->on_reply(k->arg, &reply);
    }
    memmove(k->in, k->in + at, k->filled - at);
    k->filled -= at;
}

static void read_socket(struct key_client *k)
{
    ssize_t n = recv(k->fd, k->in + k->filled, IN_CAP - k->filled, 0);
    if (n > 0) {
        k->filled += (size_t)n;
        take_replies(k);
    } else if (n == 0) {
        lost(k, "it closed the connection");
    } else if (errno != EAGAIN && errno != EINTR) {
        lost(k, strerror(errno));
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct key_client *k = container_of(poll, struct key_client, poll);
    if (status < 0) {
        lost(k, uv_strerror(status));
        return;
    }
    if (events & UV_READABLE) {
        read_socket(k);
    }
    if (k->fd >= 0 && (events & UV_WRITABLE)) {
        key_client_flush(k);
    }
}

bool key_client_ask(struct key_client *k, const struct key_request *request)
{
    if (k->fd < 0 || request->message.len == 0 ||
        request->message.len > KEY_REQUEST_MAX - KEY_REQUEST_HEAD ||
        buf_len(&k->out) > OUT_MAX - KEY_REQUEST_MAX) {
        return false;
    }
    key_write_request(&k->out, request);
    k->waiting++;
    return true;
}

size_t key_client_waiting(const struct key_client *k)
{
    return k->waiting;
}

void key_client_flush(struct key_client *k)
{
    if (k->fd < 0 || buf_len(&k->out) == 0) {
        return;
    }
    struct slice s = buf_slice(&k->out);
    ssize_t n = send(k->fd, s.p, s.len, MSG_NOSIGNAL);
    buf_consume(&k->out, n < 0 ? 0 : (size_t)n); /* an error shows in the next read, too */
    bool writing = buf_len(&k->out) > 0;
    if (!writing && k->out.cap > OUT_KEEP) {
        buf_release(&k->out);
    }
    if (writing != k->writing) {
        k->writing = writing;
        uv_poll_start(&k->poll, UV_READABLE | (writing ? UV_WRITABLE : 0), on_poll);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct key_client *k = container_of((uv_poll_t *)handle, struct key_client, poll);
    buf_release(&k->out);
    free(k);
}

void key_client_close(struct key_client *k)
{
    if (k != NULL) {
        uv_close((uv_handle_t *)&k->poll, on_closed);
        if (k->fd >= 0) {
            close(k->fd);
            k->fd = -1;
        }
    }
}
