/*
 * status: its clients, one request each. Their answers are collected by survey, which outlives a client that
 * goes away meanwhile: such a client stays until its answer came, and is then forgotten.
 */
#include "status/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "status/status_request.h"
#include "status/takeover.h"

enum {
    CLIENTS_MAX = 16, /* one more, and the oldest goes */
    TICK_MS = 250,
    OUT_MAX = 768 * 1024 * 1024,
};

enum client_state {
    CLIENT_READS,
    CLIENT_COLLECTS,
    CLIENT_WRITES,
    CLIENT_TAKES_OVER, /* has the sockets, is not ready */
    CLIENT_GONE,
};

struct client {
    uv_poll_t poll;
    struct status *status;
    struct client *next; /* younger */
    const struct route *route;
    uint64_t deadline; /* loop ms */
    int fd;
    int pid; /* of whom takes over */
    enum client_state state;
    bool handle_open;
    bool surveyed; /* a survey will call back */
    size_t got;
    size_t scanned;
    uint8_t in[STATUS_REQUEST_MAX];
    struct buf out;
};

static void on_request(struct client *c);
static void on_ready(struct client *c);

/*
 * allowed_ms  how long a client may stay in this state
 * events      what it is polled for
 * on_bytes    something came
 */
static const struct client_row {
    uint64_t allowed_ms;
    int events;
    void (*on_bytes)(struct client *c);
} rows[] = {
    [CLIENT_READS] = { 5000, UV_READABLE, on_request },
    [CLIENT_COLLECTS] = { 10000, 0, NULL },
    [CLIENT_WRITES] = { 30000, UV_WRITABLE, NULL },
    [CLIENT_TAKES_OVER] = { 60000, UV_READABLE, on_ready },
    [CLIENT_GONE] = { 0, 0, NULL },
};

struct status {
    uv_loop_t *loop;
    uv_poll_t accepting;
    uv_timer_t tick;
    int fd;
    bool closed;
    struct worker **workers;
    size_t worker_count;
    const struct status_events *events;
    void *arg;
    struct client *clients; /* oldest first */
    size_t count;
};

/* The end of a client. */

static void forget(struct client *c)
{
    if (c->handle_open || c->surveyed) {
        return;
    }
    struct client **at = &c->status->clients;
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    c->status->count--;
    free(c);
}

static void on_closed(uv_handle_t *handle)
{
    struct client *c = container_of((uv_poll_t *)handle, struct client, poll);
    c->handle_open = false;
    forget(c);
}

static void client_close(struct client *c)
{
    if (c->state == CLIENT_GONE) {
        return;
    }
    if (c->state == CLIENT_TAKES_OVER) {
        log_event(LOG_WARNING, "who was to take over has gone away before it was ready: we go on",
                  LF_INT("pid", c->pid));
    }
    c->state = CLIENT_GONE;
    buf_release(&c->out);
    uv_close((uv_handle_t *)&c->poll, on_closed);
    close(c->fd);
}

/* States. */

static void on_poll(uv_poll_t *poll, int status, int events);

static void set_state(struct client *c, enum client_state next)
{
    c->state = next;
    c->deadline = uv_now(c->status->loop) + rows[next].allowed_ms;
    if (rows[next].events == 0) {
        uv_poll_stop(&c->poll);
    } else {
        uv_poll_start(&c->poll, rows[next].events, on_poll);
    }
}

/* Closed with bytes unread, a Unix socket would tell its peer of a reset. */
static void client_finish(struct client *c)
{
    for (int i = 0; i < 16 && recv(c->fd, c->in, sizeof(c->in), 0) > 0; i++) {
    }
    client_close(c);
}

static void write_some(struct client *c)
{
    struct slice s = buf_slice(&c->out);
    ssize_t n = send(c->fd, s.p, s.len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        client_close(c);
        return;
    }
    buf_consume(&c->out, n < 0 ? 0 : (size_t)n);
    if (buf_len(&c->out) == 0) {
        client_finish(c);
    }
}

