/*
 * command_tips: a table by name; commands that are not in it have no tips.
 */
#include "command_tips.h"

#include <string.h>

enum { TIPS_MAX = 3 };

#define RANDOM    "nondeterministic_output"
#define UNORDERED "nondeterministic_output_order"
#define SHARDS    "request_policy:all_shards"
#define NODES     "request_policy:all_nodes"
#define BY_KEY    "request_policy:multi_shard"
#define ALL_OK    "response_policy:all_succeeded"
#define SUM       "response_policy:agg_sum"
#define SPECIAL   "response_policy:special"

static const struct {
    const char *name;
    const char *tips[TIPS_MAX];
} rows[] = {
    { "client|info", { RANDOM } },
    { "client|list", { RANDOM } },
    { "command", { UNORDERED } },
    { "command|docs", { UNORDERED } },
    { "command|info", { UNORDERED } },
    { "command|list", { UNORDERED } },
    { "config|set", { NODES, ALL_OK } },
    { "dbsize", { SHARDS, SUM } },
    { "del", { BY_KEY, SUM } },
    { "dump", { RANDOM } },
    { "exists", { BY_KEY, SUM } },
    { "flushall", { SHARDS, ALL_OK } },
    { "flushdb", { SHARDS, ALL_OK } },
    { "function|flush", { SHARDS, ALL_OK } },
    { "info", { RANDOM, SHARDS, SPECIAL } },
    { "keyinfo", { RANDOM } },
    { "keys", { SHARDS, UNORDERED } },
    { "lastsave", { RANDOM } },
    { "latency|doctor", { RANDOM, NODES, SPECIAL } },
    { "latency|graph", { RANDOM, NODES, SPECIAL } },
    { "latency|histogram", { RANDOM, NODES, SPECIAL } },
    { "latency|history", { RANDOM, NODES, SPECIAL } },
    { "latency|latest", { RANDOM, NODES, SPECIAL } },
    { "latency|reset", { NODES, ALL_OK } },
    { "memory|doctor", { RANDOM, SHARDS, SPECIAL } },
    { "memory|malloc-stats", { RANDOM, SHARDS, SPECIAL } },
    { "memory|purge", { SHARDS, ALL_OK } },
    { "memory|stats", { RANDOM, SHARDS, SPECIAL } },
    { "mget", { BY_KEY } },
    { "mset", { BY_KEY, ALL_OK } },
    { "msetex", { BY_KEY, ALL_OK } },
    { "msetnx", { BY_KEY, "response_policy:agg_min" } },
    { "object|encoding", { RANDOM } },
    { "object|freq", { RANDOM } },
    { "object|idletime", { RANDOM } },
    { "object|refcount", { RANDOM } },
    { "ping", { SHARDS, ALL_OK } },
    { "pttl", { RANDOM } },
    { "randomkey", { SHARDS, RANDOM } },
    { "scan", { RANDOM, "request_policy:special" } },
    { "script|flush", { NODES, ALL_OK } },
    { "slowlog|get", { NODES, RANDOM } },
    { "slowlog|len", { NODES, SUM, RANDOM } },
    { "slowlog|reset", { NODES, ALL_OK } },
    { "time", { RANDOM } },
    { "touch", { BY_KEY, SUM } },
    { "ttl", { RANDOM } },
    { "unlink", { BY_KEY, SUM } },
    { "wait", { SHARDS, "response_policy:agg_min" } },
};

void command_reply_tips(struct resp_writer *w, const struct command *command)
{
    size_t row = 0;
    while (row < ARRAY_SIZE(rows) && strcmp(rows[row].name, command->name) != 0) {
        row++;
    }
    size_t count = 0;
    while (row < ARRAY_SIZE(rows) && count < TIPS_MAX && rows[row].tips[count] != NULL) {
        count++;
    }
    resp_set(w, count);
    for (size_t i = 0; i < count; i++) {
        resp_bulk_text(w, rows[row].tips[i]);
    }
}
