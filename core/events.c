/*
 * Events: wording and sending. Which message form a client gets depends on its protocol alone, so that a message is
 * worded once for each form, however many hear it.
 */
#include "events.h"

#include <inttypes.h>
#include <stdlib.h>

#include "acl/check.h"
#include "exchange.h"
#include "expiry.h"
#include "link.h"
#include "wire/resp_write.h"

enum {
    TRACKING_MAX_KEYS = 1000000, /* Redis's default */
    WORDED_MAX = 1 << 30,
    WORDED_KEPT = 1024 * 1024,
    CHANNEL_MAX = 128 * 1024, /* of an event's channel: keys are shorter */
};

static const struct slice invalidate_channel = { (const uint8_t *)"__redis__:invalidate", 20 };

struct events {
    struct core *core;
    struct pubsub *pubsub;
    struct tracking *tracking;
    uint32_t notify;           /* notify-keyspace-events */
    size_t max_tracked;        /* tracking-table-max-keys */
    int64_t expired_since_ms;  /* when somebody first waited for keys to expire; 0: nobody does */
    const struct command *get; /* who may run it on a key, may know of it */
    struct buf worded[2];      /* what is being sent, by protocol */
    struct buf channel;
};

/* --- wording ------------------------------------------------------------------------------------ */

static struct buf *worded(struct events *ev, const struct session *s)
{
    return &ev->worded[s->vars.protocol == 3];
}

static void forget_wording(struct events *ev)
{
    for (size_t i = 0; i < ARRAY_SIZE(ev->worded); i++) {
        if (ev->worded[i].cap > WORDED_KEPT)
            buf_release(&ev->worded[i]);
        buf_clear(&ev->worded[i]);
    }
}

/* A message on its way to many. */
struct delivery {
    struct events *ev;
    const char *type; /* "message" */
    struct slice channel;
    struct slice body;
    const uint8_t *pattern; /* that `worded` names */
};

static void word_message(const struct delivery *d, struct slice pattern, struct buf *out,
                         int protocol)
{
    struct resp_writer w = { out, protocol };
    if (pattern.p) {
        resp_push(&w, 4);
        resp_bulk_text(&w, "pmessage");
        resp_bulk(&w, pattern);
    } else {
        resp_push(&w, 3);
        resp_bulk_text(&w, d->type);
    }
    resp_bulk(&w, d->channel);
    resp_bulk(&w, d->body);
}

static void deliver(void *arg, struct subscriber *subscriber, struct slice pattern)
{
    struct delivery *d = arg;
    struct session *s = container_of(subscriber, struct session, subscriber);
    if (d->pattern != pattern.p)
        forget_wording(d->ev);
    d->pattern = pattern.p;
    struct buf *bytes = worded(d->ev, s);
    if (buf_len(bytes) == 0)
        word_message(d, pattern, bytes, s->vars.protocol);
    link_push(s, buf_slice(bytes));
}

static size_t publish(struct events *ev, enum pubsub_kind kind, uint32_t keyspace,
                      struct slice channel, struct slice body)
{
    struct delivery d = { .ev = ev,
                          .type = kind == PUBSUB_SHARD ? "smessage" : "message",
                          .channel = channel,
                          .body = body };
    const size_t n = pubsub_each(ev->pubsub, kind, keyspace, channel, deliver, &d);
    forget_wording(ev);
    return n;
}

/* --- keyspace events ------------------------------------------------------------------------------ */

static void publish_event(struct events *ev, const struct notice *n, const char *about,
                          struct slice subject, struct slice body)
{
    buf_clear(&ev->channel);
    buf_printf(&ev->channel, "__%s@%" PRIu32 "__:", about, n->db_number);
    buf_append_slice(&ev->channel, subject);
    publish(ev, PUBSUB_CHANNEL, n->keyspace, buf_slice(&ev->channel), body);
}

static void notify(struct events *ev, const struct notice *n)
{
    if (!(ev->notify & n->a) || !pubsub_hears_events(ev->pubsub))
        return;
    if (ev->notify & EVENT_KEYSPACE)
        publish_event(ev, n, "keyspace", n->body, n->subject);
    if (ev->notify & EVENT_KEYEVENT)
        publish_event(ev, n, "keyevent", n->subject, n->body);
}

static uint32_t heard_here(const struct events *ev)
{
    return pubsub_hears_events(ev->pubsub) ? notify_wanted(ev->notify) : 0;
}

uint32_t events_classes(const struct events *ev)
{
    return heard_here(ev) | (exchange_wanted(ev->core->exchange) & ~PEERS_WANT_WRITES);
}

/* --- keys to forget --------------------------------------------------------------------------------- */

