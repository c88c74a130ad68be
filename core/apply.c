/*
 * Running units. Everything in here is memory: needs are declared, commands run in order, and where something
 * has to come from PostgreSQL first, apply_run stops and is called again from the same place.
 */
#include "apply.h"

#include <string.h>

#include "gate.h"
#include "monitor.h"
#include "turn_audit.h"
#include "turn_telemetry.h"

/* --- needs --------------------------------------------------------------------------------- */

static struct call make_call(struct turn *t, struct session *s, struct request *r,
                             const struct session_vars *vars)
{
    return (struct call){
        .command = r->command,
        .argv = r->argv,
        .argc = r->argc,
        .db = db_ref(vars->keyspace, vars->db_number),
        .now_ms = t->now_ms,
        .ws = t->ws,
        .walk = r->walk,
        .session = s,
        .core = t->core,
        .deeds = &t->deeds,
    };
}

static void declare_command(struct turn *t, struct session *s, struct request *r,
                            struct session_vars *vars)
{
    if (r->verdict.denial != ACL_ALLOWED)
        return;
    /* inside a transaction it moves the keys that follow it */
    request_follow_select(r, t->core->options.databases, &vars->db_number);
    if (r->command->flags & CMD_LOCAL)
        return;
    const struct call call = make_call(t, s, r, vars);
    command_needs(&call);
    if (r->command->walk == NULL || t->declared)
        return;
    r->walked = false;
    r->walk = ws_alloc(t->ws, sizeof(*r->walk));
    *r->walk = (struct walk){ .kind = WALK_NONE, .db = call.db };
    r->command->walk(&call, r->walk);
}

static void declare_unit(struct turn *t, struct session *s, struct request *r,
                         struct session_vars vars)
{
    if (!(r->command->flags & CMD_EXEC)) {
        declare_command(t, s, r, &vars);
        return;
    }
    for (const struct watch *w = s->watches; w; w = w->next)
        ws_want(t->ws, w->db, ws_copy(t->ws, w->key), NEED_META)->exact =
            true; /* an UNWATCH in the body frees the watch: its key is copied */
    for (struct request *b = r->body; b; b = b->next)
        declare_command(t, s, b, &vars);
}

static void declare_part(struct turn *t, struct part *p)
{
    for (struct request *r = p->units.first; r; r = r->next)
        declare_unit(t, p->session, r, p->vars);
}

/*
 * A turn that loads locks the rows of its blind writes with the others, in one order: two turns that took locks in two
 * rounds could wait for each other.
 */
static void declare_blind_writes(struct turn *t)
{
    if (t->kind == TURN_WRITE && apply_has_loads(t))
        for (struct entry *e = ws_first(t->ws); e; e = e->next)
            if (e->wanted == NEED_NOTHING)
                e->wanted = NEED_META;
}

void apply_declare(struct turn *t)
{
    for (size_t i = 0; i < t->part_count; i++)
        declare_part(t, &t->parts[i]);
    declare_blind_writes(t);
    t->declared = true;
}

bool apply_has_loads(const struct turn *t)
{
    for (const struct entry *e = ws_first(t->ws); e; e = e->next)
        if (e->wanted > e->loaded)
            return true;
    return false;
}

bool apply_has_dirty(const struct turn *t)
{
    for (const struct entry *e = ws_first(t->ws); e; e = e->next)
        if (e->dirty)
            return true;
    return false;
}

/* --- values that are too long to be loaded with the rest -------------------------------------- */

struct withheld {
    struct turn *turn;
    size_t keys;
    size_t bytes;
};

static void add_withheld(void *arg, struct entry *e)
{
    struct withheld *found = arg;
    struct turn *t = found->turn;
    found->keys++;
    if (!e->withheld)
        return;
    for (size_t i = 0; i < t->withheld_count; i++)
        if (t->withheld[i] == e)
            return;
    struct entry **list = ws_alloc(t->ws, (t->withheld_count + 1) * sizeof(*list));
    if (t->withheld_count)
        memcpy(list, t->withheld, t->withheld_count * sizeof(*list));
    list[t->withheld_count++] = e;
    t->withheld = list;
    found->bytes += e->length;
}

