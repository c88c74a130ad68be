/*
 * dump: DUMP and RESTORE. A payload is ours alone, not Redis's:
 *
 *     u8 kind (1: a string) · the value · u16 version, little-endian · u64 XXH3 of all before it, little-endian
 *
 * As in Redis the version and the checksum stand at the end, and a payload that fails either is refused with one text.
 */
#include "commands/commands.h"
#include "commands/digest.h"
#include "core.h"

enum {
    PAYLOAD_STRING = 1,
    PAYLOAD_VERSION = 1,
    HEAD = 1,
    VERSION_BYTES = 2,
    CHECKSUM_BYTES = 8,
    TAIL = VERSION_BYTES + CHECKSUM_BYTES,
};

static void put_le(uint8_t *p, uint64_t n, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        p[i] = (uint8_t)(n >> (8 * i));
    }
}

static uint64_t get_le(const uint8_t *p, size_t bytes)
{
    uint64_t n = 0;
    for (size_t i = 0; i < bytes; i++) {
        n |= (uint64_t)p[i] << (8 * i);
    }
    return n;
}

/* --- DUMP -------------------------------------------------------------------------------- */

static struct slice make_payload(struct working_set *ws, struct slice value)
{
    size_t checked = HEAD + value.len + VERSION_BYTES;
    uint8_t *p = ws_alloc(ws, checked + CHECKSUM_BYTES);
    p[0] = PAYLOAD_STRING;
    if (value.len > 0) {
        memcpy(p + HEAD, value.p, value.len);
    }
    put_le(p + HEAD + value.len, PAYLOAD_VERSION, VERSION_BYTES);
    put_le(p + checked, digest_of((struct slice){ p, checked }), CHECKSUM_BYTES);
    return (struct slice){ p, checked + CHECKSUM_BYTES };
}

void run_dump(struct call *call)
{
    const struct entry *e = call_read(call, 1);
    if (e == NULL) {
        resp_null(call->reply);
    } else {
        resp_bulk(call->reply, make_payload(call->ws, e->value));
    }
}

/* --- RESTORE ----------------------------------------------------------------------------- */

enum { NOT_GIVEN = -1 };

struct restore {
    bool replace;
    bool absolute;
    int64_t idle_seconds;
    int64_t freq; /* checked and forgotten: nothing here counts how often a key is used */
};

/* restore_number reads the argument of IDLETIME and FREQ; returns the error text, or NULL. */
static const char *restore_number(struct slice s, int64_t most, const char *range, int64_t *out)
{
    if (slice_to_i64(s, out) != ERR_OK) {
        return "ERR value is not an integer or out of range";
    }
    return *out < 0 || *out > most ? range : NULL;
}

/* restore_options returns the error text, or NULL; it writes no reply, since needs_restore asks too. */
static const char *restore_options(const struct call *call, struct restore *out)
{
    const char *error = NULL;
    *out = (struct restore){ .idle_seconds = NOT_GIVEN, .freq = NOT_GIVEN };
    for (uint32_t i = 4; i < call->argc && error == NULL; i++) {
        bool more = i + 1 < call->argc;
        if (call_arg_is(call, i, "replace")) {
            out->replace = true;
        } else if (call_arg_is(call, i, "absttl")) {
            out->absolute = true;
        } else if (more && out->freq == NOT_GIVEN && call_arg_is(call, i, "idletime")) {
            error = restore_number(call->argv[++i], INT64_MAX,
                                   "ERR Invalid IDLETIME value, must be >= 0", &out->idle_seconds);
        } else if (more && out->idle_seconds == NOT_GIVEN && call_arg_is(call, i, "freq")) {
            error = restore_number(call->argv[++i], 255,
                                   "ERR Invalid FREQ value, must be >= 0 and <= 255", &out->freq);
        } else {
            error = "ERR syntax error";
        }
    }
    return error;
}

/* restore_ttl reads argument 2 into unix ms, 0 for never; false after an error reply. */
static bool restore_ttl(struct call *call, bool absolute, int64_t *out)
{
    int64_t ttl = 0;
    if (!call_i64(call, 2, &ttl)) {
        return false;
    }
    if (ttl < 0) {
        resp_error(call->reply, "ERR Invalid TTL value, must be >= 0");
        return false;
    }
    if (ttl != 0 && !absolute && __builtin_add_overflow(ttl, call->now_ms, &ttl)) {
        ttl = INT64_MAX;
    }
    *out = ttl;
    return true;
}

/* restore_value finds the value in the payload; false after an error reply. */
static bool restore_value(struct call *call, struct slice payload, struct slice *out)
{
    size_t checked = payload.len < TAIL ? 0 : payload.len - CHECKSUM_BYTES;
    if (checked == 0 ||
        get_le(payload.p + checked - VERSION_BYTES, VERSION_BYTES) != PAYLOAD_VERSION ||
        get_le(payload.p + checked, CHECKSUM_BYTES) !=
            digest_of((struct slice){ payload.p, checked })) {
        resp_error(call->reply, "ERR DUMP payload version or checksum are wrong");
        return false;
    }
    if (payload.len < HEAD + TAIL || payload.p[0] != PAYLOAD_STRING) {
        resp_error(call->reply, "ERR Bad data format");
        return false;
    }
    *out = (struct slice){ payload.p + HEAD, payload.len - HEAD - TAIL };
    return call_value_fits(call, out->len);
}

void needs_restore(const struct call *call)
{
    struct restore options;
    if (restore_options(call, &options) == NULL) {
        ws_want(call->ws, call->db, call->argv[1], NEED_META);
    }
}

static void note_idle(struct call *call, int64_t seconds)
{
    int64_t most = call->now_ms / 1000;
    int64_t used_ms = call->now_ms - (seconds < most ? seconds : most) * 1000;
    core_note_use(call->core, call->db, call->argv[1], call->now_ms, used_ms);
}

/* restore puts the value there, in the place of `old`, which goes first; a time that has passed leaves nothing. */
static void restore(struct call *call, struct entry *old, struct slice value, int64_t expires_at)
{
    if (expires_at != 0 && expires_at <= call->now_ms) {
        if (old != NULL) {
            call_remove(call, 1, old);
        }
        return;
    }
    if (old != NULL) {
        call_event(call, EVENT_NEW, "new", call->argv[1]);
    }
    ws_put(call->ws, call->db, call->argv[1], value, expires_at);
    call_event(call, EVENT_GENERIC, "restore", call->argv[1]);
}

void run_restore(struct call *call)
{
    struct restore options;
    struct slice value;
    int64_t expires_at = 0;
    const char *error = restore_options(call, &options);
    struct entry *old = error == NULL ? call_find(call, 1) : NULL;
    if (old != NULL && !options.replace) {
        error = "BUSYKEY Target key name already exists.";
    }
    if (error != NULL) {
        resp_error(call->reply, "%s", error);
        return;
    }
    if (!restore_ttl(call, options.absolute, &expires_at) ||
        !restore_value(call, call->argv[3], &value)) {
        return;
    }
    restore(call, old, value, expires_at);
    if (options.idle_seconds != NOT_GIVEN) {
        note_idle(call, options.idle_seconds);
    }
    resp_ok(call->reply);
}
