/*
 * walks: commands about a whole database: SCAN, KEYS, RANDOMKEY, DBSIZE, FIND, FLUSHDB, FLUSHALL, SWAPDB. The walk function
 * asks, the store answers with candidates, the command function picks and renders (walk.h).
 */
#include "acl/check.h"
#include "commands/commands.h"
#include "core.h"
#include "session.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

enum { SCAN_COUNT = 10, FIND_COUNT = 1000 }; /* when COUNT is not given */

bool reply_walk_error(struct call *call)
{
    if (call->walk->error == NULL) {
        return false;
    }
    resp_error(call->reply, "%s", call->walk->error);
    return true;
}

/* --- options of SCAN and FIND ------------------------------------------------------------ */

struct walk_options {
    uint64_t cursor;
    bool has_match;
    struct slice match;
    int64_t count;
    bool other_type; /* TYPE names one that no key here can have */
    const char *error;
};

static const char *const bad_cursor = "ERR invalid cursor";
static const char *const bad_syntax = "ERR syntax error";
static const char *const bad_integer = "ERR value is not an integer or out of range";

static const char *parse_count(struct slice s, int64_t *out)
{
    if (slice_to_i64(s, out) != ERR_OK) {
        return bad_integer;
    }
    return *out < 1 ? bad_syntax : NULL;
}

/* parse_cursor takes what strtoul takes, as Redis does: also "", "-1" and "007". */
static const char *parse_cursor(struct slice s, uint64_t *out)
{
    char text[64];
    if (s.len >= sizeof(text)) {
        return bad_cursor;
    }
    for (size_t i = 0; i < s.len; i++) {
        text[i] = (char)s.p[i];
    }
    text[s.len] = '\0';
    char *end = NULL;
    errno = 0;
    uint64_t n = strtoull(text, &end, 10);
    if (errno == ERANGE || isspace((unsigned char)text[0]) || end != text + s.len) {
        return bad_cursor;
    }
    *out = n;
    return NULL;
}

/* parse_pair reads the option at i and its argument; `find` has CURSOR where SCAN has TYPE. */
static const char *parse_pair(const struct call *call, uint32_t i, bool find,
                              struct walk_options *out)
{
    struct slice argument = call->argv[i + 1];
    if (call_arg_is(call, i, "match")) {
        out->has_match = true;
        out->match = argument;
        return NULL;
    }
    if (call_arg_is(call, i, "count")) {
        return parse_count(argument, &out->count);
    }
    if (find && call_arg_is(call, i, "cursor")) {
        return parse_cursor(argument, &out->cursor);
    }
    if (!find && call_arg_is(call, i, "type")) {
        out->other_type = !slice_eq_nocase(argument, SLICE("string"));
        return NULL;
    }
    return bad_syntax;
}

static void parse_pairs(const struct call *call, bool find, struct walk_options *out)
{
    for (uint32_t i = 2; i < call->argc && out->error == NULL; i += 2) {
        out->error = i + 1 < call->argc ? parse_pair(call, i, find, out) : bad_syntax;
    }
}

static struct walk_options scan_options(const struct call *call)
{
    struct walk_options options = { .count = SCAN_COUNT };
    options.error = parse_cursor(call->argv[1], &options.cursor);
    parse_pairs(call, false, &options);
    return options;
}

static struct walk_options find_options(const struct call *call)
{
    struct walk_options options = { .count = FIND_COUNT };
    parse_pairs(call, true, &options);
    return options;
}

/* ask fills in what SCAN and FIND have in common. */
static void ask(const struct call *call, const struct walk_options *options, enum walk_kind kind,
                struct walk *walk)
{
    walk->kind = kind;
    walk->db = call->db;
    walk->cursor = options->cursor;
    walk->count = options->count < UINT32_MAX ? (uint32_t)options->count : UINT32_MAX;
    if (options->has_match) {
        walk->prefix = options->match;
        walk->prefix.len = slice_glob_prefix(options->match);
    }
}

/* --- rows ------------------------------------------------------------------------------- */

static bool matches(const struct walk_options *options, const struct walk_row *row)
{
    return !options->has_match || slice_glob(options->match, row->key, false);
}

/* is_shown: names of keys are for whoever may run the command, as in Redis; values only for who may read the key. */
static bool is_shown(const struct call *call, const struct walk_options *options,
                     const struct walk_row *row, bool values)
{
    return matches(options, row) &&
           (!values || acl_may_read(session_user(call->session), call->command, row->key));
}

/* reply_rows writes the array of keys, or of keys and values in turn. */
static void reply_rows(struct call *call, const struct walk_options *options, bool values)
{
    const struct walk *walk = call->walk;
    size_t count = 0;
    for (size_t i = 0; i < walk->row_count; i++) {
        count += is_shown(call, options, &walk->rows[i], values);
    }
    resp_array(call->reply, count * (values ? 2 : 1));
    for (size_t i = 0; i < walk->row_count; i++) {
        if (is_shown(call, options, &walk->rows[i], values)) {
            resp_bulk(call->reply, walk->rows[i].key);
            if (values) {
                resp_bulk(call->reply, walk->rows[i].value);
            }
        }
    }
}

static void reply_cursor(struct call *call, uint64_t cursor)
{
    char text[20]; /* 18446744073709551615 */
    char *p = text + sizeof(text);
    do {
        *--p = (char)('0' + cursor % 10);
        cursor /= 10;
    } while (cursor > 0);
    resp_bulk(call->reply, (struct slice){ (const uint8_t *)p, (size_t)(text + sizeof(text) - p) });
}

