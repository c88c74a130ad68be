/*
 * What sessions say. Replies that are over a session's credit, or longer than a frame, wait in the session, and the link
 * pumps such sessions in turn, so that none holds the others up. What waits is limited by client-output-buffer-limit.
 */
#include "link_private.h"

#include "base/log.h"
#include "dispatch.h"
#include "telemetry.h"

/* --- the ring of sessions with waiting replies --------------------------------------------------- */

static void pump_add(struct link *l, struct session *s)
{
    if (s->pump_next)
        return;
    if (l->pump == NULL) {
        s->pump_next = s->pump_prev = s;
        l->pump = s;
        return;
    }
    s->pump_next = l->pump;
    s->pump_prev = l->pump->pump_prev;
    s->pump_prev->pump_next = s;
    s->pump_next->pump_prev = s;
}

static void pump_remove(struct link *l, struct session *s)
{
    if (s->pump_next == NULL)
        return;
    if (s->pump_next == s) {
        l->pump = NULL;
    } else {
        s->pump_prev->pump_next = s->pump_next;
        s->pump_next->pump_prev = s->pump_prev;
        if (l->pump == s)
            l->pump = s->pump_next;
    }
    s->pump_next = s->pump_prev = NULL;
}

static size_t ring_length(const struct link *l)
{
    size_t n = 0;
    const struct session *s = l->pump;
    for (; s && (n == 0 || s != l->pump); s = s->pump_next)
        n++;
    return n;
}

/* --- limits ----------------------------------------------------------------------------------------- */

/* Redis's two: so much at no time, or so much for so long. */
static bool over_limit(struct session *s)
{
    const enum client_class which = s->pushed ? CLASS_PUBSUB : CLASS_NORMAL;
    const struct output_limit *limit = &s->core->telemetry.settings.output_limits[which];
    const int64_t waits = (int64_t)(buf_len(&s->out) + buf_len(&s->held));
    if (limit->hard > 0 && waits >= limit->hard)
        return true;
    if (limit->soft == 0 || waits < limit->soft) {
        s->over_since_ms = 0;
        return false;
    }
    const uint64_t now = uv_now(s->core->loop);
    if (s->over_since_ms == 0)
        s->over_since_ms = now;
    return now - s->over_since_ms > (uint64_t)limit->seconds * 1000;
}

void link_forget_output(struct link *l, struct session *s)
{
    s->out_answered = 0;
    s->pushed = false;
    s->over_since_ms = 0;
    buf_release(&s->out);
    pump_remove(l, s);
}

/* Whoever is telling many at the moment must find the session where it is: it is closed later. */
static void cut_if_slow(struct session *s)
{
    if (s->cut || !over_limit(s))
        return;
    log_event(LOG_WARNING, "a client does not read what it is sent, and is closed",
              LF_INT("session", s->id), LF_SLICE("identity", s->identity->name),
              LF_INT("bytes", buf_len(&s->out) + buf_len(&s->held)));
    s->cut = true;
    link_forget_output(s->link, s);
    buf_release(&s->held);
    link_end_session(s, "it does not read what it is sent (client-output-buffer-limit)");
}

/* The soft limit also counts for those who are sent nothing more. */
void link_cut_slow(struct link *l)
{
    struct session *s = l->pump;
    for (size_t left = ring_length(l); left > 0; left--) {
        struct session *next = s->pump_next;
        cut_if_slow(s);
        s = next;
    }
}

/* --- replies ---------------------------------------------------------------------------------------- */

static uint8_t closing_flag(const struct session *s)
{
    return s->life == SESSION_QUITTING ? FRAME_CLOSING : 0;
}

/* send_piece sends as much as one frame and the credit allow; the last piece says how many requests it completes. */
static size_t send_piece(struct link *l, struct session *s, struct slice bytes, uint32_t answered)
{
    size_t n = bytes.len < FRAME_MAX_PAYLOAD ? bytes.len : FRAME_MAX_PAYLOAD;
    n = (int64_t)n < s->credit ? n : (size_t)s->credit;
    const bool last = n == bytes.len;
    const struct frame frame = {
        .type = FRAME_REPLY,
        .flags = last ? closing_flag(s) : FRAME_MORE,
        .answered = last ? (uint16_t)answered : 0,
        .session = s->wire_id,
        .payload = { bytes.p, n },
    };
    frame_write(&l->out, &frame);
    s->credit -= (int64_t)n;
    return n;
}

static void pump_session(struct link *l, struct session *s)
{
    buf_consume(&s->out, send_piece(l, s, buf_slice(&s->out), s->out_answered));
    if (buf_len(&s->out) > 0)
        return;
    link_forget_output(l, s);
    if (s->place != SESSION_IN_TURN)
        dispatch_resume(s);
}

/* It visits the ring once around, then again, until it is empty, out of credit, or the link has enough. */
void link_pump(struct link *l)
{
    bool sent = true;
    while (sent && l->pump && buf_len(&l->out) < LINK_OUT_LOW) {
        sent = false;
        struct session *const first = l->pump;
        struct session *s = first;
        do {
            struct session *next = s->pump_next;
            if (s->credit > 0) {
                l->pump = next; /* the next round starts behind the one that was served */
                pump_session(l, s);
                sent = true;
                break;
            }
            s = next;
        } while (s != first);
    }
}

void link_reply(struct session *s, struct slice bytes, uint32_t answered)
{
    struct link *l = s->link;
    if (l == NULL || s->cut)
        return;
    while (buf_len(&s->out) == 0 && buf_len(&l->out) < LINK_OUT_HIGH &&
           (s->credit > 0 || bytes.len == 0)) {
        const size_t n = send_piece(l, s, bytes, answered);
        bytes = (struct slice){ bytes.p + n, bytes.len - n };
        if (bytes.len == 0) /* a reply without bytes is a frame too */
            return;
    }
    buf_append_slice(&s->out, bytes);
    s->out_answered += answered;
    pump_add(l, s);
    cut_if_slow(s);
}

/* --- pushes ----------------------------------------------------------------------------------------- */

void link_push(struct session *s, struct slice bytes)
{
    if (s->link == NULL || s->life != SESSION_OPEN || s->cut || s->ending)
        return;
    s->pushed = true;
    if (s->holds) {
        buf_append_slice(&s->held, bytes);
        cut_if_slow(s);
        return;
    }
    link_reply(s, bytes, 0);
    s->pushed = buf_len(&s->out) > 0;
}

void link_hold(struct session *s)
{
    s->holds = true;
}

void link_release(struct session *s)
{
    struct buf held = s->held;
    s->holds = false;
    buf_init(&s->held, held.max);
    if (buf_len(&held) > 0)
        link_push(s, buf_slice(&held));
    buf_release(&held);
}
