/*
 * The cache: a hash table of fixed size, and a ring of all entries around which a hand goes to make room (CLOCK). To forget
 * everything is to raise the generation: older entries are as good as gone, and the hand collects them.
 */
#include "cache.h"

#include <stdlib.h>
#include <string.h>

enum {
    BYTES_EACH = 256,   /* a guess at an entry's size, for the size of the table */
    LARGEST_SHARE = 64, /* no entry takes more than one part in so many */
    SLOTS = 32768,      /* a power of two */
    REST_MS = 50,       /* after another core wrote, it probably writes again */
};

/* Keys in writing, by hash: keys that share a slot are only more careful than need be. */
struct slot {
    uint64_t clock; /* when a write last began or ended here */
    uint32_t writing;
};

struct cache {
    struct cached **buckets;
    size_t mask;
    struct cached *hand;
    uint64_t generation;
    uint64_t clock; /* moves on with each write that begins or ends */
    unsigned holds;
    bool others_known;
    struct cache_others others;
    uint64_t rests_until_ms;
    struct cache_figures figures;
    struct slot slots[SLOTS];
};

static size_t buckets_for(size_t bytes)
{
    size_t buckets = 1;
    while (buckets < bytes / BYTES_EACH)
        buckets *= 2;
    return buckets;
}

struct cache *cache_new(size_t bytes)
{
    struct cache *c = mem_zalloc(sizeof(*c));
    const size_t buckets = buckets_for(bytes);
    c->buckets = mem_zalloc(buckets * sizeof(*c->buckets));
    c->mask = buckets - 1;
    c->figures.max_bytes = bytes;
    return c;
}

/* --- table and ring ----------------------------------------------------------------------- */

static size_t size_of(const struct cached *e)
{
    return sizeof(*e) + e->key_length + e->room;
}

static struct slice key_of(const struct cached *e)
{
    return (struct slice){ e->bytes, e->key_length };
}

struct slice cached_value(const struct cached *e)
{
    return (struct slice){ e->bytes + e->key_length, e->length };
}

static void ring_add(struct cache *c, struct cached *e)
{
    if (c->hand == NULL) {
        e->prev = e->next = e;
        c->hand = e;
        return;
    }
    e->next = c->hand; /* behind the hand: it comes here last */
    e->prev = c->hand->prev;
    e->prev->next = e;
    e->next->prev = e;
}

static void ring_remove(struct cache *c, struct cached *e)
{
    if (c->hand == e)
        c->hand = e->next == e ? NULL : e->next;
    e->prev->next = e->next;
    e->next->prev = e->prev;
}

static void drop(struct cache *c, struct cached *e)
{
    struct cached **at = &c->buckets[e->hash & c->mask];
    while (*at != e)
        at = &(*at)->bucket_next;
    *at = e->bucket_next;
    ring_remove(c, e);
    c->figures.entries--;
    c->figures.bytes -= size_of(e);
    e->dropped = true;
    if (e->pins == 0)
        free(e);
}

void cache_free(struct cache *c)
{
    if (c == NULL)
        return;
    while (c->hand)
        drop(c, c->hand);
    free(c->buckets);
    free(c);
}

static void make_room(struct cache *c, size_t bytes)
{
    while (c->hand && c->figures.bytes + bytes > c->figures.max_bytes) {
        struct cached *e = c->hand;
        const bool spared = e->used && e->generation == c->generation;
        e->used = false;
        if (spared)
            c->hand = e->next;
        else
            drop(c, e);
    }
}

static struct cached *lookup(const struct cache *c, uint64_t hash, uint32_t db, struct slice key)
{
    struct cached *e = c->buckets[hash & c->mask];
    while (e && !(e->hash == hash && e->db == db && slice_eq(key_of(e), key)))
        e = e->bucket_next;
    return e;
}

static void set(struct cached *c, const struct entry *e, int64_t revision, uint64_t generation)
{
    c->generation = generation;
    c->revision = revision;
    c->expires_at = e->exists || e->expires_at ? e->expires_at : ENTRY_OVER;
    c->row = e->row || revision == REVISION_UNKNOWN;
    c->length = e->exists ? e->value.len : 0;
    if (c->length)
        memcpy(c->bytes + c->key_length, e->value.p, c->length);
}

static void add(struct cache *c, const struct entry *e, int64_t revision)
{
    const size_t room = e->exists ? e->value.len : 0;
    const size_t size = sizeof(struct cached) + e->key.len + room;
    if (size > c->figures.max_bytes / LARGEST_SHARE)
        return;
    make_room(c, size);
    struct cached *new = mem_alloc(size);
    struct cached **bucket = &c->buckets[e->hash & c->mask];
    *new = (struct cached){ .bucket_next = *bucket,
                            .hash = e->hash,
                            .db = e->db,
                            .room = room,
                            .key_length = (uint32_t)e->key.len };
    memcpy(new->bytes, e->key.p, e->key.len);
    set(new, e, revision, c->generation);
    *bucket = new;
    ring_add(c, new);
    c->figures.entries++;
    c->figures.bytes += size;
}

/* replace puts the entry in the place of `old` (NULL: none), which mostly has the room. */
static void replace(struct cache *c, struct cached *old, const struct entry *e, int64_t revision)
{
    const size_t length = e->exists ? e->value.len : 0;
    if (old && old->pins == 0 && length <= old->room && length >= old->room / 2) {
        set(old, e, revision, c->generation);
        return;
    }
    if (old)
        drop(c, old);
    add(c, e, revision);
}

