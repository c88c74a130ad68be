/*
 * strings: commands that take or give whole values: GET, SET and their kin.
 */
#include "commands/commands.h"
#include "commands/expiry.h"
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

/* --- options of SET and GETEX ----------------------------------------------------------- */

enum set_flag {
    SET_NX = 1 << 0,
    SET_XX = 1 << 1,
    SET_GET = 1 << 2,
    SET_KEEPTTL = 1 << 3,
    SET_PERSIST = 1 << 4,
    SET_EX = 1 << 5,
    SET_PX = 1 << 6,
    SET_EXAT = 1 << 7,
    SET_PXAT = 1 << 8,
    SET_EXPIRY = SET_EX | SET_PX | SET_EXAT | SET_PXAT,
    SET_LIFETIME = SET_EXPIRY | SET_KEEPTTL | SET_PERSIST, /* of these, one (but that one twice) */
    FOR_SET = 1 << 16,                                     /* in `commands`: who takes the word */
    FOR_GETEX = 1 << 17,
};

/* word; what it sets; what must not have been given beside it; who takes it; for SET_EXPIRY the unit */
static const struct set_word {
    const char *word;
    unsigned flag;
    unsigned excludes;
    unsigned commands;
    struct expiry_unit unit;
} set_words[] = {
    { "nx", SET_NX, SET_XX, FOR_SET, { 0 } },
    { "xx", SET_XX, SET_NX, FOR_SET, { 0 } },
    { "get", SET_GET, 0, FOR_SET, { 0 } },
    { "keepttl", SET_KEEPTTL, SET_LIFETIME, FOR_SET, { 0 } },
    { "persist", SET_PERSIST, SET_LIFETIME, FOR_GETEX, { 0 } },
    { "ex", SET_EX, SET_LIFETIME, FOR_SET | FOR_GETEX, { .seconds = true } },
    { "px", SET_PX, SET_LIFETIME, FOR_SET | FOR_GETEX, { 0 } },
    { "exat", SET_EXAT, SET_LIFETIME, FOR_SET | FOR_GETEX, { .seconds = true, .absolute = true } },
    { "pxat", SET_PXAT, SET_LIFETIME, FOR_SET | FOR_GETEX, { .absolute = true } },
};

struct set_options {
    unsigned flags;
    uint32_t expiry_arg; /* with SET_EXPIRY */
    struct expiry_unit unit;
};

static const struct set_word *find_word(const struct call *call, uint32_t i, unsigned command)
{
    for (size_t k = 0; k < ARRAY_SIZE(set_words); k++) {
        if ((set_words[k].commands & command) != 0 && call_arg_is(call, i, set_words[k].word)) {
            return &set_words[k];
        }
    }
    return NULL;
}

/* parse_options is false on a syntax error; it writes no reply, since needs_set asks too. */
static bool parse_options(const struct call *call, uint32_t first, unsigned command,
                          struct set_options *out)
{
    for (uint32_t i = first; i < call->argc; i++) {
        const struct set_word *word = find_word(call, i, command);
        if (word == NULL || (out->flags & word->excludes & ~word->flag) != 0) {
            return false;
        }
        out->flags |= word->flag;
        if ((word->flag & SET_EXPIRY) != 0) {
            if (++i == call->argc) {
                return false;
            }
            out->expiry_arg = i;
            out->unit = word->unit;
        }
    }
    return true;
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
    reply_value(call, call_find(call, 1));
    ws_put(call->ws, call->db, call->argv[1], call->argv[2], 0);
}

void run_getdel(struct call *call)
{
    struct entry *e = call_find(call, 1);
    reply_value(call, e);
    if (e != NULL) {
        ws_remove(call->ws, e);
    }
}