/* --- SCAN FIND KEYS RANDOMKEY DBSIZE ------------------------------------------------------ */

void walk_scan(const struct call *call, struct walk *walk)
{
    struct walk_options options = scan_options(call);
    if (options.error == NULL && !options.other_type) {
        ask(call, &options, WALK_SCAN, walk);
    }
}

void run_scan(struct call *call)
{
    struct walk_options options = scan_options(call);
    if (options.error != NULL) {
        resp_error(call->reply, "%s", options.error);
        return;
    }
    if (options.other_type) {
        resp_array(call->reply, 2);
        resp_bulk_text(call->reply, "0");
        resp_array(call->reply, 0);
    } else if (!reply_walk_error(call)) {
        resp_array(call->reply, 2);
        reply_cursor(call, call->walk->next_cursor);
        reply_rows(call, &options, false);
    }
}

void walk_find(const struct call *call, struct walk *walk)
{
    struct walk_options options = find_options(call);
    if (options.error == NULL) {
        ask(call, &options, WALK_FIND, walk);
        walk->ilike = call->argv[1];
    }
}

void run_find(struct call *call)
{
    struct walk_options options = find_options(call);
    if (options.error != NULL) {
        resp_error(call->reply, "%s", options.error);
        return;
    }
    if (!reply_walk_error(call)) {
        resp_array(call->reply, 2);
        reply_cursor(call, call->walk->next_cursor);
        reply_rows(call, &options, true);
    }
}

static struct walk_options keys_options(const struct call *call)
{
    return (struct walk_options){ .has_match = true, .match = call->argv[1] };
}

void walk_keys(const struct call *call, struct walk *walk)
{
    struct walk_options options = keys_options(call);
    ask(call, &options, WALK_KEYS, walk);
}

void run_keys(struct call *call)
{
    struct walk_options options = keys_options(call);
    if (!reply_walk_error(call)) {
        reply_rows(call, &options, false);
    }
}

void walk_randomkey(const struct call *call, struct walk *walk)
{
    walk->kind = WALK_RANDOM;
    walk->db = call->db;
}

void run_randomkey(struct call *call)
{
    if (reply_walk_error(call)) {
        return;
    }
    if (call->walk->row_count > 0) {
        resp_bulk(call->reply, call->walk->rows[0].key);
    } else {
        resp_null(call->reply);
    }
}

void walk_dbsize(const struct call *call, struct walk *walk)
{
    walk->kind = WALK_COUNT;
    walk->db = call->db;
}

void run_dbsize(struct call *call)
{
    if (!reply_walk_error(call)) {
        resp_int(call->reply, call->walk->total);
    }
}

/* --- FLUSHDB FLUSHALL ----------------------------------------------------------------------- */

/* flush_ok: ASYNC and SYNC are the same to us, the old space is purged in the background. */
static bool flush_ok(const struct call *call)
{
    return call->argc == 1 ||
           (call->argc == 2 && (call_arg_is(call, 1, "async") || call_arg_is(call, 1, "sync")));
}

void walk_flushdb(const struct call *call, struct walk *walk)
{
    if (flush_ok(call)) {
        walk->kind = WALK_FLUSH_DB;
        walk->db = call->db;
    }
}

void walk_flushall(const struct call *call, struct walk *walk)
{
    if (flush_ok(call)) {
        walk->kind = WALK_FLUSH_ALL;
        walk->db = call->db;
    }
}

void run_flushdb(struct call *call)
{
    if (!flush_ok(call)) {
        reply_syntax_error(call);
    } else if (!reply_walk_error(call)) {
        resp_ok(call->reply);
    }
}

void run_flushall(struct call *call)
{
    run_flushdb(call);
}

/* --- SWAPDB ---------------------------------------------------------------------------------- */

/* swap_db reads argument i; returns the error text, or NULL. */
static const char *swap_db(const struct call *call, uint32_t i, int64_t *out)
{
    if (parse_int32(call->argv[i], out) != NULL) {
        return i == 1 ? "ERR invalid first DB index" : "ERR invalid second DB index";
    }
    return NULL;
}

static const char *swap_dbs(const struct call *call, int64_t *one, int64_t *other)
{
    int64_t count = core_options(call->core)->databases;
    const char *error = swap_db(call, 1, one);
    if (error == NULL) {
        error = swap_db(call, 2, other);
    }
    if (error == NULL && (*one < 0 || *one >= count || *other < 0 || *other >= count)) {
        error = "ERR DB index is out of range";
    }
    return error;
}

void walk_swapdb(const struct call *call, struct walk *walk)
{
    int64_t one = 0;
    int64_t other = 0;
    if (swap_dbs(call, &one, &other) == NULL && one != other) {
        walk->kind = WALK_SWAP;
        walk->db = db_ref(call->db >> 16, (uint32_t)one);
        walk->other_db = db_ref(call->db >> 16, (uint32_t)other);
    }
}

void run_swapdb(struct call *call)
{
    int64_t one = 0;
    int64_t other = 0;
    const char *error = swap_dbs(call, &one, &other);
    if (error != NULL) {
        resp_error(call->reply, "%s", error);
    } else if (!reply_walk_error(call)) {
        resp_ok(call->reply);
    }
}