static void word_keys(struct resp_writer *w, const struct slice *keys, size_t count)
{
    if (keys == NULL) {
        resp_null(w);
        return;
    }
    resp_array(w, count);
    for (size_t i = 0; i < count; i++)
        resp_bulk(w, keys[i]);
}

/* tell_broken: the client that was to be told instead is gone; only RESP3 has a way to say so. */
static void tell_broken(struct events *ev, struct session *s)
{
    s->tracker.flags |= TRACKING_BROKEN;
    if (s->vars.protocol < 3)
        return;
    struct resp_writer w = { worded(ev, s), 3 };
    resp_push(&w, 2);
    resp_bulk_text(&w, "tracking-redir-broken");
    resp_int(&w, (int64_t)s->tracker.redirect);
    link_push(s, buf_slice(w.out));
    buf_clear(w.out);
}

/* A RESP2 client hears of it as a message, and only where it expects messages at all. */
static void tell_keys(struct events *ev, struct session *s, bool redirected,
                      const struct slice *keys, size_t count)
{
    struct resp_writer w = { worded(ev, s), s->vars.protocol };
    if (s->vars.protocol == 3) {
        resp_push(&w, 2);
        resp_bulk_text(&w, "invalidate");
    } else if (redirected && pubsub_count(&s->subscriber) > 0) {
        resp_array(&w, 3);
        resp_bulk_text(&w, "message");
        resp_bulk(&w, invalidate_channel);
    } else {
        return;
    }
    word_keys(&w, keys, count);
    link_push(s, buf_slice(w.out));
    buf_clear(w.out);
}

static void tell_or_redirect(struct events *ev, struct session *s, const struct slice *keys,
                             size_t count)
{
    if (s->tracker.redirect == 0) {
        tell_keys(ev, s, false, keys, count);
        return;
    }
    struct session *other = core_find_session(ev->core, s->tracker.redirect);
    if (other && other->life == SESSION_OPEN)
        tell_keys(ev, other, true, keys, count);
    else
        tell_broken(ev, s);
}

/* In BCAST mode a client hears of keys that it never named: not of those that it may not GET. */
static void forget_keys(void *arg, struct tracker *c, const struct slice *keys, size_t count)
{
    struct events *ev = arg;
    struct session *s = container_of(c, struct session, tracker);
    if (keys == NULL || !(c->flags & TRACKING_BCAST) || s->user->unlimited) {
        tell_or_redirect(ev, s, keys, count);
        return;
    }
    struct slice *known = mem_alloc(count * sizeof(*known));
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (acl_may_read(s->user, ev->get, keys[i]))
            known[n++] = keys[i];
    if (n > 0)
        tell_or_redirect(ev, s, known, n);
    free(known);
}

bool events_want_writes(const struct events *ev)
{
    return tracking_figures(ev->tracking).clients > 0 ||
           exchange_wanted(ev->core->exchange) & PEERS_WANT_WRITES;
}

/* --- telling ---------------------------------------------------------------------------------------- */

size_t events_hear(struct events *ev, const struct notice *n)
{
    switch (n->kind) {
    case NOTICE_MESSAGE:
        return publish(ev, PUBSUB_CHANNEL, n->keyspace, n->subject, n->body);
    case NOTICE_SHARD_MESSAGE:
        return publish(ev, PUBSUB_SHARD, n->keyspace, n->subject, n->body);
    case NOTICE_EVENT:
        notify(ev, n);
        break;
    case NOTICE_WROTE:
        tracking_wrote(ev->tracking, n->keyspace, n->body, n->by);
        break;
    case NOTICE_EMPTIED:
        tracking_emptied(ev->tracking, n->keyspace);
        break;
    case NOTICE_FORGET:
        tracking_emptied(ev->tracking, TRACKING_EVERY_KEYSPACE);
        break;
    default: /* between exchanges */
        break;
    }
    return 0;
}

size_t events_tell(struct events *ev, const struct notice *n)
{
    exchange_send(ev->core->exchange, n);
    return events_hear(ev, n);
}

int64_t events_expired_since(const struct events *ev)
{
    return ev->expired_since_ms;
}

static void note_waiting(struct events *ev)
{
    const bool wanted = events_classes(ev) & EVENT_EXPIRED || events_want_writes(ev);
    const bool news = wanted && ev->expired_since_ms == 0;
    if (!wanted)
        ev->expired_since_ms = 0;
    if (!news)
        return;
    ev->expired_since_ms = core_now_ms(ev->core);
    expiry_look(ev->core->expiry);
}

/* --- reads ------------------------------------------------------------------------------------------ */

