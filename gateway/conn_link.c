/*
 * conn_link: a connection's dealings with the core: announcing it, passing commands and replies,
 * credit, and what happens to it when the core goes away and comes back (DESIGN §4).
 */
#include "conn_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { LOCAL_REPLIES_MAX = 256 * 1024 }; /* bytes of our own replies before they are sent */

static const char tryagain[] =
    "-TRYAGAIN the store is restarting; nothing was executed, try again\r\n";
static const char uncertain[] =
    "-UNCERTAIN the store went away before it answered; the command may have been executed\r\n";

/* Announcing. */

static void local_text(const struct conn *c, char out[ADDRESS_TEXT])
{
    struct sockaddr_storage addr = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof(addr);
    getsockname(c->fd, (struct sockaddr *)&addr, &len);
    address_text(&addr, out);
}

void conn_open_session(struct conn *c)
{
    struct link *l = worker_link(c->worker);
    if (!link_is_up(l) || c->in_core) {
        return;
    }
    char peer[ADDRESS_TEXT], local[ADDRESS_TEXT];
    conn_peer_text(c, peer);
    local_text(c, local);
    struct tls_session_info tls = tls_session_info(c->tls);
    struct frame_open open = {
        .kind = c->peer->kind,
        .identity = c->peer->identity,
        .issuer = c->peer->issuer,
        .serial = c->peer->serial,
        .not_after = c->peer->not_after,
        .tls_version = slice_of(tls.version),
        .cipher = slice_of(tls.cipher),
        .peer = slice_of(peer),
        .local = slice_of(local),
        .opened_at = c->opened_at,
        .credit = c->unsent_plain < CREDIT ? (uint32_t)(CREDIT - c->unsent_plain) : 0,
    };
    memcpy(open.fingerprint, c->peer->fingerprint, sizeof(open.fingerprint));
    if (c->state_record != NULL) {
        open.state = (struct slice){ c->state_record->bytes, c->state_record->len };
    }
    frame_write_open(link_out(l), c->session, &open);
    c->in_core = true;
    c->credit_due = 0;
    if (log_enabled(LOG_DEBUG)) {
        log_event(LOG_DEBUG, "session opened", LF_INT("session", c->session), LF_STR("peer", peer),
                  LF_SLICE("identity", c->peer->identity), LF_STR("tls", tls.version));
    }
}

static void drop_part(struct conn *c)
{
    if (c->part != NULL) {
        worker_dequeue_part(c->worker, c);
        buf_release(c->part);
        free(c->part);
        c->part = NULL;
    }
}

void conn_leave_core(struct conn *c, const char *why)
{
    struct link *l = worker_link(c->worker);
    drop_part(c);
    if (c->in_core && link_is_up(l)) {
        frame_write(link_out(l), &(struct frame){ .type = FRAME_CLOSE,
                                                  .session = c->session,
                                                  .payload = slice_of(why) });
    }
    c->in_core = false;
    c->unanswered = 0;
    c->unanswered_bytes = 0;
    c->mid_reply = false;
}

/* Commands. */

static bool answer_tryagain(struct conn *c)
{
    struct buf *replies = worker_scratch_append(c->worker);
    worker_metrics(c->worker)->tryagain++;
    buf_append(replies, tryagain, sizeof(tryagain) - 1);
    return buf_len(replies) < LOCAL_REPLIES_MAX;
}

/* A command over one frame goes out piece by piece, in turns with other clients' commands. */
static void begin_part(struct conn *c, const struct slice *argv, uint32_t argc, size_t size)
{
    c->part = mem_alloc(sizeof(*c->part));
    buf_init(c->part, size);
    frame_build_request(c->part, argv, argc);
    worker_enqueue_part(c->worker, c);
}

bool conn_on_request(void *arg, const struct slice *argv, uint32_t argc, size_t bytes)
{
    struct conn *c = arg;
    worker_metrics(c->worker)->requests++;
    if (!c->in_core) {
        return answer_tryagain(c);
    }
    c->unanswered++;
    c->unanswered_bytes += bytes;
    size_t size = frame_request_size(argv, argc);
    if (size > FRAME_MAX_PAYLOAD) {
        begin_part(c, argv, argc, size);
        return false;
    }
    frame_write_request(link_out(worker_link(c->worker)), c->session, argv, argc);
    return c->unanswered < UNANSWERED_HIGH && c->unanswered_bytes < UNANSWERED_BYTES_HIGH;
}

bool conn_send_part(struct conn *c)
{
    struct slice payload = buf_slice(c->part);
    size_t before = payload.len;
    frame_write_part(link_out(worker_link(c->worker)), FRAME_REQUEST, 0, 0, c->session, &payload);
    buf_consume(c->part, before - payload.len);
    if (payload.len > 0) {
        return true;
    }
    drop_part(c);
    conn_advance(c);
    return false;
}

/* Replies. */

