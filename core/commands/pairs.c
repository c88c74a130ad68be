/*
 * pairs: many keys and their values in one command: MSET, MSETNX, MSETEX.
 */
#include "commands/commands.h"
#include "commands/set_options.h"

/* Keys are at first, first + 2 … before end, each with its value behind it. */
struct pairs {
    uint32_t first;
    uint32_t end;
};

/* values_fit checks what must hold before the first key is written. */
static bool values_fit(struct call *call, struct pairs pairs)
{
    for (uint32_t i = pairs.first; i < pairs.end; i += 2) {
        if (!call_value_fits(call, call->argv[i + 1].len)) {
            return false;
        }
    }
    return true;
}

/* all_exist: whether each of the keys is there, or, with `exist` false, whether none is. */
static bool all_exist(struct call *call, struct pairs pairs, bool exist)
{
    for (uint32_t i = pairs.first; i < pairs.end; i += 2) {
        if ((call_find(call, i) != NULL) != exist) {
            return false;
        }
    }
    return true;
}

/* --- MSET MSETNX ------------------------------------------------------------------------- */

static bool mset_ok(struct call *call, struct pairs *pairs)
{
    *pairs = (struct pairs){ 1, call->argc };
    if (call->argc % 2 == 0) {
        reply_wrong_arity(call->reply, call->command);
        return false;
    }
    return values_fit(call, *pairs);
}

static void put_pairs(struct call *call, struct pairs pairs)
{
    for (uint32_t i = pairs.first; i < pairs.end; i += 2) {
        call_set(call, i, call->argv[i + 1], 0, false);
    }
}

void run_mset(struct call *call)
{
    struct pairs pairs;
    if (mset_ok(call, &pairs)) {
        put_pairs(call, pairs);
        resp_ok(call->reply);
    }
}

void run_msetnx(struct call *call)
{
    struct pairs pairs;
    if (!mset_ok(call, &pairs)) {
        return;
    }
    bool free = all_exist(call, pairs, false);
    if (free) {
        put_pairs(call, pairs);
    }
    resp_int(call->reply, free);
}

/* --- MSETEX ------------------------------------------------------------------------------ */

/* msetex_pairs reads numkeys; returns the error text, or NULL. */
static const char *msetex_pairs(const struct slice *argv, uint32_t argc, struct pairs *out)
{
    int64_t count = 0;
    if (slice_to_i64(argv[1], &count) != ERR_OK || count < 1 || count > INT32_MAX) {
        return "ERR invalid numkeys value";
    }
    if (count > (argc - 2) / 2) {
        return "ERR wrong number of key-value pairs";
    }
    *out = (struct pairs){ 2, 2 + (uint32_t)count * 2 };
    return NULL;
}

static const char *msetex_options(const struct call *call, struct pairs *pairs,
                                  struct set_options *options)
{
    const char *error = msetex_pairs(call->argv, call->argc, pairs);
    if (error == NULL && !set_options_parse(call, pairs->end, FOR_MSETEX, options)) {
        error = "ERR syntax error";
    }
    return error;
}

size_t keys_msetex(const struct slice *argv, uint32_t argc, struct slice *keys, size_t max)
{
    struct pairs pairs;
    if (msetex_pairs(argv, argc, &pairs) != NULL) {
        return 0;
    }
    size_t count = 0;
    for (uint32_t i = pairs.first; i < pairs.end; i += 2, count++) {
        if (count < max) {
            keys[count] = argv[i];
        }
    }
    return count;
}

void needs_msetex(const struct call *call)
{
    struct pairs pairs;
    struct set_options options = { 0 };
    if (msetex_options(call, &pairs, &options) != NULL) {
        return;
    }
    bool blind = (options.flags & (SET_NX | SET_XX | SET_KEEPTTL)) == 0;
    for (uint32_t i = pairs.first; i < pairs.end; i += 2) {
        ws_want(call->ws, call->db, call->argv[i], blind ? NEED_NOTHING : NEED_META);
    }
}

static void put_expiring(struct call *call, uint32_t i, bool keep, int64_t expires_at)
{
    const struct entry *old = keep ? call_find(call, i) : NULL;
    int64_t at = old != NULL ? old->expires_at : expires_at;
    call_set(call, i, call->argv[i + 1], at, old == NULL);
}

void run_msetex(struct call *call)
{
    struct pairs pairs;
    struct set_options options = { 0 };
    int64_t expires_at = 0;
    const char *error = msetex_options(call, &pairs, &options);
    if (error != NULL) {
        resp_error(call->reply, "%s", error);
        return;
    }
    if (!set_options_expiry(call, &options, &expires_at) || !values_fit(call, pairs)) {
        return;
    }
    if (((options.flags & SET_NX) != 0 && !all_exist(call, pairs, false)) ||
        ((options.flags & SET_XX) != 0 && !all_exist(call, pairs, true))) {
        resp_int(call->reply, 0);
        return;
    }
    for (uint32_t i = pairs.first; i < pairs.end; i += 2) {
        put_expiring(call, i, (options.flags & SET_KEEPTTL) != 0, expires_at);
    }
    resp_int(call->reply, 1);
}