uint64_t events_mark(const struct events *ev)
{
    return tracking_mark(ev->tracking);
}

/* As long as some core does not know that keys are tracked here, anything may have been written there. */
bool events_in_doubt(const struct events *ev, const struct session *s, struct slice key,
                     uint64_t mark)
{
    return !exchange_covers(ev->core->exchange) ||
           tracking_moved(ev->tracking, s->vars.keyspace, key, mark);
}

void events_read(struct events *ev, struct session *s, struct slice key, bool caching, bool doubt)
{
    const uint32_t flags = s->tracker.flags;
    caching = caching || flags & TRACKING_CACHING;
    if (s->life != SESSION_OPEN || (flags & TRACKING_OPTIN && !caching) ||
        (flags & TRACKING_OPTOUT && caching))
        return;
    tracking_read(ev->tracking, &s->tracker, key, doubt);
}

/* --- what commands change (session.h, core.h) ---------------------------------------------------------- */

bool session_subscribe(struct session *s, enum pubsub_kind kind, struct slice name)
{
    if (s->life == SESSION_GONE)
        return false;
    return pubsub_subscribe(s->core->events->pubsub, &s->subscriber, kind, s->vars.keyspace, name);
}

bool session_unsubscribe(struct session *s, enum pubsub_kind kind, struct slice name)
{
    return pubsub_unsubscribe(s->core->events->pubsub, &s->subscriber, kind, s->vars.keyspace,
                              name);
}

static uint32_t wish(const struct events *ev)
{
    return heard_here(ev) | (tracking_figures(ev->tracking).clients ? PEERS_WANT_WRITES : 0);
}

/* The other cores are asked at once: until they know, what is read counts as in doubt. */
void session_track(struct session *s, uint32_t flags, uint64_t redirect,
                   const struct slice *prefixes, size_t count)
{
    struct events *ev = s->core->events;
    if (s->life == SESSION_GONE)
        return;
    tracking_start(ev->tracking, &s->tracker, s->id, s->vars.keyspace, flags, redirect, prefixes,
                   count);
    exchange_wish(ev->core->exchange, wish(ev));
}

void session_untrack(struct session *s)
{
    tracking_stop(s->core->events->tracking, &s->tracker);
}

void events_leave(struct session *s)
{
    pubsub_leave(s->core->events->pubsub, &s->subscriber);
    session_untrack(s);
}

void events_flush(struct events *ev)
{
    tracking_broadcast(ev->tracking);
    exchange_wish(ev->core->exchange, wish(ev));
    exchange_flush(ev->core->exchange);
    note_waiting(ev);
}

size_t core_publish(struct core *core, uint32_t keyspace, enum pubsub_kind kind,
                    struct slice channel, struct slice message)
{
    const struct notice n = {
        .kind = kind == PUBSUB_SHARD ? NOTICE_SHARD_MESSAGE : NOTICE_MESSAGE,
        .keyspace = keyspace,
        .subject = channel,
        .body = message,
    };
    return events_tell(core->events, &n);
}

/* --- lifetime --------------------------------------------------------------------------------------------- */

struct events *events_new(struct core *core)
{
    struct events *ev = mem_zalloc(sizeof(*ev));
    ev->core = core;
    ev->max_tracked = TRACKING_MAX_KEYS;
    ev->get = command_find(SLICE("get"));
    ev->pubsub = pubsub_new();
    ev->tracking = tracking_new(ev->max_tracked, forget_keys, ev);
    for (size_t i = 0; i < ARRAY_SIZE(ev->worded); i++)
        buf_init(&ev->worded[i], WORDED_MAX);
    buf_init(&ev->channel, CHANNEL_MAX);
    return ev;
}

void events_free(struct events *ev)
{
    if (ev == NULL)
        return;
    pubsub_free(ev->pubsub);
    tracking_free(ev->tracking);
    for (size_t i = 0; i < ARRAY_SIZE(ev->worded); i++)
        buf_release(&ev->worded[i]);
    buf_release(&ev->channel);
    free(ev);
}

const struct pubsub *events_pubsub(const struct events *ev)
{
    return ev->pubsub;
}

struct tracking_figures events_tracking(const struct events *ev)
{
    return tracking_figures(ev->tracking);
}

uint32_t events_notify(const struct events *ev)
{
    return ev->notify;
}

void events_set_notify(struct events *ev, uint32_t flags)
{
    ev->notify = flags;
}

size_t events_tracking_limit(const struct events *ev)
{
    return ev->max_tracked;
}

void events_set_tracking_limit(struct events *ev, size_t max_keys)
{
    ev->max_tracked = max_keys;
    tracking_limit(ev->tracking, max_keys);
}