void run_getex(struct call *call)
{
    struct set_options options = { 0 };
    int64_t expires_at = 0;
    if (!parse_options(call, 2, FOR_GETEX, &options)) {
        reply_syntax_error(call);
        return;
    }
    struct entry *e = call_read(call, 1);
    if (e == NULL) {
        resp_null(call->reply);
        return;
    }
    bool expiry = (options.flags & SET_EXPIRY) != 0;
    if (expiry && !expiry_positive(call, options.expiry_arg, options.unit, &expires_at)) {
        return;
    }
    reply_value(call, e);
    if (expiry) {
        expiry_apply(call, e, expires_at);
    } else if ((options.flags & SET_PERSIST) != 0 && e->expires_at != 0) {
        ws_expire(call->ws, e, 0);
    }
}

/* --- SET SETNX SETEX PSETEX MSET MSETNX -------------------------------------------------- */

/* needs_set: a SET that asks nothing of the old value is blind, and the turn need not load it. */
void needs_set(const struct call *call)
{
    struct set_options options = { 0 };
    if (!parse_options(call, 3, FOR_SET, &options)) {
        return;
    }
    enum entry_need need = NEED_NOTHING;
    if ((options.flags & SET_GET) != 0) {
        need = NEED_VALUE;
    } else if ((options.flags & (SET_NX | SET_XX | SET_KEEPTTL)) != 0) {
        need = NEED_META;
    }
    ws_want(call->ws, call->db, call->argv[1], need);
}

/* put stores argv[value]; a time that has passed stores and deletes in one. */
static void put(struct call *call, uint32_t value, int64_t expires_at)
{
    struct entry *e = ws_put(call->ws, call->db, call->argv[1], call->argv[value], expires_at);
    if (expires_at != 0 && expires_at <= call->now_ms) {
        ws_remove(call->ws, e);
    }
}

static void set_with_options(struct call *call, const struct set_options *options,
                             int64_t expires_at)
{
    const struct entry *old = call_find(call, 1);
    bool get = (options->flags & SET_GET) != 0;
    if (get) {
        reply_value(call, old);
    }
    if (((options->flags & SET_NX) != 0 && old != NULL) ||
        ((options->flags & SET_XX) != 0 && old == NULL)) {
        if (!get) {
            resp_null(call->reply);
        }
        return;
    }
    if ((options->flags & SET_KEEPTTL) != 0 && old != NULL) {
        expires_at = old->expires_at;
    }
    put(call, 2, expires_at);
    if (!get) {
        resp_ok(call->reply);
    }
}

void run_set(struct call *call)
{
    struct set_options options = { 0 };
    int64_t expires_at = 0;
    if (!parse_options(call, 3, FOR_SET, &options)) {
        reply_syntax_error(call);
        return;
    }
    if ((options.flags & SET_EXPIRY) != 0 &&
        !expiry_positive(call, options.expiry_arg, options.unit, &expires_at)) {
        return;
    }
    if (!call_value_fits(call, call->argv[2].len)) {
        return;
    }
    if ((options.flags & ~(unsigned)SET_EXPIRY) != 0) {
        set_with_options(call, &options, expires_at);
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

/* pairs_ok checks what must hold before the first key is written. */
static bool pairs_ok(struct call *call)
{
    if (call->argc % 2 == 0) {
        reply_wrong_arity(call->reply, call->command);
        return false;
    }
    for (uint32_t i = 2; i < call->argc; i += 2) {
        if (!call_value_fits(call, call->argv[i].len)) {
            return false;
        }
    }
    return true;
}

static void put_pairs(struct call *call)
{
    for (uint32_t i = 1; i < call->argc; i += 2) {
        ws_put(call->ws, call->db, call->argv[i], call->argv[i + 1], 0);
    }
}

void run_mset(struct call *call)
{
    if (pairs_ok(call)) {
        put_pairs(call);
        resp_ok(call->reply);
    }
}

void run_msetnx(struct call *call)
{
    if (!pairs_ok(call)) {
        return;
    }
    for (uint32_t i = 1; i < call->argc; i += 2) {
        if (call_find(call, i) != NULL) {
            resp_int(call->reply, 0);
            return;
        }
    }
    put_pairs(call);
    resp_int(call->reply, 1);
}
