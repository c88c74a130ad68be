/*
 * strings: commands that take or give whole values: GET, SET and their kin. Those of many keys are in pairs.c.
 */
#include "commands/commands.h"
#include "commands/set_options.h"
#include "core.h"

static void reply_value(struct call *call, const struct entry *e)
{
    if (e != NULL) {
        resp_bulk(call->reply, e->value);
    } else {
        resp_null(call->reply);
    }
}

bool call_value_fits(struct call *call, uint64_t length)
{
    if (length <= (uint64_t)core_options(call->core)->max_value) {
        return true;
    }
    resp_error(call->reply, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

void call_set(struct call *call, uint32_t i, struct slice value, int64_t expires_at, bool given)
{
    struct entry *e = ws_put(call->ws, call->db, call->argv[i], value, expires_at);
    call_event(call, EVENT_STRING, "set", call->argv[i]);
    if (expires_at == 0) {
        return;
    }
    if (given) {
        call_event(call, EVENT_GENERIC, "expire", call->argv[i]);
    }
    if (expires_at <= call->now_ms) {
        ws_remove(call->ws, e);
        call_event(call, EVENT_EXPIRED, "expired", call->argv[i]);
    }
}

/* put stores argv[value] in the first key. */
static void put(struct call *call, uint32_t value, int64_t expires_at)
{
    call_set(call, 1, call->argv[value], expires_at, true);
}

/* --- GET MGET GETSET GETDEL GETEX -------------------------------------------------------- */

void run_get(struct call *call)
{
    reply_value(call, call_read(call, 1));
}

void run_mget(struct call *call)
{
    resp_array(call->reply, call->argc - 1);
    for (uint32_t i = 1; i < call->argc; i++) {
        reply_value(call, call_read(call, i));
    }
}

void run_getset(struct call *call)
{
    if (!call_value_fits(call, call->argv[2].len)) {
        return;
    }
    reply_value(call, call_read(call, 1));
    put(call, 2, 0);
}

void run_getdel(struct call *call)
{
    struct entry *e = call_read(call, 1);
    reply_value(call, e);
    if (e != NULL) {
        call_remove(call, 1, e);
    }
}

void run_getex(struct call *call)
{
    struct set_options options = { 0 };
    int64_t expires_at = 0;
    if (!set_options_parse(call, 2, FOR_GETEX, &options)) {
        reply_syntax_error(call);
        return;
    }
    struct entry *e = call_read(call, 1);
    if (e == NULL) {
        resp_null(call->reply);
        return;
    }
    if (!set_options_expiry(call, &options, &expires_at)) {
        return;
    }
    reply_value(call, e);
    if ((options.flags & SET_EXPIRY) != 0) {
        expiry_apply(call, e, expires_at);
    } else if ((options.flags & SET_PERSIST) != 0 && e->expires_at != 0) {
        ws_expire(call->ws, e, 0);
        call_event(call, EVENT_GENERIC, "persist", call->argv[1]);
    }
}

/* --- SET SETNX SETEX PSETEX -------------------------------------------------------------- */

/* needs_set: a SET that asks nothing of the old value is blind, and the turn need not load it. */
void needs_set(const struct call *call)
{
    struct set_options options = { 0 };
    if (!set_options_parse(call, 3, FOR_SET, &options)) {
        return;
    }
    enum entry_need need = NEED_NOTHING;
    if ((options.flags & SET_GET) != 0) {
        need = NEED_VALUE;
    } else if ((options.flags & SET_COMPARE) != 0) {
        need = compare_need(options.compare);
    } else if ((options.flags & (SET_NX | SET_XX | SET_KEEPTTL)) != 0) {
        need = NEED_META;
    }
    ws_want(call->ws, call->db, call->argv[1], need);
}

/* may_set: `compare` is looked at only with SET_COMPARE. */
static bool may_set(const struct set_options *options, const struct entry *old,
                    const struct compare *compare)
{
    return !((options->flags & SET_NX) != 0 && old != NULL) &&
           !((options->flags & SET_XX) != 0 && old == NULL) &&
           !((options->flags & SET_COMPARE) != 0 && !compare_holds(old, compare));
}

static void set_with_options(struct call *call, const struct set_options *options,
                             const struct compare *compare, int64_t expires_at)
{
    bool get = (options->flags & SET_GET) != 0;
    const struct entry *old = get ? call_read(call, 1) : call_find(call, 1);
    if (get) {
        reply_value(call, old);
    }
    if (!may_set(options, old, compare)) {
        if (!get) {
            resp_null(call->reply);
        }
        return;
    }
    if ((options->flags & SET_KEEPTTL) != 0 && old != NULL) {
        call_set(call, 1, call->argv[2], old->expires_at, false);
    } else {
        put(call, 2, expires_at);
    }
    if (!get) {
        resp_ok(call->reply);
    }
}

void run_set(struct call *call)
{
    struct set_options options = { 0 };
    struct compare compare = { 0 };
    int64_t expires_at = 0;
    if (!set_options_parse(call, 3, FOR_SET, &options)) {
        reply_syntax_error(call);
        return;
    }
    if (!set_options_expiry(call, &options, &expires_at)) {
        return;
    }
    if ((options.flags & SET_COMPARE) != 0 &&
        !compare_parse(call, options.compare_arg, options.compare, &compare)) {
        return;
    }
    if (!call_value_fits(call, call->argv[2].len)) {
        return;
    }
    if ((options.flags & ~(unsigned)SET_EXPIRY) != 0) {
        set_with_options(call, &options, &compare, expires_at);
        return;
    }
    put(call, 2, expires_at);
    resp_ok(call->reply);
}

void run_setnx(struct call *call)
{
    if (!call_value_fits(call, call->argv[2].len)) {
        return;
    }
    bool absent = call_find(call, 1) == NULL;
    if (absent) {
        put(call, 2, 0);
    }
    resp_int(call->reply, absent);
}

static void setex(struct call *call, struct expiry_unit unit)
{
    int64_t expires_at = 0;
    if (!expiry_positive(call, 2, unit, &expires_at) || !call_value_fits(call, call->argv[3].len)) {
        return;
    }
    put(call, 3, expires_at);
    resp_ok(call->reply);
}

void run_setex(struct call *call)
{
    setex(call, (struct expiry_unit){ .seconds = true });
}

void run_psetex(struct call *call)
{
    setex(call, (struct expiry_unit){ .seconds = false });
}
