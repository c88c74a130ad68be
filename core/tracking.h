/*
 * tracking: which clients may hold which keys in a cache of their own (CLIENT TRACKING), and so what they must be told to
 * forget. Pure: it calls back and sends nothing. Keys count by keyspace and name, whatever the database, as in Redis.
 *
 * Reads and writes run side by side, so that a reply may be older than a write that was told of before it left. So a read
 * takes a mark before it asks the database, and each write moves the clock of its key: a settled read whose key has moved
 * since its mark is not remembered but told to be forgotten at once. Keys share clocks: now and then one is told too many.
 */
#ifndef COFRE_TRACKING_H
#define COFRE_TRACKING_H

#include "base/slice.h"

enum tracking_flag {
    TRACKING_ON = 1 << 0,
    TRACKING_BCAST = 1 << 1,
    TRACKING_OPTIN = 1 << 2,
    TRACKING_OPTOUT = 1 << 3,
    TRACKING_NOLOOP = 1 << 4,
    TRACKING_CACHING = 1 << 5, /* CLIENT CACHING was called: it is about the next command */
    TRACKING_BROKEN = 1 << 6,  /* the client that it redirects to was found gone */
};

enum { TRACKING_EVERY_KEYSPACE = UINT32_MAX };

struct tracking;
struct broadcast_user;

/* A client: zeroed at first, part of its session. Others read `flags` and `redirect`; CACHING and BROKEN are theirs to set. */
struct tracker {
    uint64_t id; /* its session's */
    uint32_t keyspace;
    uint32_t flags;
    uint64_t redirect; /* the session that is told in its place; 0: none */
    struct broadcast_user *prefixes;
    struct tracker *bucket_next;
    struct tracker *prev;
    struct tracker *next;
};

/* What is called: these keys are to be forgotten; keys == NULL: all. It must not change who tracks. */
typedef void tracking_fn(void *arg, struct tracker *c, const struct slice *keys, size_t count);

/* tracking_new: max_keys is the most that are remembered, 0: any number. */
struct tracking *tracking_new(size_t max_keys, tracking_fn *fn, void *arg);
void tracking_free(struct tracking *t); /* nobody may be tracking any more */

/* tracking_start sets c up, or changes its options; in BCAST mode without prefixes: all keys, and prefixes add up. */
void tracking_start(struct tracking *t, struct tracker *c, uint64_t id, uint32_t keyspace,
                    uint32_t flags, uint64_t redirect, const struct slice *prefixes, size_t count);
void tracking_stop(struct tracking *t, struct tracker *c);

/*
 * tracking_overlap finds two prefixes of which one begins with the other, among those given and those that c has (their
 * ends in *one and *other; in_use: *other is one that c has). False: none.
 */
bool tracking_overlap(const struct tracker *c, const struct slice *prefixes, size_t count,
                      struct slice *one, struct slice *other, bool *in_use);
/* tracking_each_prefix visits c's prefixes in order of their bytes. */
void tracking_each_prefix(const struct tracker *c, void (*fn)(void *arg, struct slice prefix),
                          void *arg);
size_t tracking_prefixes(const struct tracker *c);

/* --- reads ------------------------------------------------------------------------------ */

uint64_t tracking_mark(const struct tracking *t);
/* tracking_moved: a write may have come between the mark and now. */
bool tracking_moved(const struct tracking *t, uint32_t keyspace, struct slice key, uint64_t mark);
/* tracking_read: the client has been sent what the key holds; in doubt it is told at once to forget it. */
void tracking_read(struct tracking *t, struct tracker *c, struct slice key, bool doubt);

/* --- writes ----------------------------------------------------------------------------- */

/* tracking_wrote: by is the session that did it (NOLOOP), 0: none. Clients in BCAST mode are told by tracking_broadcast. */
void tracking_wrote(struct tracking *t, uint32_t keyspace, struct slice key, uint64_t by);
void tracking_emptied(struct tracking *t, uint32_t keyspace); /* or TRACKING_EVERY_KEYSPACE */
/* tracking_broadcast tells clients in BCAST mode of what was written since the last call; each key once. */
void tracking_broadcast(struct tracking *t);

void tracking_limit(struct tracking *t, size_t max_keys); /* what is over is told to be forgotten */

struct tracking_figures {
    size_t clients, keys, items, prefixes; /* items: pairs of a key and a client */
};
struct tracking_figures tracking_figures(const struct tracking *t);

#endif
