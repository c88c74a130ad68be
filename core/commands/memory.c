/*
 * memory: MEMORY. Keys and values are in PostgreSQL; what this process holds are buffers of what is under way.
 */
#include "commands/commands.h"
#include "core.h"

#include <malloc.h>
#include <sys/resource.h>

/* What a key takes in PostgreSQL beside its key, which is there twice, and its value: storage-page-layout.html */
enum {
    ROW_BYTES = 24 + 4 + 64,            /* header, line pointer, the other columns */
    INDEX_BYTES = (12 + 8) + (12 + 16), /* the entries of the primary key and of the hash */
};

/* usage_ok is false after an error reply; SAMPLES is for values with many parts, which no key has. */
static bool usage_ok(struct call *call)
{
    for (uint32_t i = 3; i < call->argc; i += 2) {
        int64_t samples = 0;
        if (i + 1 == call->argc || !call_arg_is(call, i, "samples")) {
            reply_syntax_error(call);
            return false;
        }
        if (!call_i64(call, i + 1, &samples)) {
            return false;
        }
        if (samples < 0) {
            reply_syntax_error(call);
            return false;
        }
    }
    return true;
}

/* run_memory_usage: what the row and its index entries take in PostgreSQL, to be estimated from the lengths. */
void run_memory_usage(struct call *call)
{
    if (!usage_ok(call)) {
        return;
    }
    const struct entry *e = call_find(call, 2);
    if (e == NULL) {
        resp_null(call->reply);
        return;
    }
    resp_int(call->reply, (int64_t)(ROW_BYTES + INDEX_BYTES + 2 * e->key.len + e->length));
}

void run_memory_doctor(struct call *call)
{
    static const char text[] =
        "Keys and values are in PostgreSQL, and so is most of what could be said about memory: look "
        "at its shared_buffers and its cache hit ratio.\n";
    resp_verbatim(call->reply, "txt", slice_of(text));
}

void run_memory_malloc_stats(struct call *call)
{
    resp_bulk_text(call->reply, "Stats not supported for the current allocator");
}

void run_memory_purge(struct call *call)
{
    malloc_trim(0);
    resp_ok(call->reply);
}

static int64_t key_count(const struct core *core)
{
    struct core_key_count count;
    int64_t keys = 0;
    for (size_t i = 0; core_key_counts(core, i, &count); i++) {
        keys += count.keys;
    }
    return keys;
}

static void reply_number(struct call *call, const char *name, int64_t n)
{
    resp_bulk_text(call->reply, name);
    resp_int(call->reply, n);
}

void run_memory_stats(struct call *call)
{
    struct rusage usage = { 0 };
    struct mallinfo2 heap = mallinfo2();
    getrusage(RUSAGE_SELF, &usage);
    resp_map(call->reply, 5);
    reply_number(call, "peak.allocated", usage.ru_maxrss * 1024);
    reply_number(call, "total.allocated", (int64_t)(heap.uordblks + heap.hblkhd));
    reply_number(call, "keys.count", key_count(call->core));
    reply_number(call, "allocator.allocated", (int64_t)(heap.uordblks + heap.hblkhd));
    reply_number(call, "allocator.active", (int64_t)(heap.arena + heap.hblkhd));
}

void run_memory_help(struct call *call)
{
    static const char *const lines[] = {
        "DOCTOR",
        "    Where to look, since keys and values are in PostgreSQL.",
        "MALLOC-STATS",
        "    The allocator's own report, where it has one.",
        "PURGE",
        "    Gives free memory back to the system.",
        "STATS",
        "    What this process has allocated.",
        "USAGE <key> [SAMPLES <count>]",
        "    The bytes that the key's row takes in PostgreSQL, by estimate.",
    };
    reply_help(call, "MEMORY", lines, ARRAY_SIZE(lines));
}
