/*
 * One turn: gathering, the steps that talk to PostgreSQL, and settling. How units are applied to the working set
 * is in apply.c.
 */
#include "turn.h"

#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "base/log.h"
#include "deeds.h"
#include "dispatch.h"
#include "gate.h"
#include "keyspaces.h"
#include "lanes.h"
#include "link.h"
#include "monitor.h"
#include "turn_audit.h"
#include "turn_cache.h"
#include "turn_effects.h"
#include "turn_telemetry.h"

enum {
    UNITS_MAX = 2048,             /* commands and transactions of one turn */
    BYTES_MAX = 32 * 1024 * 1024, /* of requests */
    RESTARTS_MAX = 200,
    DEEDS_MAX = 64 * 1024 * 1024, /* bytes */
    KEEP_BUF = 1024 * 1024,
};

struct turn *turn_new(struct core *core, enum turn_kind kind, const struct turn_owner *owner)
{
    struct turn *t = mem_zalloc(sizeof(*t));
    t->core = core;
    t->kind = kind;
    t->owner = *owner;
    t->ws = working_set_new(core->hash_seed);
    t->store = store_new(core->keyspaces);
    buf_init(&t->replies, TURN_REPLIES_MAX);
    buf_init(&t->deeds, DEEDS_MAX);
    buf_init(&t->lines, MONITOR_LINES_MAX);
    return t;
}

void turn_free(struct turn *t)
{
    if (t == NULL)
        return;
    turn_cache_stop(t);
    free(t->cache.found);
    free(t->cache.written);
    store_free(t->store);
    working_set_free(t->ws);
    buf_release(&t->replies);
    buf_release(&t->deeds);
    buf_release(&t->lines);
    free(t->parts);
    free(t);
}

/* --- gather ------------------------------------------------------------------------------- */

static struct part *new_part(struct turn *t)
{
    if (t->part_count == t->part_cap) {
        t->part_cap = t->part_cap ? t->part_cap * 2 : 64;
        t->parts = mem_realloc(t->parts, t->part_cap * sizeof(*t->parts));
    }
    return &t->parts[t->part_count++];
}

bool turn_add(struct turn *t, struct session *s)
{
    if (t->part_count > 0 && (t->units >= UNITS_MAX || t->bytes >= BYTES_MAX))
        return false;
    gate_recheck(s);
    struct part *p = new_part(t);
    *p = (struct part){ .session = s, .units = s->units, .vars = s->vars };
    s->units = (struct request_list){ NULL, NULL, 0 };
    s->unit_writes = 0;
    t->units += p->units.count;
    for (const struct request *r = p->units.first; r; r = r->next) {
        t->bytes += r->size;
        t->snapshot_units |= r->snapshot;
        t->exclusive |= r->exclusive;
    }
    if (t->part_count == 1) {
        t->started_ms = uv_now(t->core->loop);
        turn_telemetry_gather(t);
    }
    return true;
}

bool turn_is_empty(const struct turn *t)
{
    return t->part_count == 0;
}

bool turn_in_doubt(const struct turn *t)
{
    return t->step == STEP_COMMITTING;
}

bool turn_is_cached(const struct turn *t)
{
    return t->cache.found_count > 0 && t->cache.found_count == ws_count(t->ws);
}

uint64_t turn_age_ms(const struct turn *t)
{
    return uv_now(t->core->loop) - t->started_ms;
}

bool turn_wants_snapshot(const struct turn *t)
{
    return t->wants_snapshot;
}

/* --- ending ------------------------------------------------------------------------------- */

static void empty_buf(struct buf *b)
{
    if (b->cap > KEEP_BUF)
        buf_release(b);
    buf_clear(b);
}

static void empty(struct turn *t)
{
    t->part_count = 0;
    t->units = 0;
    t->bytes = 0;
    t->snapshot_units = false;
    t->exclusive = false;
    t->restarts = 0;
    t->step = STEP_IDLE;
    turn_cache_stop(t);
    store_reset(t->store);
    working_set_reset(t->ws);
    empty_buf(&t->replies);
    empty_buf(&t->deeds);
    empty_buf(&t->lines);
}

/* finish_part gives the session back: what was not run waits again, before what came meanwhile. */
static void finish_part(struct part *p)
{
    struct session *s = p->session;
    if (s->ending) /* it was killed meanwhile */
        request_free_all(&p->units);
    for (const struct request *r = p->units.first; r; r = r->next)
        s->unit_writes += r->writes;
    request_put_back(&s->units, &p->units);
    dispatch_resume(s);
}

