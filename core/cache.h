/*
 * cache: entries that read turns have loaded, kept for later read turns, only while no other core writes. One for the
 * process, one thread, a bounded number of bytes; the least recently used half goes first, roughly (CLOCK).
 *
 * It is never stale, because nothing is taken from it on trust:
 *
 *   other cores   Every write transaction of every core moves its row in cofre.writer (the fence). A read turn that uses
 *                 the cache asks what the other rows say, in the round trip that it makes anyway or in one of its own;
 *                 only if they still say what they said when the entries were loaded does its answer count. So a cached
 *                 read is as fresh as a loaded one, without clocks or leases. When they have moved, all is forgotten.
 *   own writes    A key is in writing from before its statement is sent until its outcome is known. Meanwhile it is
 *                 neither found nor filled in.
 *   doubt         While nobody knows whether a turn has committed, or a database is being emptied, the cache is held.
 */
#ifndef COFRE_CACHE_H
#define COFRE_CACHE_H

#include "entry.h"

struct cache;

/* What the rows of cofre.writer that are not this core's say: three sums that cannot all stay when one of them moves. */
struct cache_others {
    int64_t turns;  /* all their turns, added up */
    int64_t count;  /* how many they are */
    int64_t newest; /* the greatest id */
};

/* Where the cache stood when a read turn looked into it. */
struct cache_mark {
    uint64_t generation;
    uint64_t clock;
    struct cache_others others;
};

/* An entry of the cache. Read only, and only between cache_find and cache_unpin. */
struct cached {
    struct cached *bucket_next;
    struct cached *prev; /* the ring that the hand goes around */
    struct cached *next;
    uint64_t generation;
    uint64_t hash;
    int64_t revision; /* 0: no row; REVISION_UNKNOWN: written by this core since it was loaded */
    int64_t expires_at;
    size_t length; /* of the value */
    size_t room;   /* for the value */
    uint32_t db;
    uint32_t key_length;
    uint32_t pins;
    bool row;
    bool used;       /* since the hand was here */
    bool dropped;    /* out of the table; freed with the last pin */
    uint8_t bytes[]; /* key, value */
};

/* cache_new: bytes is the most that it holds; 0: nothing ever. */
struct cache *cache_new(size_t bytes);
void cache_free(struct cache *c); /* nothing may be pinned any more */

/* cache_usable says whether a turn may look into it now, and sets *mark. */
bool cache_usable(const struct cache *c, uint64_t monotonic_ms, struct cache_mark *mark);
/* cache_wants_others: it has not been told yet, so that nothing could be kept. */
bool cache_wants_others(const struct cache *c, uint64_t monotonic_ms);
/* cache_prefetch: the key will be looked up soon; first its bucket, somewhat later what is there. */
enum cache_prefetch { PREFETCH_BUCKET, PREFETCH_ENTRY };
void cache_prefetch(const struct cache *c, uint64_t hash, enum cache_prefetch what);
/* cache_find returns the entry, pinned, or NULL. hash is the working set's of db and key. */
struct cached *cache_find(struct cache *c, uint64_t hash, uint32_t db, struct slice key);
void cache_unpin(struct cache *c, struct cached *e);
struct slice cached_value(const struct cached *e);
/* cache_current: an entry found earlier would still be found. */
bool cache_current(const struct cache *c, const struct cached *e);
/*
 * cache_check takes in what the other rows say; the statement's snapshot must be younger than the mark. False: what was
 * found since the mark must not be used.
 */
bool cache_check(struct cache *c, const struct cache_mark *mark, const struct cache_others *others,
                 uint64_t monotonic_ms);
/* cache_fill keeps an entry that was loaded whole after the mark, if nothing was written to it meanwhile. */
void cache_fill(struct cache *c, const struct cache_mark *mark, const struct entry *e);

/*
 * cache_write_begin: a statement that writes the key is about to be sent; returns the time for cache_update.
 * cache_write_end: its outcome is known.
 */
uint64_t cache_write_begin(struct cache *c, uint64_t hash);
void cache_write_end(struct cache *c, uint64_t hash);
/*
 * cache_update: the write was committed. The entry is kept, if the turn knows it whole (after EXPIRE it does not) and nobody
 * else has written since it began. mark: from before the write began. Before cache_write_end.
 */
void cache_update(struct cache *c, const struct cache_mark *mark, uint64_t began,
                  const struct entry *e);

/* cache_hold forgets all, and keeps nothing until each hold was released. */
void cache_hold(struct cache *c);
void cache_release(struct cache *c);
void cache_clear(struct cache *c);

struct cache_figures {
    uint64_t hits, misses, forgotten; /* forgotten: times that another core's write emptied it */
    size_t entries, bytes, max_bytes;
};
struct cache_figures cache_figures(const struct cache *c);
void cache_reset_figures(struct cache *c); /* hits, misses, forgotten */

/* cache_resize changes how much it may hold; what is over goes at once. */
void cache_resize(struct cache *c, size_t bytes);

#endif
