/*
 * conn: the client's side of a connection: its socket, its TLS, its states. What comes before it is a session is
 * in conn_arrival.c, and what concerns the core in conn_link.c. Everything that a callback may end in goes through conn_set_state, and a connection
 * is freed by its close callback alone, so that no function here has to ask whether it still exists.
 */
#include "conn_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

enum {
    ENDING_MS = 60000,        /* for replies under way */
    LAST_HANDSHAKE_MS = 1000, /* when the gateway stops */
    CLOSING_MS = 1000,      /* for the last bytes, and for the client to read them before a reset */
    EXPIRY_LOOK_MS = 60000, /* the clock may be set meanwhile: look again at least so often */
    OUT_MAX = 16 * 1024 * 1024,
    KEEP_OUT = 1024 * 1024, /* of the engine's output buffer */
};

static void feed_requests(struct conn *c, struct slice bytes);
static void drop_bytes(struct conn *c, struct slice bytes);

/*
 * name        for the log
 * arrives     it is no session yet: --handshake-timeout counts, and it ends without ceremony
 * on_bytes    what to do with what the client sent; NULL: it is not read
 */
static const struct state_row {
    const char *name;
    bool arrives;
    void (*on_bytes)(struct conn *c, struct slice bytes);
} rows[] = {
    [CONN_HEADER] = { "PROXY header", true, conn_take_header },
    [CONN_HELLO] = { "ClientHello", true, conn_take_hello },
    [CONN_HANDSHAKE] = { "handshake", true, conn_take_flight },
    [CONN_SIGNING] = { "handshake", true, NULL },
    [CONN_OPEN] = { "open", false, feed_requests },
    [CONN_ENDING] = { "ending", false, NULL },
    [CONN_CLOSING] = { "closing", false, drop_bytes },
    [CONN_CLOSED] = { "closed", false, NULL },
};