static struct slice slice_at(const struct buf *b, size_t start, size_t len)
{
    return (struct slice){ len ? b->p + b->start + start : NULL, len };
}

static void answer(struct turn *t, struct part *p)
{
    struct session *s = p->session;
    bool state = false;
    deeds_do(s, &t->deeds, p->deeds.start, p->deeds.len);
    size_t i = 0;
    for (const struct request *r = p->units.first; i < p->done; r = r->next, i++) {
        state = state || r->silent || r->command->flags & (CMD_EXEC | CMD_ALONE);
        if (r->command->flags & CMD_EXEC)
            session_unwatch(s);
    }
    s->commands += p->done;
    if (state)
        link_publish_state(s);
    if (p->done > 0 && !p->later)
        link_reply(s, slice_at(&t->replies, p->reply_start, p->reply_len), (uint32_t)p->done);
    monitor_show(s, slice_at(&t->lines, p->lines.start, p->lines.len), t->lines.overflow);
}

/* retire gives up what has been run, last: effects point into the requests. */
static void retire(struct turn *t, struct part *p)
{
    for (; p->done > 0; p->done--) {
        struct request *r = request_pop(&p->units);
        turn_telemetry_unit(t, p->session, r);
        request_free(r);
    }
    finish_part(p);
}

static void count(struct turn *t)
{
    struct core_metrics *m = &t->core->metrics;
    uint64_t units = 0;
    for (size_t i = 0; i < t->part_count; i++)
        units += t->parts[i].done;
    if (t->kind == TURN_WRITE) {
        m->turns_write++;
        m->units_write += units;
    } else {
        m->turns_read++;
        m->units_read += units;
    }
}

static void undo(struct turn *t)
{
    apply_rewind(t);
    turn_cache_stop(t);
    store_reset(t->store);
    working_set_reset(t->ws);
}

static bool stored(void *arg, const struct watch *w)
{
    struct turn *t = arg;
    const struct entry *e = ws_entry(t->ws, w->db, w->key);
    return e && e->stored;
}

/* A key that was absent, written, and is absent again has the revision that it had: WATCH is told of each write. */
static void break_watches(struct turn *t)
{
    for (struct session *s = t->core->first_watcher; s; s = s->watching.next)
        session_break_watches(s, stored, t);
}

void turn_settle(struct turn *t)
{
    count(t);
    turn_telemetry_settled(t);
    turn_audit_settled(t);
    if (t->kind == TURN_WRITE)
        break_watches(t);
    turn_cache_settle(t);
    for (size_t i = 0; i < t->part_count; i++)
        answer(t, &t->parts[i]);
    turn_effects_settle(t);
    for (size_t i = 0; i < t->part_count; i++)
        retire(t, &t->parts[i]);
    empty(t);
}

void turn_fail(struct turn *t, const char *error)
{
    if (turn_in_doubt(t))
        turn_effects_doubt(t);
    undo(t);
    for (size_t i = 0; i < t->part_count; i++) {
        struct part *p = &t->parts[i];
        struct resp_writer w = { &t->replies, p->session->vars.protocol };
        p->reply_start = buf_len(&t->replies);
        p->done = 0;
        for (struct request *r = p->units.first; r; r = r->next, p->done++) {
            const size_t reply_at = buf_len(&t->replies);
            resp_error(&w, "%s", error);
            turn_telemetry_refused(t, r, reply_at);
            if (r->silent)
                buf_truncate(&t->replies, reply_at);
        }
        p->reply_len = buf_len(&t->replies) - p->reply_start;
    }
    t->core->metrics.turns_failed++;
    turn_settle(t);
}

void turn_put_back(struct turn *t)
{
    undo(t);
    for (size_t i = 0; i < t->part_count; i++)
        finish_part(&t->parts[i]);
    empty(t);
}

static void end(struct turn *t, enum turn_end how)
{
    t->owner.ended(t->owner.arg, t, how);
}

static void settled(struct turn *t)
{
    turn_settle(t);
    end(t, TURN_SETTLED);
}

/* --- steps --------------------------------------------------------------------------------- */

static void next_step(struct turn *t);

