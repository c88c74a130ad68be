/*
 * Running units. Everything in here is memory: needs are declared, commands run in order, and where something
 * has to come from PostgreSQL first, apply_run stops and is called again from the same place.
 */
#include "apply.h"

#include <string.h>

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
    };
}

/* A SELECT inside a transaction moves the keys that follow it. */
static void follow_select(const struct request *r, struct session_vars *vars)
{
    int64_t number;
    if (r->command->flags & CMD_SELECT && slice_to_i64(r->argv[1], &number) == ERR_OK &&
        number >= 0 && number < UINT16_MAX)
        vars->db_number = (uint32_t)number;
}

static void declare_command(struct turn *t, struct session *s, struct request *r,
                            struct session_vars *vars)
{
    follow_select(r, vars);
    if (r->command->flags & CMD_LOCAL)
        return;
    const struct call call = make_call(t, s, r, vars);
    command_needs(&call);
    if (r->command->walk == NULL)
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

/* --- running ------------------------------------------------------------------------------ */

enum unit_status { UNIT_RAN, UNIT_NEEDS_VALUES, UNIT_NEEDS_WALK, UNIT_LATER };

static void run_command(struct turn *t, struct session *s, struct request *r)
{
    struct resp_writer writer = { &t->replies, s->vars.protocol };
    struct call call = make_call(t, s, r, &s->vars);
    call.reply = &writer;
    const size_t reply_at = buf_len(&t->replies);
    turn_audit_begin(t, r);
    r->command->run(&call);
    turn_audit_ran(t);
    turn_telemetry_ran(t, r, reply_at);
}

/* needs_walk: also notes whose, for apply_send_walk. */
static bool needs_walk(struct turn *t, struct request *r)
{
    if (r->command->walk == NULL || r->walked || r->walk->kind == WALK_NONE)
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

static enum unit_status run_exec(struct turn *t, struct part *p, struct request *r)
{
    struct session *s = p->session;
    if (!p->in_exec) {
        struct resp_writer writer = { &t->replies, s->vars.protocol };
        size_t n = 0;
        turn_telemetry_exec(r);
        if (watch_broken(t, s)) {
            resp_null_array(&writer);
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
        run_command(t, s, p->body);
    }
    p->in_exec = false;
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
        struct resp_writer writer = { &t->replies, p->session->vars.protocol };
        resp_error(&writer,
                   "ERR the values of this command have %zu bytes together, the most is %d",
                   found.bytes, UNIT_LOAD_MAX);
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
    run_command(t, p->session, r);
    return UNIT_RAN;
}

static enum unit_status run_part(struct turn *t, struct part *p)
{
    if (p->done == 0 && !p->in_exec) {
        p->reply_start = buf_len(&t->replies);
        p->next = p->units.first;
    }
    ws_begin_unit(t->ws, t->now_ms, p->session->identity->id);
    while (p->next) {
        if (!p->in_exec && must_wait(t, p))
            break;
        const enum unit_status status = run_unit(t, p, p->next);
        if (status != UNIT_RAN)
            return status;
        p->done++;
        p->next = p->next->next;
        p->reply_len = buf_len(&t->replies) - p->reply_start;
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

void apply_walked(struct turn *t)
{
    t->walk_request->walked = true;
}

void apply_rewind(struct turn *t)
{
    buf_clear(&t->replies);
    turn_telemetry_rewind(t);
    t->part = 0;
    t->withheld_count = 0;
    for (size_t i = 0; i < t->part_count; i++) {
        struct part *p = &t->parts[i];
        p->done = 0;
        p->next = NULL;
        p->in_exec = false;
        p->reply_len = 0;
        p->session->vars = p->vars;
    }
}