static void answer(struct client *c, const char *code, const char *type, struct slice body)
{
    buf_printf(
        &c->out,
        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", code,
        type, body.len);
    buf_append_slice(&c->out, body);
    if (c->out.overflow) {
        client_close(c);
        return;
    }
    set_state(c, CLIENT_WRITES);
    write_some(c);
}

static void answer_error(struct client *c, const char *code)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%s\n", code);
    answer(c, code, "text/plain", (struct slice){ (const uint8_t *)text, (size_t)n });
}

/* What there is to see. */

static void write_sessions(const struct status_facts *f, const struct survey *s, struct buf *out)
{
    (void)f;
    buf_append_slice(out, buf_slice(&s->sessions));
}

static const struct route {
    struct slice path;
    enum survey_want want;
    const char *type;
    void (*write)(const struct status_facts *f, const struct survey *s, struct buf *out);
} routes[] = {
    { SLICE("/status"), SURVEY_ISSUERS, "application/json", status_report_json },
    { SLICE("/metrics"), SURVEY_ISSUERS, "text/plain; version=0.0.4", status_report_prometheus },
    { SLICE("/sessions"), SURVEY_SESSIONS, "application/x-ndjson", write_sessions },
};

static void on_surveyed(void *arg, const struct survey *survey)
{
    struct client *c = arg;
    struct status *s = c->status;
    c->surveyed = false;
    if (c->state == CLIENT_GONE) {
        forget(c);
        return;
    }
    struct status_facts facts;
    struct buf body;
    buf_init(&body, OUT_MAX);
    s->events->facts(s->arg, &facts);
    c->route->write(&facts, survey, &body);
    answer(c, "200 OK", c->route->type, buf_slice(&body));
    buf_release(&body);
}

static void collect(struct client *c, const struct route *route)
{
    struct status *s = c->status;
    c->route = route;
    c->surveyed = true;
    set_state(c, CLIENT_COLLECTS);
    survey_start(s->workers, s->worker_count, route->want, on_surveyed, c);
}

/* Handing over. */

static bool is_taken_over(const struct status *s)
{
    const struct client *c = s->clients;
    while (c != NULL && c->state != CLIENT_TAKES_OVER) {
        c = c->next;
    }
    return c != NULL;
}

static void hand_over(struct client *c)
{
    struct status *s = c->status;
    const struct listen_set *sockets = s->events->sockets(s->arg);
    if (takeover_peer(c->fd, NULL, &c->pid) != ERR_OK) {
        log_event(LOG_WARNING, "another user may not take over");
        answer_error(c, "403 Forbidden");
    } else if (sockets == NULL || is_taken_over(s)) {
        log_event(LOG_WARNING, "cannot hand over: we are not serving, or another one takes over",
                  LF_INT("pid", c->pid));
        answer_error(c, "503 Service Unavailable");
    } else if (takeover_send(c->fd, sockets) != ERR_OK) {
        log_event(LOG_WARNING, "cannot hand over", LF_STR("reason", strerror(errno)));
        client_close(c);
    } else {
        log_event(LOG_INFO, "handing over to another gateway", LF_INT("pid", c->pid));
        c->got = 0;
        set_state(c, CLIENT_TAKES_OVER);
    }
}

static void on_ready(struct client *c)
{
    struct status *s = c->status;
    struct slice said = { c->in, c->got };
    if (slice_eq(said, TAKEOVER_READY)) {
        int pid = c->pid;
        c->state = CLIENT_WRITES; /* it has not gone away, it is done */
        client_close(c);
        s->events->handed_over(s->arg, pid);
    } else if (!slice_starts_with(TAKEOVER_READY, said)) {
        client_close(c);
    }
}

/* Requests. */