static void on_rolled_back(void *arg, enum pg_group_status status, const char *sqlstate,
                           const char *message)
{
    struct turn *t = arg;
    (void)sqlstate;
    (void)message;
    if (status == PG_GROUP_LOST)
        end(t, TURN_LOST);
    else if (t->refused == REFUSED_FENCE)
        end(t, TURN_FENCED);
    else if (t->refused == REFUSED_READ_ONLY)
        end(t, TURN_READ_ONLY);
    else if (t->refused == REFUSED_CONFLICT && ++t->restarts < RESTARTS_MAX) {
        t->core->metrics.turns_restarted++;
        turn_run(t, t->conn, t->writer, t->snapshot);
    } else {
        turn_fail(
            t,
            t->refused == REFUSED_CONFLICT
                ? "TRYAGAIN other writers were faster every time; nothing was executed, try again"
                : t->error);
        end(t, TURN_SETTLED);
    }
}

/* What PostgreSQL's refusals mean: https://www.postgresql.org/docs/15/errcodes-appendix.html */
static const struct refusal {
    const char *sqlstate; /* a prefix */
    enum refused meaning;
} refusals[] = {
    { "40001", REFUSED_CONFLICT }, /* serialization_failure */
    { "40P01", REFUSED_CONFLICT }, /* deadlock_detected */
    { "23505", REFUSED_CONFLICT }, /* unique_violation: another core inserted first */
    { "22012", REFUSED_FENCE },    /* division_by_zero: only the fence divides */
    { "25006", REFUSED_READ_ONLY },
    { "57P", REFUSED_READ_ONLY }, /* shutting down: the connection is of no more use */
    { "", REFUSED_ERROR },
};

static enum refused refusal(const char *sqlstate)
{
    const struct refusal *r = refusals;
    while (strncmp(sqlstate, r->sqlstate, strlen(r->sqlstate)) != 0)
        r++;
    return r->meaning;
}

static void refused(struct turn *t, const char *sqlstate, const char *message)
{
    t->refused = refusal(sqlstate);
    /* not_null_violation: a private keyspace's rows are gone (a restored backup): they are made anew */
    if (strcmp(sqlstate, "23502") == 0 && keyspaces_forget(t->core->keyspaces))
        t->refused = REFUSED_CONFLICT;
    if (t->refused == REFUSED_ERROR)
        log_event(LOG_ERROR, "the database refused a turn", LF_STR("sqlstate", sqlstate),
                  LF_STR("error", message), LF_INT("commands", t->units));
    snprintf(t->error, sizeof(t->error), "ERR the database refused this: %s (SQLSTATE %s)", message,
             sqlstate);
    undo(t);
    t->step = STEP_LOADING; /* whatever was sent is known not to have committed */
    store_use(t->store, t->conn, t->ws, core_now_ms(t->core));
    pg_conn_query(t->conn, SQL_ROLLBACK, NULL, 0, NULL, NULL);
    turn_telemetry_send(t);
    pg_conn_end_group(t->conn, on_rolled_back, t);
}

static void on_step(void *arg, enum pg_group_status status, const char *sqlstate,
                    const char *message)
{
    struct turn *t = arg;
    if (status == PG_GROUP_LOST)
        end(t, TURN_LOST);
    else if (status == PG_GROUP_FAILED)
        refused(t, sqlstate, message);
    else
        next_step(t);
}

static void send_step(struct turn *t, enum turn_step step)
{
    t->step = step;
    turn_telemetry_send(t);
    pg_conn_end_group(t->conn, on_step, t);
}

/*
 * A write transaction begins with its fence; a read turn of several statements with a snapshot. What excludes other
 * writers comes even before the fence, so that a turn waits for them while it holds nothing that they could wait for.
 */
static void begin(struct turn *t)
{
    if (t->begun || (t->kind == TURN_READ && !t->snapshot))
        return;
    store_begin(t->store, t->kind == TURN_READ);
    if (t->exclusive)
        store_exclude(t->store);
    if (t->kind == TURN_WRITE)
        store_fence(t->store, t->writer, t->number);
    t->begun = true;
}

/* load asks for what is not known yet; false when there is nothing to ask. */
static bool load(struct turn *t)
{
    turn_cache_find(t);
    const bool loads = apply_has_loads(t);
    if (!loads && t->cache.found_count == 0)
        return false;
    if (loads) {
        begin(t);
        store_load(t->store, t->kind == TURN_WRITE, TURN_LOAD_BUDGET);
    }
    turn_cache_ask(t);
    send_step(t, STEP_LOADING);
    return true;
}