static int64_t unix_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* How long the client's certificate still counts, in ms and at least 1: its last second is a good one. */
static uint64_t trust_left(const struct conn *c)
{
    int64_t left = (c->peer->trusted_until + 1) * 1000 - unix_ms();
    return left <= 0 ? 1 : (uint64_t)left;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How long a connection may stay open from now: its certificate ends, or it may be idle too long. */
static uint64_t open_deadline(const struct conn *c)
{
    uint64_t ms = lesser(trust_left(c), EXPIRY_LOOK_MS);
    int64_t idle = worker_options(c->worker)->idle_timeout_ms;
    if (idle > 0 && !c->listens) {
        uint64_t silent = uv_now(worker_loop(c->worker)) - c->active_at;
        ms = lesser(ms, silent >= (uint64_t)idle ? 1 : (uint64_t)idle - silent);
    }
    return ms;
}

uint64_t conn_arrival_left(const struct conn *c)
{
    uint64_t limit = (uint64_t)worker_options(c->worker)->handshake_timeout_ms;
    uint64_t took = uv_now(worker_loop(c->worker)) - c->active_at;
    return took < limit ? limit - took : 0;
}

/* Never 0, which would be never. */
static uint64_t arrival_deadline(const struct conn *c)
{
    uint64_t left = conn_arrival_left(c) + 1;
    return worker_stops(c->worker) ? lesser(left, LAST_HANDSHAKE_MS) : left;
}

static uint64_t deadline_of(const struct conn *c)
{
    switch ((enum conn_state)c->state) {
    case CONN_HEADER:
    case CONN_HELLO:
    case CONN_HANDSHAKE:
    case CONN_SIGNING:
        return arrival_deadline(c);
    case CONN_OPEN:
        return open_deadline(c);
    case CONN_ENDING:
        return lesser(trust_left(c), ENDING_MS);
    case CONN_CLOSING:
        return CLOSING_MS;
    case CONN_CLOSED:
        break;
    }
    return 0;
}

/* A live session is one that the core knows, or would if it were there. */
static bool is_live(unsigned state)
{
    return state == CONN_OPEN || state == CONN_ENDING;
}

static void count_session(struct conn *c, bool ended)
{
    struct metrics *m = worker_metrics(c->worker);
    bool is_1_2 = strcmp(tls_session_info(c->tls).version, "TLSv1.2") == 0;
    *(is_1_2 ? &m->sessions_tls_1_2 : &m->sessions_tls_1_3) += ended ? UINT64_MAX : 1;
    worker_trusts(c->worker, c->peer->trusted_until, ended);
}

void conn_set_state(struct conn *c, enum conn_state next)
{
    struct metrics *m = worker_metrics(c->worker);
    m->handshaking += rows[next].arrives;
    m->handshaking -= rows[c->state].arrives;
    if (is_live(c->state) != is_live(next)) {
        count_session(c, is_live(c->state));
    }
    c->state = (uint8_t)next;
    worker_set_deadline(c->worker, c, deadline_of(c));
}

void conn_set_from(struct conn *c, const struct sockaddr_storage *from)
{
    memcpy(&c->from, from, sizeof(c->from));
}

void conn_from(const struct conn *c, struct sockaddr_storage *out)
{
    *out = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
    memcpy(out, &c->from, sizeof(c->from));
}

void conn_peer_text(const struct conn *c, char out[ADDRESS_TEXT])
{
    struct sockaddr_storage addr;
    conn_from(c, &addr);
    address_text(&addr, out);
}

void conn_set_listens(struct conn *c, bool listens)
{
    if (c->listens == listens) {
        return;
    }
    c->listens = listens;
    if (c->state == CONN_OPEN) {
        worker_set_deadline(c->worker, c, open_deadline(c));
    }
}

uint64_t conn_session(const struct conn *c)
{
    return c->session;
}

/* Polling. */

/* How much may be read now. */
static size_t read_room(struct conn *c)
{
    if (c->eof || rows[c->state].on_bytes == NULL) {
        return 0;
    }
    if (rows[c->state].arrives) {
        return conn_arrival_room(c);
    }
    bool may = c->state != CONN_OPEN ||
               (!c->paused && !c->bad && buf_len(&c->out) < OUT_HIGH && worker_may_read(c->worker));
    return may ? WORKER_READ_MAX : 0;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void update_poll(struct conn *c)
{
    if (c->state == CONN_CLOSED) {
        return;
    }
    int events = (read_room(c) > 0 ? UV_READABLE : 0) | (buf_len(&c->out) > 0 ? UV_WRITABLE : 0);
    if (events == c->poll_events) {
        return;
    }
    c->poll_events = (uint8_t)events;
    if (events == 0) {
        uv_poll_stop(&c->poll);
    } else {
        uv_poll_start(&c->poll, events, on_poll);
    }
}

/* The end. */

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = container_of((uv_poll_t *)handle, struct conn, poll);
    worker_forget(c->worker, c);
    peer_unref(c->peer);
    free(c->state_record);
    free(c);
}

static void log_end(const struct conn *c, const char *why)
{
    if (log_enabled(LOG_DEBUG)) {
        char peer[ADDRESS_TEXT];
        conn_peer_text(c, peer);
        log_event(LOG_DEBUG, "connection closed", LF_INT("session", c->session),
                  LF_STR("peer", peer),
                  LF_SLICE("identity", c->peer == NULL ? SLICE("") : c->peer->identity),
                  LF_STR("state", rows[c->state].name), LF_STR("reason", why));
    }
}

void conn_kill(struct conn *c, const char *why)
{
    if (c->state == CONN_CLOSED) {
        return;
    }
    log_end(c, why);
    conn_leave_core(c, why);
    conn_set_state(c, CONN_CLOSED);
    conn_arrival_free(c);
    admission_leave(worker_admission(c->worker), &c->place);
    request_stream_release(&c->requests);
    tls_session_free(c->tls);
    c->tls = NULL;
    buf_release(&c->out);
    uv_close((uv_handle_t *)&c->poll, on_closed);
    close(c->fd);
}

void conn_finish(struct conn *c, const char *why)
{
    if (rows[c->state].arrives) {
        worker_set_deadline(c->worker, c, lesser(arrival_deadline(c), LAST_HANDSHAKE_MS));
    } else if (c->state == CONN_OPEN) {
        log_end(c, why);
        c->why = why;
        conn_set_state(c, CONN_ENDING);
        conn_advance(c);
    }
}

/* Output. */

static void sent(struct conn *c, size_t ciphertext)
{
    uint64_t took =
        buf_len(&c->out) == 0 || c->unsent_plain < ciphertext ? c->unsent_plain : ciphertext;
    c->unsent_plain -= took;
    worker_metrics(c->worker)->bytes_out += ciphertext;
    conn_took_plain(c, took);
}

/* try_send gives bytes to the socket; *n is how many it took. False: the connection broke. */
static bool try_send(struct conn *c, struct slice s, size_t *n)
{
    ssize_t r = send(c->fd, s.p, s.len, MSG_NOSIGNAL);
    if (r < 0 && errno != EAGAIN && errno != EINTR) {
        return false;
    }
    *n = r < 0 ? 0 : (size_t)r;
    return true;
}

bool conn_push(struct conn *c)
{
    struct buf *out = tls_engine_out(worker_tls(c->worker));
    struct slice s = buf_slice(out);
    size_t n = 0;
    bool ok = !out->overflow && (s.len == 0 || buf_len(&c->out) > 0 || try_send(c, s, &n));
    if (n < s.len) {
        buf_append(&c->out, s.p + n, s.len - n);
    }
    if (out->overflow || out->cap > KEEP_OUT) {
        buf_release(out);
    } else {
        buf_clear(out);
    }
    if (ok && n > 0) {
        sent(c, n);
    }
    return ok && !c->out.overflow;
}

static bool flush(struct conn *c)
{
    size_t n = 0;
    if (!try_send(c, buf_slice(&c->out), &n)) {
        return false;
    }
    buf_consume(&c->out, n);
    if (buf_len(&c->out) == 0) {
        buf_release(&c->out);
    }
    sent(c, n);
    return true;
}

bool conn_write(struct conn *c, struct slice plain)
{
    if (plain.len == 0) {
        return true;
    }
    return tls_session_write(worker_tls(c->worker), c->tls, plain) == TLS_DONE && conn_push(c);
}

void conn_send_last(struct conn *c, const char *why)
{
    if (!conn_push(c)) {
        conn_kill(c, why);
        return;
    }
    conn_set_state(c, CONN_CLOSING);
    conn_advance(c);
}

void conn_say_goodbye(struct conn *c, const char *why)
{
    if (c->state == CONN_CLOSED || c->state == CONN_CLOSING) {
        return;
    }
    log_end(c, why);
    conn_leave_core(c, why);
    tls_session_close(worker_tls(c->worker), c->tls);
    conn_send_last(c, "the connection broke");
}

/* Input. */

static void drop_bytes(struct conn *c, struct slice bytes)
{
    (void)c;
    (void)bytes;
}

const struct peer *conn_peer(const struct conn *c)
{
    return c->state == CONN_OPEN || c->state == CONN_ENDING ? c->peer : NULL;
}

void conn_distrust(struct conn *c, const struct refusal *why)
{
    char peer[ADDRESS_TEXT];
    struct metrics *m = worker_metrics(c->worker);
    conn_peer_text(c, peer);
    *(why->kind == REFUSAL_EXPIRED ? &m->expired : &m->evicted) += 1;
    log_event(LOG_WARNING, "session closed: its certificate is not trusted any more",
              LF_STR("reason", why->reason), LF_INT("session", c->session), LF_STR("peer", peer),
              LF_SLICE("identity", c->peer->identity), LF_SLICE("serial", c->peer->serial));
    conn_leave_core(c, why->reason);
    tls_session_abort(worker_tls(c->worker), c->tls, refusal_alert(why->kind));
    conn_send_last(c, why->reason);
}

/* decrypt takes all that was fed; it fits the plain buffer by WORKER_PLAIN_MAX's definition. */
static enum tls_status decrypt(struct conn *c, struct slice *plain)
{
    struct tls_engine *e = worker_tls(c->worker);
    uint8_t *to = worker_plain_buffer(c->worker);
    size_t got = 0;
    enum tls_status status = TLS_DONE;
    while (status == TLS_DONE && got < WORKER_PLAIN_MAX) {
        size_t n;
        status = tls_session_read(e, c->tls, to + got, WORKER_PLAIN_MAX - got, &n);
        got += n;
    }
    *plain = (struct slice){ to, got };
    return status;
}

static void parse(struct conn *c, struct slice plain)
{
    struct buf *replies = worker_scratch(c->worker);
    enum request_status status =
        request_stream_feed(&c->requests, worker_parser(c->worker), plain, conn_on_request, c);
    c->paused = status == REQUEST_PAUSED;
    c->bad = status == REQUEST_BAD;
    if (!conn_write(c, buf_slice(replies))) {
        conn_kill(c, "the connection broke");
    }
}

static void tls_broke(struct conn *c)
{
    char peer[ADDRESS_TEXT];
    struct tls_failure f = tls_session_failure(c->tls);
    conn_peer_text(c, peer);
    log_event(LOG_WARNING, "TLS failed, connection closed", LF_INT("session", c->session),
              LF_STR("peer", peer), LF_SLICE("identity", c->peer->identity),
              LF_STR("reason", f.reason));
    conn_leave_core(c, "TLS failed");
    conn_send_last(c, f.reason);
}

static void take_plain(struct conn *c)
{
    struct slice plain;
    enum tls_status status = decrypt(c, &plain);
    if (status == TLS_FAILED) {
        tls_broke(c);
        return;
    }
    if (plain.len > 0) {
        parse(c, plain);
    }
    if (c->state == CONN_CLOSED) {
        return;
    }
    c->eof = c->eof || status == TLS_CLOSED;
    if (!conn_push(c)) { /* an answer to a KeyUpdate */
        conn_kill(c, "the connection broke");
        return;
    }
    conn_advance(c);
}

void conn_open(struct conn *c)
{
    c->active_at = uv_now(worker_loop(c->worker));
    conn_set_state(c, CONN_OPEN);
    conn_open_session(c);
    take_plain(c); /* commands may have come with the client's last handshake message */
    if (worker_stops(c->worker)) {
        conn_finish(c, "the gateway stops");
    }
}

static void feed_requests(struct conn *c, struct slice bytes)
{
    c->active_at = uv_now(worker_loop(c->worker));
    tls_engine_feed(worker_tls(c->worker), bytes);
    take_plain(c);
}

static void on_eof(struct conn *c)
{
    c->eof = true;
    bool may_go_on = c->state == CONN_HANDSHAKE && buf_len(&c->arrival->in) > 0;
    if (may_go_on) {
        update_poll(c); /* what came before may end the handshake, and bring commands */
    } else if (rows[c->state].arrives || c->state == CONN_CLOSING) {
        conn_kill(c, "the client closed the connection");
    } else {
        conn_advance(c);
    }
}

static void read_socket(struct conn *c)
{
    size_t room = read_room(c);
    if (room == 0) {
        update_poll(c); /* a mark was passed since the last look */
        return;
    }
    uint8_t *to = worker_read_buffer(c->worker);
    ssize_t n = recv(c->fd, to, room, 0);
    if (n > 0) {
        worker_metrics(c->worker)->bytes_in += (uint64_t)n;
        rows[c->state].on_bytes(c, (struct slice){ to, (size_t)n });
    } else if (n == 0) {
        on_eof(c);
    } else if (errno != EAGAIN && errno != EINTR) {
        conn_kill(c, strerror(errno));
    }
}

/* In a handshake, what came before the reset may be the client's reason: it is heard to the end. */
static void on_reset(struct conn *c, const char *why)
{
    if (c->state == CONN_HANDSHAKE) {
        read_socket(c);
    }
    if (c->state != CONN_HANDSHAKE) {
        conn_kill(c, why);
    } else if (!c->eof) {
        on_eof(c);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct conn *c = container_of(poll, struct conn, poll);
    if (status < 0) {
        on_reset(c, uv_strerror(status));
        return;
    }
    if (events & UV_WRITABLE) {
        if (!flush(c)) {
            conn_kill(c, "the client closed the connection");
            return;
        }
        conn_advance(c);
    }
    if ((events & UV_READABLE) && c->state != CONN_CLOSED) {
        read_socket(c);
    }
}

/* Progress. */

static bool may_resume(const struct conn *c)
{
    return c->part == NULL && c->unanswered < UNANSWERED_LOW &&
           c->unanswered_bytes < UNANSWERED_BYTES_LOW && buf_len(&c->out) < OUT_HIGH &&
           worker_may_read(c->worker);
}

static void end_if_answered(struct conn *c)
{
    if (c->unanswered > 0 || c->part != NULL || c->mid_reply) {
        return;
    }
    if (c->bad) {
        struct buf *text = worker_scratch(c->worker);
        buf_printf(text, "-ERR %s\r\n", request_stream_error(&c->requests));
        if (!conn_write(c, buf_slice(text))) {
            conn_kill(c, "the connection broke");
            return;
        }
    }
    conn_say_goodbye(c, c->why);
}

static void advance_open(struct conn *c)
{
    while (c->state == CONN_OPEN && c->paused && may_resume(c)) {
        parse(c, (struct slice){ NULL, 0 });
    }
    if (c->state != CONN_OPEN || c->paused) {
        return;
    }
    if (c->bad) {
        worker_metrics(c->worker)->protocol_errors++;
        conn_finish(c, request_stream_error(&c->requests));
    } else if (c->eof) {
        conn_finish(c, "the client closed the connection");
    }
}

void conn_advance(struct conn *c)
{
    if (c->state == CONN_OPEN) {
        advance_open(c);
    }
    if (c->state == CONN_ENDING) {
        end_if_answered(c);
    }
    if (c->state == CONN_CLOSING && buf_len(&c->out) == 0) {
        if (c->eof) {
            conn_kill(c, "done");
        } else {
            shutdown(c->fd, SHUT_WR); /* and wait for the client's end, or the deadline */
        }
    }
    update_poll(c);
}

void conn_read_again(struct conn *c)
{
    conn_advance(c); /* commands that were read already come first */
    update_poll(c);
}

static void open_deadline_passed(struct conn *c)
{
    int64_t idle = worker_options(c->worker)->idle_timeout_ms;
    if (unix_ms() / 1000 > c->peer->trusted_until) {
        struct refusal why;
        char when[32];
        refusal_set(&why, REFUSAL_EXPIRED, "%s expired on %s",
                    c->peer->trusted_until < c->peer->not_after ? "its issuer's certificate" : "it",
                    pem_time_text(c->peer->trusted_until, when));
        conn_distrust(c, &why);
    } else if (idle > 0 && !c->listens &&
               uv_now(worker_loop(c->worker)) - c->active_at >= (uint64_t)idle) {
        conn_finish(c, "idle for too long");
    } else {
        worker_set_deadline(c->worker, c, open_deadline(c));
    }
}

void conn_on_deadline(struct conn *c)
{
    switch ((enum conn_state)c->state) {
    case CONN_HEADER:
    case CONN_HELLO:
    case CONN_HANDSHAKE:
    case CONN_SIGNING:
        worker_metrics(c->worker)->handshakes_late++;
        conn_kill(c, "the handshake took too long");
        break;
    case CONN_OPEN:
        open_deadline_passed(c);
        break;
    case CONN_ENDING:
    case CONN_CLOSING:
        conn_kill(c, "it did not take its last bytes in time");
        break;
    case CONN_CLOSED:
        break;
    }
}

bool conn_facts(const struct conn *c, struct conn_facts *out)
{
    if (!is_live(c->state)) {
        return false;
    }
    out->peer = c->peer;
    out->tls = tls_session_info(c->tls);
    out->opened_at = c->opened_at;
    conn_peer_text(c, out->address);
    return true;
}

int64_t conn_trusted_until(const struct conn *c)
{
    return is_live(c->state) ? c->peer->trusted_until : INT64_MAX;
}

bool conn_is_quiet(const struct conn *c, uint64_t ms)
{
    return c->state == CONN_OPEN && c->unanswered == 0 && c->part == NULL && !c->mid_reply &&
           buf_len(&c->out) == 0 && uv_now(worker_loop(c->worker)) - c->active_at >= ms;
}

struct conn *conn_accept(struct worker *w, int fd, const struct sockaddr_storage *from,
                         uint64_t session)
{
    struct conn *c = mem_zalloc(sizeof(*c));
    c->worker = w;
    c->fd = fd;
    c->session = session;
    c->opened_at = unix_ms();
    c->active_at = uv_now(worker_loop(w));
    conn_set_from(c, from);
    buf_init(&c->out, OUT_MAX);
    c->state = CONN_CLOSED;
    uv_poll_init(worker_loop(w), &c->poll, fd);
    conn_arrival_new(c);
    bool by_proxy = network_list_has(&worker_options(w)->proxy_networks, from);
    conn_set_state(c, by_proxy ? CONN_HEADER : CONN_HELLO);
    update_poll(c);
    return c;
}
