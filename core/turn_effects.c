/*
 * A turn's effects, told. Replies come first, then what the clients hear besides, in the order in which it happened. A
 * transaction's commands about what others hear (PUBLISH, SUBSCRIBE …) run here, at their place in that order, and what
 * they answer is put into the transaction's reply.
 */
#include "turn_effects.h"

#include "dispatch.h"
#include "events.h"
#include "expiry.h"
#include "pause.h"
#include "link.h"
#include "turn_telemetry.h"

static struct events *events_of(const struct turn *t)
{
    return t->core->events;
}

void turn_effects_start(struct turn *t)
{
    t->mark = events_mark(events_of(t));
    ws_listen(t->ws, events_classes(events_of(t)), events_want_writes(events_of(t)));
}

/* --- commands that run now ----------------------------------------------------------------------- */

/* run_later answers into the buffer of all such answers; they are put together afterwards. */
static void run_later(struct turn *t, struct effect *e, struct buf *answers)
{
    struct request *r = e->request;
    struct resp_writer writer = { answers, e->protocol };
    struct call call = {
        .command = r->command,
        .argv = r->argv,
        .argc = r->argc,
        .db = e->db,
        .now_ms = t->now_ms,
        .session = e->part->session,
        .core = t->core,
        .reply = &writer,
        .in_multi = true,
    };
    const size_t before = buf_len(answers);
    const uint64_t began = uv_hrtime();
    r->command->run(&call);
    e->reply_len = buf_len(answers) - before;
    turn_telemetry_later(t, r, began,
                         (struct slice){ buf_slice(answers).p + before, e->reply_len });
}

static struct slice reply_of(const struct turn *t, size_t from, size_t to)
{
    return (struct slice){ t->replies.p + t->replies.start + from, to - from };
}

/* Where the putting together is: parts ran one after the other, and so did their later commands. */
struct assembly {
    const struct effect *next;
    struct slice answers;
};

/*
 * A part's reply with the answers of its later commands in their places. Its one unit is a transaction: no other kind has
 * such commands.
 */
static void assemble(const struct turn *t, const struct part *p, struct assembly *a,
                     struct buf *out)
{
    const bool silent = p->units.first->silent;
    size_t at = p->reply_start;
    for (; a->next; a->next = a->next->next) {
        const struct effect *e = a->next;
        if (e->kind != EFFECT_LATER)
            continue;
        if (e->part != p)
            break;
        if (!silent)
            buf_append_slice(out, reply_of(t, at, e->reply_at));
        if (!silent || command_announces(e->request->command))
            buf_append(out, a->answers.p, e->reply_len);
        a->answers = (struct slice){ a->answers.p + e->reply_len, a->answers.len - e->reply_len };
        at = e->reply_at;
    }
    if (!silent)
        buf_append_slice(out, reply_of(t, at, p->reply_start + p->reply_len));
}

static void answer_later(struct turn *t, struct slice answers)
{
    struct assembly assembly = { ws_effects(t->ws), answers };
    struct buf whole;
    buf_init(&whole, TURN_REPLIES_MAX);
    for (size_t i = 0; i < t->part_count; i++) {
        struct part *p = &t->parts[i];
        if (!p->later)
            continue;
        struct session *s = p->session;
        buf_clear(&whole);
        assemble(t, p, &assembly, &whole);
        s->tracker.flags &= ~(uint32_t)TRACKING_CACHING; /* it was about this transaction */
        link_publish_state(s);
        link_reply(s, buf_slice(&whole), (uint32_t)p->done);
        link_release(s);
    }
    buf_release(&whole);
}

/* --- all effects ----------------------------------------------------------------------------------- */

static void tell(struct turn *t, enum notice_kind kind, const struct effect *e)
{
    const struct notice n = {
        .kind = kind,
        .keyspace = e->db >> 16,
        .db_number = e->db & UINT16_MAX,
        .a = e->event,
        .by = e->by,
        .subject = e->name ? slice_of(e->name) : (struct slice){ NULL, 0 },
        .body = e->key,
    };
    events_tell(events_of(t), &n);
}

static void settle(struct turn *t, struct effect *e, struct buf *answers)
{
    switch (e->kind) {
    case EFFECT_EVENT:
        tell(t, NOTICE_EVENT, e);
        break;
    case EFFECT_WROTE:
        tell(t, NOTICE_WROTE, e);
        break;
    case EFFECT_EMPTIED:
        tell(t, NOTICE_EMPTIED, e);
        break;
    case EFFECT_READ:
        events_read(events_of(t), e->part->session, e->key, e->caching, e->doubt);
        break;
    case EFFECT_LATER:
        run_later(t, e, answers);
        break;
    }
}

/* Before anything of this turn is told: its own writes do not put its own reads in doubt. */
static void find_doubts(struct turn *t)
{
    for (struct effect *e = ws_effects(t->ws); e; e = e->next)
        if (e->kind == EFFECT_READ)
            e->doubt = events_in_doubt(events_of(t), e->part->session, e->key, t->mark);
}

/* Entries whose time is over and whose row does not say so yet: seen by a reader, they count as expired. */
static void met_expired(struct turn *t)
{
    for (const struct entry *e = ws_first(t->ws); e && !pauses_keep_keys(t->core->pauses);
         e = e->next)
        if (e->row && !e->dirty && e->expires_at > ENTRY_OVER && e->expires_at <= t->now_ms)
            core_count_expired(t->core, e->key, e->expires_at);
    expiry_look(t->core->expiry);
}

void turn_effects_settle(struct turn *t)
{
    bool later = false;
    if (ws_met_expired(t->ws))
        met_expired(t);
    if (ws_effects(t->ws) == NULL)
        return;
    struct buf answers;
    buf_init(&answers, TURN_REPLIES_MAX);
    for (size_t i = 0; i < t->part_count; i++)
        if (t->parts[i].later) {
            later = true;
            link_hold(t->parts[i].session);
        }
    find_doubts(t);
    for (struct effect *e = ws_effects(t->ws); e; e = e->next)
        settle(t, e, &answers);
    if (later)
        answer_later(t, buf_slice(&answers));
    buf_release(&answers);
}

void turn_effects_doubt(struct turn *t)
{
    for (const struct effect *e = ws_effects(t->ws); e; e = e->next) {
        if (e->kind == EFFECT_WROTE)
            tell(t, NOTICE_WROTE, e);
        else if (e->kind == EFFECT_EMPTIED)
            tell(t, NOTICE_EMPTIED, e);
    }
}