static void count_answered(struct conn *c, uint32_t answered)
{
    uint32_t n = answered < c->unanswered ? answered : c->unanswered;
    if (n > 0) {
        c->unanswered_bytes -= c->unanswered_bytes * n / c->unanswered;
        c->unanswered -= n;
    }
}

static void on_reply(struct conn *c, const struct frame *f)
{
    c->mid_reply = (f->flags & FRAME_MORE) != 0;
    c->closing_reply = c->closing_reply || (f->flags & FRAME_CLOSING) != 0;
    c->unsent_plain += f->payload.len;
    count_answered(c, f->answered);
    reply_batch_add(worker_batch(c->worker), c, &c->replies, f->payload);
}

static void on_state(struct conn *c, const struct frame *f)
{
    free(c->state_record);
    c->state_record = NULL;
    bool pinned = (f->flags & FRAME_PINNED) != 0;
    conn_set_listens(c, (f->flags & FRAME_LISTENS) != 0);
    if (f->payload.len > 0 || pinned) {
        size_t len = f->payload.len < FRAME_MAX_STATE ? f->payload.len : FRAME_MAX_STATE;
        c->state_record = mem_alloc(sizeof(*c->state_record) + len);
        c->state_record->pinned = pinned;
        c->state_record->len = (uint16_t)len;
        memcpy(c->state_record->bytes, f->payload.p, len);
    }
}

static void on_core_close(struct conn *c, const struct frame *f)
{
    char peer[ADDRESS_TEXT];
    conn_deliver_batch(c);
    if (c->state == CONN_CLOSED) {
        return;
    }
    c->in_core = false;
    conn_peer_text(c, peer);
    log_event(LOG_INFO, "session closed by the core", LF_INT("session", c->session),
              LF_STR("peer", peer), LF_SLICE("identity", c->peer->identity),
              LF_SLICE("reason", f->payload));
    conn_say_goodbye(c, "closed by the core");
}

void conn_on_frame(struct conn *c, const struct frame *f)
{
    if (!c->in_core) {
        return; /* it crossed our CLOSE */
    }
    switch (f->type) {
    case FRAME_REPLY:
        on_reply(c, f);
        break;
    case FRAME_STATE:
        on_state(c, f);
        break;
    case FRAME_CLOSE:
        on_core_close(c, f);
        break;
    default:
        break;
    }
}

/* One piece is encrypted where it lies; several are put together, for fewer and fuller records. */
static struct slice gather(struct conn *c)
{
    bool more;
    struct reply_batch *batch = worker_batch(c->worker);
    struct slice piece = reply_batch_take(batch, &c->replies, &more);
    if (!more) {
        return piece;
    }
    struct buf *whole = worker_scratch(c->worker);
    buf_append_slice(whole, piece);
    while (more) {
        buf_append_slice(whole, reply_batch_take(batch, &c->replies, &more));
    }
    return buf_slice(whole);
}

void conn_deliver_batch(struct conn *c)
{
    if (c->replies.first == 0) {
        return;
    }
    struct slice plain = gather(c);
    if (c->state != CONN_OPEN && c->state != CONN_ENDING) {
        return;
    }
    if (!conn_write(c, plain)) {
        conn_kill(c, "the client closed the connection");
    } else if (c->closing_reply) {
        conn_say_goodbye(c, "the client quit");
    } else {
        conn_advance(c);
    }
}

void conn_took_plain(struct conn *c, uint64_t bytes)
{
    if (!c->in_core || bytes == 0) {
        return;
    }
    c->credit_due += (uint32_t)bytes;
    if (c->credit_due >= CREDIT_RETURN) {
        frame_write_credit(link_out(worker_link(c->worker)), c->session, c->credit_due);
        c->credit_due = 0;
    }
}

/* Restarts of the core. */

void conn_link_up(struct conn *c)
{
    if (c->state == CONN_OPEN) {
        conn_open_session(c);
    }
}

/* What was in flight has an unknown outcome, but for a command whose last piece never left. */
static bool answer_in_flight(struct conn *c)
{
    struct buf *replies = worker_scratch(c->worker);
    struct metrics *m = worker_metrics(c->worker);
    uint32_t unsent = c->part == NULL ? 0 : 1;
    for (uint32_t i = unsent; i < c->unanswered; i++) {
        buf_append(replies, uncertain, sizeof(uncertain) - 1);
        m->uncertain++;
    }
    if (unsent > 0) {
        buf_append(replies, tryagain, sizeof(tryagain) - 1);
        m->tryagain++;
    }
    return conn_write(c, buf_slice(replies));
}

void conn_link_down(struct conn *c)
{
    if (!c->in_core) {
        return;
    }
    c->in_core = false;
    if (c->state_record != NULL && c->state_record->pinned) {
        conn_say_goodbye(c, "its state cannot be carried over the core's restart");
        return;
    }
    if (c->mid_reply) {
        conn_say_goodbye(c, "the core went away in the middle of a reply");
        return;
    }
    bool ok = answer_in_flight(c);
    conn_leave_core(c, "");
    if (!ok) {
        conn_kill(c, "the connection broke");
        return;
    }
    conn_advance(c);
}