static struct withheld find_withheld(struct turn *t, struct part *p, struct request *r)
{
    struct withheld found = { .turn = t };
    t->withheld_count = 0;
    if (!store_withheld(t->store))
        return found;
    ws_observe(t->ws, add_withheld, &found);
    declare_unit(t, p->session, r, p->session->vars);
    ws_observe(t->ws, NULL, NULL);
    return found;
}

static void refuse_values(struct turn *t, const struct part *p, size_t bytes)
{
    struct resp_writer writer = { &t->replies, p->session->vars.protocol };
    resp_error(&writer, "ERR the values of this command have %zu bytes together, the most is %d",
               bytes, UNIT_LOAD_MAX);
}

/* --- running ------------------------------------------------------------------------------ */

enum unit_status { UNIT_RAN, UNIT_NEEDS_VALUES, UNIT_NEEDS_WALK, UNIT_LATER };

/* A client that tracks keys, or will have asked for it before this in the same transaction. */
static void note_reads(struct turn *t, struct part *p, struct request *r)
{
    const struct session *s = p->session;
    struct slice few[16];
    if (!(r->command->flags & CMD_READONLY) || !(s->tracker.flags & TRACKING_ON || p->later))
        return;
    struct slice *keys = few;
    const size_t n = command_keys(r->command, r->argv, r->argc, few, ARRAY_SIZE(few));
    if (n > ARRAY_SIZE(few)) {
        keys = ws_alloc(t->ws, n * sizeof(*keys));
        command_keys(r->command, r->argv, r->argc, keys, n);
    }
    for (size_t i = 0; i < n; i++) {
        struct effect *e = ws_effect(t->ws, EFFECT_READ, session_db(s));
        e->key = keys[i];
        e->part = p;
        e->caching = p->next->caching;
    }
}

static void note_later(struct turn *t, struct part *p, struct request *r)
{
    struct effect *e = ws_effect(t->ws, EFFECT_LATER, session_db(p->session));
    e->part = p;
    e->request = r;
    e->reply_at = buf_len(&t->replies);
    e->protocol = p->session->vars.protocol;
    p->later = true;
}

static void run_command(struct turn *t, struct part *p, struct request *r)
{
    struct session *s = p->session;
    struct resp_writer writer = { &t->replies, s->vars.protocol };
    const size_t reply_at = buf_len(&t->replies);
    if (r->verdict.denial != ACL_ALLOWED) {
        gate_reply_denied(s, r, p->in_exec, &writer);
        turn_telemetry_refused(t, r, reply_at);
        return;
    }
    if (r->command->flags & CMD_LATER) {
        note_later(t, p, r);
        monitor_note(s, r, &t->lines);
        return;
    }
    struct call call = make_call(t, s, r, &s->vars);
    call.reply = &writer;
    turn_audit_begin(t, r);
    r->command->run(&call);
    turn_audit_ran(t);
    turn_telemetry_ran(t, r, reply_at);
    note_reads(t, p, r);
    monitor_note(s, r, &t->lines);
}

/* needs_walk: also notes whose, for apply_send_walk. */
static bool needs_walk(struct turn *t, struct request *r)
{
    if (r->command->walk == NULL || r->verdict.denial != ACL_ALLOWED || r->walked ||
        r->walk->kind == WALK_NONE)
        return false;
    t->walk_request = r;
    return true;
}

static bool watch_broken(struct turn *t, const struct session *s)
{
    for (const struct watch *w = s->watches; w; w = w->next) {
        const struct entry *e = ws_find(t->ws, w->db, w->key);
        const int64_t now = e == NULL ? 0 : e->dirty ? REVISION_UNKNOWN : e->revision;
        if (now != w->revision)
            return true;
    }
    return false;
}

