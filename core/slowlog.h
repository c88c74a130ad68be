/*
 * slowlog: the calls that cost most lately, for SLOWLOG. Each keyspace has a log of its own: a private one shows in nobody
 * else's, and a busy neighbour pushes nothing out of it. Memory alone.
 */
#ifndef COFRE_SLOWLOG_H
#define COFRE_SLOWLOG_H

#include "command_table.h"

struct slowlog;

/* What an entry is made of, borrowed by slowlog_add; arguments are cut as Redis cuts them. */
struct slow_call {
    const struct command *command;
    const struct slice *argv;
    uint32_t argc;
    int64_t at;       /* unix s */
    uint64_t cost_us; /* command_stats.h */
    struct slice peer;
    struct slice name;
};

enum { SLOWLOG_ARGS = 32, SLOWLOG_ARG_BYTES = 128 };

struct slow_entry {
    struct slow_entry *next; /* the one before it in time */
    struct slow_entry *newer;
    int64_t id;
    int64_t at;
    uint64_t cost_us;
    struct slice peer;
    struct slice name;
    uint32_t argc;
    struct slice argv[SLOWLOG_ARGS];
    uint8_t bytes[];
};

struct slowlog *slowlog_new(size_t max);
void slowlog_free(struct slowlog *log);

/* slowlog_limit: so many entries are kept for each keyspace; what is over goes at once. */
void slowlog_limit(struct slowlog *log, size_t max);
void slowlog_add(struct slowlog *log, uint32_t keyspace, const struct slow_call *call);
void slowlog_reset(struct slowlog *log, uint32_t keyspace);
size_t slowlog_length(const struct slowlog *log, uint32_t keyspace);
const struct slow_entry *slowlog_first(const struct slowlog *log,
                                       uint32_t keyspace); /* the newest */

#endif