static void dispatch(struct client *c, const struct status_request *r)
{
    if (r->method == STATUS_POST && slice_eq(r->path, SLICE("/takeover"))) {
        hand_over(c);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        if (!slice_eq(r->path, routes[i].path)) {
            continue;
        }
        if (r->method == STATUS_GET) {
            collect(c, &routes[i]);
        } else {
            answer_error(c, "405 Method Not Allowed");
        }
        return;
    }
    answer_error(c, "404 Not Found");
}

static void on_request(struct client *c)
{
    struct status_request request;
    switch (status_request_parse((struct slice){ c->in, c->got }, &c->scanned, &request)) {
    case STATUS_NEED_MORE:
        break;
    case STATUS_READY:
        dispatch(c, &request);
        break;
    case STATUS_BAD:
        answer_error(c, "400 Bad Request");
        break;
    case STATUS_TOO_LONG:
        answer_error(c, "431 Request Header Fields Too Large");
        break;
    }
}

static void read_some(struct client *c)
{
    ssize_t n = recv(c->fd, c->in + c->got, sizeof(c->in) - c->got, 0);
    if (n > 0) {
        c->got += (size_t)n;
        rows[c->state].on_bytes(c);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        client_close(c);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct client *c = container_of(poll, struct client, poll);
    if (status < 0) {
        client_close(c);
    } else if ((events & UV_WRITABLE) != 0) {
        write_some(c);
    } else if ((events & UV_READABLE) != 0) {
        read_some(c);
    }
}

/* Coming in. */

static void client_new(struct status *s, int fd)
{
    struct client *c = mem_zalloc(sizeof(*c));
    *c = (struct client){ .status = s, .fd = fd, .handle_open = true };
    buf_init(&c->out, OUT_MAX);
    uv_poll_init(s->loop, &c->poll, fd);
    struct client **last = &s->clients;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = c;
    s->count++;
    set_state(c, CLIENT_READS);
}

/* Who takes over is not pushed out by others: it has a deadline of its own. */
static void push_oldest_out(struct status *s)
{
    struct client *c = s->clients;
    while (c != NULL && (c->state == CLIENT_GONE || c->state == CLIENT_TAKES_OVER)) {
        c = c->next;
    }
    if (c != NULL) {
        client_close(c);
    }
}

static void on_accept(uv_poll_t *poll, int status, int events)
{
    struct status *s = poll->data;
    (void)status;
    (void)events;
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (s->count >= CLIENTS_MAX) {
        push_oldest_out(s);
    }
    if (s->count >= 2 * CLIENTS_MAX) { /* those gone are still waited for: a worker hangs */
        close(fd);
        return;
    }
    client_new(s, fd);
}

static void on_tick(uv_timer_t *timer)
{
    struct status *s = timer->data;
    uint64_t now = uv_now(s->loop);
    for (struct client *c = s->clients; c != NULL; c = c->next) {
        if (c->state != CLIENT_GONE && now >= c->deadline) {
            client_close(c);
        }
    }
}

struct status *status_new(uv_loop_t *loop, int fd, struct worker **workers, size_t count,
                          const struct status_events *events, void *arg)
{
    struct status *s = mem_zalloc(sizeof(*s));
    *s = (struct status){ .loop = loop,
                          .fd = fd,
                          .workers = workers,
                          .worker_count = count,
                          .events = events,
                          .arg = arg };
    uv_poll_init(loop, &s->accepting, fd);
    uv_timer_init(loop, &s->tick);
    s->accepting.data = s;
    s->tick.data = s;
    uv_poll_start(&s->accepting, UV_READABLE, on_accept);
    uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
    return s;
}

void status_close(struct status *s)
{
    if (s == NULL || s->closed) {
        return;
    }
    s->closed = true;
    uv_close((uv_handle_t *)&s->accepting, NULL);
    uv_close((uv_handle_t *)&s->tick, NULL);
    for (struct client *c = s->clients; c != NULL; c = c->next) {
        client_close(c);
    }
}

void status_free(struct status *s)
{
    free(s);
}