/*
 * A transaction that writes has relied on the absence of the keys that it watched or read: a row is put there in its
 * place, so that two cores cannot both do so.
 */
static void pin_absence(void *arg, struct entry *e)
{
    (void)arg;
    if (e->loaded == NEED_NOTHING || e->row || e->exists || e->dirty)
        return;
    e->dirty = true;
    e->value_changed = true;
}

static void pin_absences(struct turn *t, struct part *p, struct request *r)
{
    if (t->kind != TURN_WRITE || !r->writes ||
        (p->session->watches == NULL && (r->body == NULL || r->body->next == NULL)))
        return;
    ws_observe(t->ws, pin_absence, NULL);
    declare_unit(t, p->session, r, p->vars);
    ws_observe(t->ws, NULL, NULL);
}

/*
 * Behind a SWAPDB other values stand in the keys' places than were counted when the transaction began; what is too much
 * then is refused in its place, as nothing of a transaction can wait for another turn. UNIT_LATER: it was.
 */
static enum unit_status check_swapped(struct turn *t, struct part *p)
{
    const struct withheld found = find_withheld(t, p, p->body);
    if (found.bytes == 0)
        return UNIT_RAN;
    if (store_loaded(t->store) + found.bytes <= UNIT_LOAD_MAX)
        return UNIT_NEEDS_VALUES;
    const size_t reply_at = buf_len(&t->replies);
    refuse_values(t, p, found.bytes);
    turn_telemetry_refused(t, p->body, reply_at);
    return UNIT_LATER;
}

static enum unit_status run_exec(struct turn *t, struct part *p, struct request *r)
{
    struct session *s = p->session;
    if (!p->in_exec) {
        struct resp_writer writer = { &t->replies, s->vars.protocol };
        size_t n = 0;
        turn_telemetry_exec(r);
        if (watch_broken(t, s)) {
            resp_null_array(&writer);
            monitor_note(s, r, &t->lines);
            return UNIT_RAN;
        }
        for (const struct request *b = r->body; b; b = b->next)
            n++;
        resp_array(&writer, n);
        p->in_exec = true;
        p->body = r->body;
        pin_absences(
            t, p, r); /* before the commands: what they write themselves is then written over it */
    }
    for (; p->body; p->body = p->body->next) {
        if (needs_walk(t, p->body))
            return UNIT_NEEDS_WALK;
        const enum unit_status values = t->swapped ? check_swapped(t, p) : UNIT_RAN;
        if (values == UNIT_NEEDS_VALUES)
            return values;
        if (values == UNIT_RAN)
            run_command(t, p, p->body);
    }
    p->in_exec = false;
    monitor_note(s, r, &t->lines); /* MULTI, the commands, EXEC: as Redis shows them */
    return UNIT_RAN;
}

/* A client that does not read, or a turn that has grown large: the rest waits for another turn. */
static bool must_wait(const struct turn *t, const struct part *p)
{
    const struct session *s = p->session;
    if (buf_len(&t->replies) > TURN_LOAD_BUDGET)
        return true;
    const size_t produced = buf_len(&t->replies) - p->reply_start;
    return s->life != SESSION_GONE && (buf_len(&s->out) > 0 || (int64_t)produced >= s->credit);
}

static enum unit_status check_values(struct turn *t, struct part *p, struct request *r)
{
    const struct withheld found = find_withheld(t, p, r);
    if (found.bytes == 0)
        return UNIT_RAN;
    if (t->kind == TURN_READ && !t->snapshot && found.keys > 1) {
        t->wants_snapshot = true;
        return UNIT_LATER;
    }
    if (found.bytes > UNIT_LOAD_MAX) {
        refuse_values(t, p, found.bytes);
        return UNIT_LATER;
    }
    const bool first = t->part == 0 && p->done == 0;
    if (!first && store_loaded(t->store) + found.bytes > TURN_LOAD_BUDGET)
        return UNIT_LATER;
    return UNIT_NEEDS_VALUES;
}

