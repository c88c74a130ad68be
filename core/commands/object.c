/*
 * object: what is known of a key beside its value: KEYINFO, OBJECT, MEMORY USAGE.
 */
#include "commands/commands.h"
#include "core.h"

/* --- KEYINFO ----------------------------------------------------------------------------- */

static void ask(const struct call *call, uint32_t i, struct walk *walk)
{
    walk->kind = WALK_KEY;
    walk->db = call->db;
    walk->key = call->argv[i];
}

void walk_keyinfo(const struct call *call, struct walk *walk)
{
    ask(call, 1, walk);
}

static void reply_number(struct call *call, const char *name, int64_t n)
{
    resp_bulk_text(call->reply, name);
    resp_int(call->reply, n);
}

void run_keyinfo(struct call *call)
{
    if (reply_walk_error(call)) {
        return;
    }
    const struct walk_key *key = call->walk->found;
    if (key == NULL) {
        resp_null(call->reply);
        return;
    }
    resp_map(call->reply, 6);
    reply_number(call, "revision", key->revision);
    reply_number(call, "modified-at", key->modified_at);
    resp_bulk_text(call->reply, "modified-by");
    resp_bulk(call->reply, key->modified_by);
    reply_number(call, "ttl", key->expires_at == 0 ? -1 : key->expires_at - call->now_ms);
    reply_number(call, "size", (int64_t)key->length);
    resp_bulk_text(call->reply, "type");
    resp_bulk_text(call->reply, key->text ? "text" : "binary");
}

/* --- OBJECT ------------------------------------------------------------------------------ */

enum { EMBSTR_MOST = 44 };

/*
 * encoding is what Redis would name a value that was just set. There is one way to store a string here: after an APPEND
 * Redis says "raw" whatever the length, and this says what fits the bytes.
 */
static const char *encoding(struct slice value)
{
    int64_t n = 0;
    if (slice_to_i64(value, &n) == ERR_OK) {
        return "int";
    }
    return value.len <= EMBSTR_MOST ? "embstr" : "raw";
}

void run_object_encoding(struct call *call)
{
    const struct entry *e = call_find(call, 2);
    if (e == NULL) {
        resp_null(call->reply);
    } else {
        resp_bulk_text(call->reply, encoding(e->value));
    }
}

void run_object_refcount(struct call *call)
{
    if (call_find(call, 2) == NULL) {
        resp_null(call->reply);
    } else {
        resp_int(call->reply, 1);
    }
}

void run_object_freq(struct call *call)
{
    if (call_find(call, 2) == NULL) {
        resp_null(call->reply);
    } else {
        resp_error(call->reply,
                   "ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
                   "Please note that when switching between policies at runtime LRU and LFU data "
                   "will take some time to adjust.");
    }
}

void walk_object_idletime(const struct call *call, struct walk *walk)
{
    ask(call, 2, walk);
}

/* run_object_idletime: reads leave no trace. What can be said is for how long nobody wrote the key, or touched it here. */
void run_object_idletime(struct call *call)
{
    if (reply_walk_error(call)) {
        return;
    }
    const struct walk_key *key = call->walk->found;
    if (key == NULL) {
        resp_null(call->reply);
        return;
    }
    int64_t idle_ms =
        call->now_ms - core_last_used(call->core, call->db, call->argv[2], key->modified_at);
    resp_int(call->reply, idle_ms > 0 ? idle_ms / 1000 : 0);
}

void run_object_help(struct call *call)
{
    static const char *const lines[] = {
        "ENCODING <key>",
        "    What Redis would call the form that it keeps this value in.",
        "FREQ <key>",
        "    An error: nothing is evicted, so nobody counts how often a key is used.",
        "IDLETIME <key>",
        "    The seconds since the key was last written, or touched on this core; reading does",
        "    not count.",
        "REFCOUNT <key>",
        "    1: no value is shared.",
    };
    reply_help(call, "OBJECT", lines, ARRAY_SIZE(lines));
}
