/*
 * expire: when keys end: EXPIRE and its kin, TTL and its kin, PERSIST, and the arithmetic that SET and GETEX share.
 */
#include "commands/commands.h"
#include "commands/expiry.h"

/* --- times ------------------------------------------------------------------------------ */

void reply_invalid_expire(struct call *call)
{
    resp_error(call->reply, "ERR invalid expire time in '%s' command", call->command->name);
}

/* to_unix_ms is false on overflow. */
static bool to_unix_ms(const struct call *call, struct expiry_unit unit, int64_t n, int64_t *out)
{
    int64_t base = unit.absolute ? 0 : call->now_ms;
    return !__builtin_mul_overflow(n, unit.seconds ? 1000 : 1, &n) &&
           !__builtin_add_overflow(n, base, out);
}

bool expiry_any(struct call *call, uint32_t i, struct expiry_unit unit, int64_t *out)
{
    int64_t n = 0;
    if (!call_i64(call, i, &n)) {
        return false;
    }
    if (!to_unix_ms(call, unit, n, out)) {
        reply_invalid_expire(call);
        return false;
    }
    return true;
}

bool expiry_positive(struct call *call, uint32_t i, struct expiry_unit unit, int64_t *out)
{
    int64_t n = 0;
    if (!call_i64(call, i, &n)) {
        return false;
    }
    if (n <= 0 || !to_unix_ms(call, unit, n, out)) {
        reply_invalid_expire(call);
        return false;
    }
    return true;
}

void expiry_apply(struct call *call, struct entry *e, int64_t expires_at)
{
    if (expires_at <= call->now_ms) {
        call_remove(call, 1, e); /* also for EXPIREAT 0, which is no "never" here */
    } else {
        ws_expire(call->ws, e, expires_at);
        call_event(call, EVENT_GENERIC, "expire", call->argv[1]);
    }
}

/* --- EXPIRE PEXPIRE EXPIREAT PEXPIREAT -------------------------------------------------- */

enum condition { IF_NONE = 1 << 0, IF_SOME = 1 << 1, IF_GREATER = 1 << 2, IF_LESS = 1 << 3 };

static const struct {
    const char *word;
    unsigned condition;
} condition_rows[] = {
    { "nx", IF_NONE },
    { "xx", IF_SOME },
    { "gt", IF_GREATER },
    { "lt", IF_LESS },
};

static unsigned condition_of(const struct call *call, uint32_t i)
{
    for (size_t k = 0; k < ARRAY_SIZE(condition_rows); k++) {
        if (call_arg_is(call, i, condition_rows[k].word)) {
            return condition_rows[k].condition;
        }
    }
    return 0;
}

static bool parse_conditions(struct call *call, unsigned *out)
{
    unsigned all = 0;
    for (uint32_t i = 3; i < call->argc; i++) {
        unsigned one = condition_of(call, i);
        if (one == 0) {
            int shown = call->argv[i].len < 128 ? (int)call->argv[i].len : 128;
            resp_error(call->reply, "ERR Unsupported option %.*s", shown,
                       (const char *)call->argv[i].p);
            return false;
        }
        all |= one;
    }
    if ((all & IF_NONE) != 0 && all != IF_NONE) {
        resp_error(call->reply,
                   "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if ((all & IF_GREATER) != 0 && (all & IF_LESS) != 0) {
        resp_error(call->reply, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    *out = all;
    return true;
}

/* allowed: for GT and LT, a key without expiry counts as one that lives forever. */
static bool allowed(const struct entry *e, unsigned conditions, int64_t expires_at)
{
    bool some = e->expires_at != 0;
    return !((conditions & IF_NONE) != 0 && some) && !((conditions & IF_SOME) != 0 && !some) &&
           !((conditions & IF_GREATER) != 0 && (!some || expires_at <= e->expires_at)) &&
           !((conditions & IF_LESS) != 0 && some && expires_at >= e->expires_at);
}

static void expire(struct call *call, struct expiry_unit unit)
{
    unsigned conditions = 0;
    int64_t expires_at = 0;
    if (!parse_conditions(call, &conditions) || !expiry_any(call, 2, unit, &expires_at)) {
        return;
    }
    struct entry *e = call_find(call, 1);
    if (e == NULL || !allowed(e, conditions, expires_at)) {
        resp_int(call->reply, 0);
        return;
    }
    expiry_apply(call, e, expires_at);
    resp_int(call->reply, 1);
}

void run_expire(struct call *call)
{
    expire(call, (struct expiry_unit){ .seconds = true });
}

void run_pexpire(struct call *call)
{
    expire(call, (struct expiry_unit){ .seconds = false });
}

void run_expireat(struct call *call)
{
    expire(call, (struct expiry_unit){ .seconds = true, .absolute = true });
}

void run_pexpireat(struct call *call)
{
    expire(call, (struct expiry_unit){ .absolute = true });
}

/* --- TTL PTTL EXPIRETIME PEXPIRETIME PERSIST -------------------------------------------- */

/* reply_expiry answers -2 without a key, -1 without an expiry; seconds are rounded to the nearest. */
static void reply_expiry(struct call *call, int64_t base, bool seconds)
{
    const struct entry *e = call_read(call, 1);
    int64_t n = -2;
    if (e != NULL) {
        n = -1;
        if (e->expires_at != 0) {
            n = e->expires_at - base;
            n = seconds ? n / 1000 + (n % 1000 >= 500) : n;
        }
    }
    resp_int(call->reply, n);
}

void run_ttl(struct call *call)
{
    reply_expiry(call, call->now_ms, true);
}

void run_pttl(struct call *call)
{
    reply_expiry(call, call->now_ms, false);
}

void run_expiretime(struct call *call)
{
    reply_expiry(call, 0, true);
}

void run_pexpiretime(struct call *call)
{
    reply_expiry(call, 0, false);
}

void run_persist(struct call *call)
{
    struct entry *e = call_find(call, 1);
    bool had = e != NULL && e->expires_at != 0;
    if (had) {
        ws_expire(call->ws, e, 0);
        call_event(call, EVENT_GENERIC, "persist", call->argv[1]);
    }
    resp_int(call->reply, had);
}