static enum unit_status run_unit(struct turn *t, struct part *p, struct request *r)
{
    if (!p->in_exec) {
        const size_t before = buf_len(&t->replies);
        const enum unit_status values = check_values(t, p, r);
        if (values == UNIT_LATER && buf_len(&t->replies) > before) {
            turn_telemetry_refused(t, r, before);
            return UNIT_RAN;
        }
        if (values != UNIT_RAN)
            return values;
    }
    if (r->command->flags & CMD_EXEC)
        return run_exec(t, p, r);
    if (needs_walk(t, r))
        return UNIT_NEEDS_WALK;
    run_command(t, p, r);
    return UNIT_RAN;
}

static enum unit_status run_part(struct turn *t, struct part *p)
{
    if (p->done == 0 && !p->in_exec) {
        p->reply_start = buf_len(&t->replies);
        p->deeds = (struct span){ buf_len(&t->deeds), 0 };
        p->lines = (struct span){ buf_len(&t->lines), 0 };
        p->next = p->units.first;
    }
    ws_begin_unit(t->ws, t->now_ms, p->session->identity->id);
    ws_act_as(t->ws, p->session->id);
    while (p->next) {
        if (!p->in_exec && must_wait(t, p))
            break;
        const enum unit_status status = run_unit(t, p, p->next);
        if (status != UNIT_RAN)
            return status;
        if (p->next->silent)
            buf_truncate(&t->replies, p->reply_start + p->reply_len);
        p->done++;
        p->next = p->next->next;
        p->reply_len = buf_len(&t->replies) - p->reply_start;
        p->deeds.len = buf_len(&t->deeds) - p->deeds.start;
        p->lines.len = buf_len(&t->lines) - p->lines.start;
    }
    return UNIT_RAN;
}

static enum apply_status run_parts(struct turn *t)
{
    for (; t->part < t->part_count; t->part++) {
        switch (run_part(t, &t->parts[t->part])) {
        case UNIT_RAN:
            break;
        case UNIT_NEEDS_VALUES:
            return APPLY_NEEDS_VALUES;
        case UNIT_NEEDS_WALK:
            return APPLY_NEEDS_WALK;
        case UNIT_LATER:
            t->part = t->part_count;
            return APPLY_DONE;
        }
    }
    return APPLY_DONE;
}

enum apply_status apply_run(struct turn *t)
{
    const struct turn_mark mark = turn_telemetry_apply(t);
    const enum apply_status status = run_parts(t);
    turn_telemetry_applied(t, &mark, status != APPLY_DONE);
    return status;
}

void apply_send_walk(struct turn *t)
{
    store_walk(t->store, t->walk_request->walk);
}

bool apply_walked(struct turn *t)
{
    const struct walk *walk = t->walk_request->walk;
    t->walk_request->walked = true;
    const bool swapped = walk->kind == WALK_SWAP;
    t->swapped = t->swapped || swapped;
    if (walk_empties(walk->kind))
        ws_effect(t->ws, EFFECT_EMPTIED, walk->db);
    return swapped;
}

void apply_rewind(struct turn *t)
{
    buf_clear(&t->replies);
    turn_telemetry_rewind(t);
    buf_clear(&t->deeds);
    buf_clear(&t->lines);
    t->part = 0;
    t->withheld_count = 0;
    t->declared = false;
    t->swapped = false;
    for (size_t i = 0; i < t->part_count; i++) {
        struct part *p = &t->parts[i];
        p->done = 0;
        p->next = NULL;
        p->in_exec = false;
        p->later = false;
        p->reply_len = 0;
        p->deeds = p->lines = (struct span){ 0, 0 };
        p->session->vars = p->vars;
    }
}
