/*
 * keys: commands on keys whatever they hold: DEL, EXISTS, TYPE, RENAME, COPY, MOVE.
 */
#include "commands/commands.h"
#include "core.h"

struct entry *call_find(struct call *call, uint32_t i)
{
    return ws_find(call->ws, call->db, call->argv[i]);
}

struct entry *call_read(struct call *call, uint32_t i)
{
    struct entry *e = call_find(call, i);
    struct core_metrics *metrics = core_metrics(call->core);
    if (e != NULL) {
        metrics->keyspace_hits++;
    } else {
        metrics->keyspace_misses++;
        call_event(call, EVENT_MISS, "keymiss", call->argv[i]);
    }
    return e;
}

void call_remove(struct call *call, uint32_t i, struct entry *e)
{
    ws_remove(call->ws, e);
    call_event(call, EVENT_GENERIC, "del", call->argv[i]);
}

/* replace puts a value where another key may be. Redis deletes that one first, so that it counts as new. */
static void replace(struct call *call, uint32_t db, struct slice key, struct entry *source)
{
    if (ws_find(call->ws, db, key) != NULL) {
        ws_event(call->ws, EVENT_NEW, "new", db, key);
    }
    ws_put(call->ws, db, key, ws_share(source), source->expires_at);
}

uint8_t *call_edit(struct call *call, uint32_t i, struct entry *e, size_t length)
{
    if (e == NULL) {
        e = ws_put(call->ws, call->db, call->argv[i], (struct slice){ NULL, 0 }, 0);
    }
    return ws_edit(call->ws, e, length);
}

/* --- DEL UNLINK EXISTS TOUCH TYPE -------------------------------------------------------- */

void run_del(struct call *call)
{
    int64_t removed = 0;
    for (uint32_t i = 1; i < call->argc; i++) {
        struct entry *e = call_find(call, i);
        if (e != NULL) {
            call_remove(call, i, e);
            removed++;
        }
    }
    resp_int(call->reply, removed);
}

/* run_exists counts a key that is named twice, twice. */
void run_exists(struct call *call)
{
    int64_t found = 0;
    for (uint32_t i = 1; i < call->argc; i++) {
        found += call_read(call, i) != NULL;
    }
    resp_int(call->reply, found);
}

/* run_touch is EXISTS that OBJECT IDLETIME can tell of. */
void run_touch(struct call *call)
{
    for (uint32_t i = 1; i < call->argc; i++) {
        if (call_find(call, i) != NULL) {
            core_note_use(call->core, call->db, call->argv[i], call->now_ms, call->now_ms);
        }
    }
    run_exists(call);
}

void run_type(struct call *call)
{
    resp_simple(call->reply, call_read(call, 1) != NULL ? "string" : "none");
}

/* --- RENAME RENAMENX --------------------------------------------------------------------- */

void needs_rename(const struct call *call)
{
    ws_want(call->ws, call->db, call->argv[1], NEED_VALUE);
    ws_want(call->ws, call->db, call->argv[2], NEED_META);
}

/* rename returns false when nothing was moved: no source (the error is written), or a destination with if_absent. */
static bool rename_key(struct call *call, bool if_absent)
{
    struct entry *source = call_find(call, 1);
    if (source == NULL) {
        resp_error(call->reply, "ERR no such key");
        return false;
    }
    bool same = slice_eq(call->argv[1], call->argv[2]);
    if (if_absent && (same || call_find(call, 2) != NULL)) {
        resp_int(call->reply, 0);
        return false;
    }
    if (!same) {
        replace(call, call->db, call->argv[2], source);
        ws_remove(call->ws, source);
        call_event(call, EVENT_GENERIC, "rename_from", call->argv[1]);
        call_event(call, EVENT_GENERIC, "rename_to", call->argv[2]);
    }
    return true;
}

void run_rename(struct call *call)
{
    if (rename_key(call, false)) {
        resp_ok(call->reply);
    }
}

void run_renamenx(struct call *call)
{
    if (rename_key(call, true)) {
        resp_int(call->reply, 1);
    }
}

/* --- COPY MOVE --------------------------------------------------------------------------- */

static const char *const same_object = "ERR source and destination objects are the same";

struct copy_options {
    uint32_t db; /* the destination's */
    bool replace;
};

/* other_db reads the number of a database of ours; returns an error text, or NULL. */
static const char *other_db(const struct call *call, uint32_t i, uint32_t *out)
{
    int64_t number = 0;
    const char *error = parse_int32(call->argv[i], &number);
    if (error == NULL && (number < 0 || number >= core_options(call->core)->databases)) {
        error = "ERR DB index is out of range";
    }
    if (error == NULL) {
        *out = db_ref(call->db >> 16, (uint32_t)number);
    }
    return error;
}

/* copy_options returns the first error's text, or NULL; it writes no reply, since needs_copy asks too. */
static const char *copy_options(const struct call *call, struct copy_options *out)
{
    const char *error = NULL;
    out->db = call->db;
    for (uint32_t i = 3; i < call->argc && error == NULL; i++) {
        if (call_arg_is(call, i, "replace")) {
            out->replace = true;
        } else if (call_arg_is(call, i, "db") && i + 1 < call->argc) {
            error = other_db(call, ++i, &out->db);
        } else {
            error = "ERR syntax error";
        }
    }
    if (error == NULL && out->db == call->db && slice_eq(call->argv[1], call->argv[2])) {
        error = same_object;
    }
    return error;
}

void needs_copy(const struct call *call)
{
    struct copy_options options = { 0 };
    if (copy_options(call, &options) == NULL) {
        ws_want(call->ws, call->db, call->argv[1], NEED_VALUE);
        ws_want(call->ws, options.db, call->argv[2], NEED_META);
    }
}

void run_copy(struct call *call)
{
    struct copy_options options = { 0 };
    const char *error = copy_options(call, &options);
    if (error != NULL) {
        resp_error(call->reply, "%s", error);
        return;
    }
    struct entry *source = call_read(call, 1);
    bool taken = ws_find(call->ws, options.db, call->argv[2]) != NULL;
    bool copied = source != NULL && (options.replace || !taken);
    if (copied) {
        replace(call, options.db, call->argv[2], source);
        ws_event(call->ws, EVENT_GENERIC, "copy_to", options.db, call->argv[2]);
    }
    resp_int(call->reply, copied);
}

static const char *move_db(const struct call *call, uint32_t *db)
{
    const char *error = other_db(call, 2, db);
    return error == NULL && *db == call->db ? same_object : error;
}

void needs_move(const struct call *call)
{
    uint32_t db = 0;
    if (move_db(call, &db) == NULL) {
        ws_want(call->ws, call->db, call->argv[1], NEED_VALUE);
        ws_want(call->ws, db, call->argv[1], NEED_META);
    }
}

void run_move(struct call *call)
{
    uint32_t db = 0;
    const char *error = move_db(call, &db);
    if (error != NULL) {
        resp_error(call->reply, "%s", error);
        return;
    }
    struct entry *source = call_find(call, 1);
    bool moved = source != NULL && ws_find(call->ws, db, call->argv[1]) == NULL;
    if (moved) {
        replace(call, db, call->argv[1], source);
        ws_remove(call->ws, source);
        call_event(call, EVENT_GENERIC, "move_from", call->argv[1]);
        ws_event(call->ws, EVENT_GENERIC, "move_to", db, call->argv[1]);
    }
    resp_int(call->reply, moved);
}
