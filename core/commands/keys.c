/*
 * keys: commands on keys whatever they hold: DEL, EXISTS, TYPE, RENAME, COPY.
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
    }
    return e;
}

/* --- DEL UNLINK EXISTS TOUCH TYPE -------------------------------------------------------- */

void run_del(struct call *call)
{
    int64_t removed = 0;
    for (uint32_t i = 1; i < call->argc; i++) {
        struct entry *e = call_find(call, i);
        if (e != NULL) {
            ws_remove(call->ws, e);
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
        int64_t expires_at = source->expires_at;
        ws_put(call->ws, call->db, call->argv[2], ws_share(source), expires_at);
        ws_remove(call->ws, source);
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

/* --- COPY -------------------------------------------------------------------------------- */

struct copy_options {
    uint32_t db_arg; /* 0: not given; of several, the last */
    bool replace;
};

/* copy_options is false on a syntax error; it writes no reply, since needs_copy asks too. */
static bool copy_options(const struct call *call, struct copy_options *out)
{
    for (uint32_t i = 3; i < call->argc; i++) {
        if (call_arg_is(call, i, "replace")) {
            out->replace = true;
        } else if (call_arg_is(call, i, "db") && i + 1 < call->argc) {
            out->db_arg = ++i;
        } else {
            return false;
        }
    }
    return true;
}

/* copy_db gives the destination's database; false when the number is none of ours. */
static bool copy_db(const struct call *call, const struct copy_options *options, uint32_t *out)
{
    int64_t number = call->db & UINT16_MAX;
    if (options->db_arg != 0 && slice_to_i64(call->argv[options->db_arg], &number) != ERR_OK) {
        return false;
    }
    if (number < 0 || number >= core_options(call->core)->databases) {
        return false;
    }
    *out = db_ref(call->db >> 16, (uint32_t)number);
    return true;
}

void needs_copy(const struct call *call)
{
    struct copy_options options = { 0 };
    uint32_t db = 0;
    if (copy_options(call, &options) && copy_db(call, &options, &db)) {
        ws_want(call->ws, call->db, call->argv[1], NEED_VALUE);
        ws_want(call->ws, db, call->argv[2], NEED_META);
    }
}

/* copy_arguments writes the error reply when it returns false. */
static bool copy_arguments(struct call *call, struct copy_options *options, uint32_t *db)
{
    int64_t number = 0;
    if (!copy_options(call, options)) {
        reply_syntax_error(call);
        return false;
    }
    if (options->db_arg != 0 && !call_int32(call, options->db_arg, &number)) {
        return false;
    }
    if (!copy_db(call, options, db)) {
        resp_error(call->reply, "ERR DB index is out of range");
        return false;
    }
    if (*db == call->db && slice_eq(call->argv[1], call->argv[2])) {
        resp_error(call->reply, "ERR source and destination objects are the same");
        return false;
    }
    return true;
}

void run_copy(struct call *call)
{
    struct copy_options options = { 0 };
    uint32_t db = 0;
    if (!copy_arguments(call, &options, &db)) {
        return;
    }
    struct entry *source = call_find(call, 1);
    bool free_to_write = options.replace || ws_find(call->ws, db, call->argv[2]) == NULL;
    bool copied = source != NULL && free_to_write;
    if (copied) {
        ws_put(call->ws, db, call->argv[2], ws_share(source), source->expires_at);
    }
    resp_int(call->reply, copied);
}