static void load_withheld(struct turn *t)
{
    for (size_t i = 0; i < t->withheld_count; i++)
        store_load_withheld(t->store, t->withheld[i]);
    send_step(t, STEP_LOADING);
}

static void walk(struct turn *t)
{
    begin(t);
    turn_cache_writing(t);
    if (walk_empties(t->walk_request->walk->kind))
        turn_cache_emptying(t);
    t->walk_saved = store_save(t->store) > 0;
    apply_send_walk(t);
    send_step(t, STEP_WALKING);
}

/* Blind writes alone need no BEGIN: a pipeline up to its Sync is one transaction. */
static void commit(struct turn *t)
{
    if (!t->begun)
        store_fence(t->store, t->writer, t->number);
    turn_cache_writing(t);
    store_save(t->store);
    if (t->begun)
        store_commit(t->store);
    send_step(t, STEP_COMMITTING);
}

static void finish(struct turn *t)
{
    if (t->kind == TURN_WRITE && (t->begun || apply_has_dirty(t))) {
        commit(t);
    } else if (t->begun) { /* a read turn's snapshot: nobody waits for its end */
        store_commit(t->store);
        send_step(t, STEP_CLOSING);
    } else {
        settled(t);
    }
}

static void apply(struct turn *t)
{
    switch (apply_run(t)) {
    case APPLY_NEEDS_VALUES:
        load_withheld(t);
        break;
    case APPLY_NEEDS_WALK:
        walk(t);
        break;
    case APPLY_DONE:
        finish(t);
        break;
    }
}

/* What STEP_NAMING was for has been done, or there was nothing to do. */
static void note_keyspaces(struct turn *t)
{
    for (size_t i = 0; t->kind == TURN_WRITE && i < t->part_count; i++)
        keyspaces_set_ready(t->core->keyspaces, t->parts[i].vars.keyspace);
}

static void next_step(struct turn *t)
{
    switch (t->step) {
    case STEP_NAMING:
        note_keyspaces(t);
        apply_declare(t);
        if (!load(t))
            apply(t);
        break;
    case STEP_WALKING:
        if (t->walk_saved)
            store_saved(t->store);
        if (!apply_walked(t) || !load(t))
            apply(t);
        break;
    case STEP_LOADING:
        if (turn_cache_holds(t))
            apply(t);
        else
            turn_run(t, t->conn, t->writer, t->snapshot);
        break;
    case STEP_COMMITTING:
        t->writer->turn = t->number;
        (void)turn_cache_holds(t);
        t->times.committed = true;
        settled(t);
        break;
    case STEP_CLOSING:
    case STEP_IDLE:
        settled(t);
        break;
    }
}

/* Identities get their numbers before their first write, in a transaction of their own: they outlive a rollback. */
static bool name_identities(struct turn *t)
{
    struct identity *unnamed[256];
    size_t n = 0;
    for (size_t i = 0; i < t->part_count && n < ARRAY_SIZE(unnamed); i++)
        if (t->parts[i].session->identity->id == 0)
            unnamed[n++] = t->parts[i].session->identity;
    if (n > 0)
        store_name(t->store, t->conn, t->core->identities, unnamed, n);
    return n > 0;
}

/* A private keyspace gets its rows before the first write, in the same transaction. */
static bool make_keyspaces(struct turn *t)
{
    bool any = false;
    for (size_t i = 0; i < t->part_count; i++) {
        const uint32_t keyspace = t->parts[i].vars.keyspace;
        if (keyspaces_ready(t->core->keyspaces, keyspace))
            continue;
        store_make_keyspace(t->store, t->conn, keyspace, t->core->options.databases);
        any = true;
    }
    return any;
}

static bool prepare(struct turn *t)
{
    if (t->kind == TURN_READ)
        return false;
    const bool names = name_identities(t);
    if (!make_keyspaces(t) && !names)
        return false;
    send_step(t, STEP_NAMING);
    return true;
}

void turn_run(struct turn *t, struct pg_conn *conn, struct store_writer *writer, bool snapshot)
{
    undo(t);
    t->conn = conn;
    t->writer = writer;
    t->number = writer ? writer->turn + 1 : 0;
    t->snapshot = snapshot || t->snapshot_units;
    t->begun = false;
    t->wants_snapshot = false;
    t->step = STEP_NAMING;
    t->now_ms = core_now_ms(t->core);
    turn_cache_start(t);
    turn_effects_start(t);
    store_use(t->store, conn, t->ws, t->now_ms);
    if (!prepare(t))
        next_step(t);
}