/* --- reads -------------------------------------------------------------------------------- */

static struct slot *slot_of(struct cache *c, uint64_t hash)
{
    return &c->slots[hash >> 32 & (SLOTS - 1)];
}

static bool in_writing(const struct cache *c, uint64_t hash)
{
    return c->slots[hash >> 32 & (SLOTS - 1)].writing > 0;
}

void cache_prefetch(const struct cache *c, uint64_t hash, enum cache_prefetch what)
{
    struct cached *const *bucket = &c->buckets[hash & c->mask];
    if (what == PREFETCH_BUCKET)
        __builtin_prefetch(bucket);
    else if (*bucket)
        __builtin_prefetch(*bucket);
}

bool cache_usable(const struct cache *c, uint64_t monotonic_ms, struct cache_mark *mark)
{
    *mark = (struct cache_mark){ c->generation, c->clock, c->others };
    return c->figures.max_bytes > 0 && c->holds == 0 && monotonic_ms >= c->rests_until_ms;
}

bool cache_wants_others(const struct cache *c, uint64_t monotonic_ms)
{
    return c->figures.max_bytes > 0 && !c->others_known && monotonic_ms >= c->rests_until_ms;
}

bool cache_current(const struct cache *c, const struct cached *e)
{
    return c->holds == 0 && !e->dropped && e->generation == c->generation &&
           !in_writing(c, e->hash);
}

struct cached *cache_find(struct cache *c, uint64_t hash, uint32_t db, struct slice key)
{
    struct cached *e = lookup(c, hash, db, key);
    if (e == NULL || !cache_current(c, e)) {
        c->figures.misses++;
        return NULL;
    }
    c->figures.hits++;
    e->used = true;
    e->pins++;
    return e;
}

void cache_unpin(struct cache *c, struct cached *e)
{
    (void)c;
    if (--e->pins == 0 && e->dropped)
        free(e);
}

static bool same(const struct cache_others *a, const struct cache_others *b)
{
    return a->turns == b->turns && a->count == b->count && a->newest == b->newest;
}

bool cache_check(struct cache *c, const struct cache_mark *mark, const struct cache_others *others,
                 uint64_t monotonic_ms)
{
    if (!c->others_known) {
        c->others_known = true;
        c->others = *others;
        cache_clear(c);
    } else if (!same(others, &c->others)) {
        c->others_known = false;
        c->rests_until_ms = monotonic_ms + REST_MS;
        c->figures.forgotten++;
        cache_clear(c);
    }
    return same(others, &mark->others);
}

void cache_fill(struct cache *c, const struct cache_mark *mark, const struct entry *e)
{
    const struct slot *slot = slot_of(c, e->hash);
    if (c->holds == 0 && mark->generation == c->generation && slot->writing == 0 &&
        slot->clock <= mark->clock)
        replace(c, lookup(c, e->hash, e->db, e->key), e, e->revision);
}

/* --- writes ------------------------------------------------------------------------------- */

uint64_t cache_write_begin(struct cache *c, uint64_t hash)
{
    struct slot *slot = slot_of(c, hash);
    slot->writing++;
    slot->clock = ++c->clock;
    return slot->clock;
}

void cache_write_end(struct cache *c, uint64_t hash)
{
    struct slot *slot = slot_of(c, hash);
    slot->writing--;
    slot->clock = ++c->clock;
}

/* Two lanes that write one key settle in any order: then nobody here knows whose value it has. */
static bool wrote_alone(const struct slot *slot, uint64_t began)
{
    return slot->writing == 1 && slot->clock == began;
}

void cache_update(struct cache *c, const struct cache_mark *mark, uint64_t began,
                  const struct entry *e)
{
    const bool whole = e->loaded == NEED_VALUE || e->value_changed;
    struct cached *old = lookup(c, e->hash, e->db, e->key);
    if (whole && c->holds == 0 && c->generation == mark->generation &&
        wrote_alone(slot_of(c, e->hash), began))
        replace(c, old, e, REVISION_UNKNOWN);
    else if (old)
        drop(c, old);
}

void cache_clear(struct cache *c)
{
    c->generation++;
}

void cache_hold(struct cache *c)
{
    c->holds++;
    cache_clear(c);
}

void cache_release(struct cache *c)
{
    c->holds--;
    cache_clear(c);
}

struct cache_figures cache_figures(const struct cache *c)
{
    return c->figures;
}

void cache_reset_figures(struct cache *c)
{
    c->figures.hits = 0;
    c->figures.misses = 0;
    c->figures.forgotten = 0;
}

/* The table is made for a number of entries: all of them move to one of another size. */
static void resize_table(struct cache *c, size_t buckets)
{
    if (buckets == c->mask + 1)
        return;
    free(c->buckets);
    c->buckets = mem_zalloc(buckets * sizeof(*c->buckets));
    c->mask = buckets - 1;
    struct cached *e = c->hand;
    for (size_t i = 0; i < c->figures.entries; i++, e = e->next) {
        struct cached **bucket = &c->buckets[e->hash & c->mask];
        e->bucket_next = *bucket;
        *bucket = e;
    }
}

void cache_resize(struct cache *c, size_t bytes)
{
    if (bytes == c->figures.max_bytes)
        return;
    c->figures.max_bytes = bytes;
    make_room(c, 0);
    resize_table(c, buckets_for(bytes));
}
