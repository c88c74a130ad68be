/*
 * Keys and the clients that may hold them, in a hash table and a ring in which the oldest goes first when there are too
 * many. A key knows its clients by number: one that has left is passed over when the key's turn comes.
 */
#include "tracking.h"

#include <stdlib.h>

#include "broadcast.h"

enum {
    BUCKETS_MIN = 1024,
    CLIENT_BUCKETS_MIN = 64,
    CLOCKS = 16384, /* a power of two */
};

struct tracked {
    struct tracked *bucket_next;
    struct tracked *prev; /* all keys, the oldest first */
    struct tracked *next;
    uint64_t hash;
    uint64_t one;  /* the only client, */
    uint64_t *ids; /* or several in order of their numbers */
    uint32_t count;
    uint32_t cap; /* of ids; 0: `one` is meant */
    uint32_t keyspace;
    uint32_t length;
    uint8_t key[];
};

struct tracking {
    uint64_t seed;
    tracking_fn *fn;
    void *arg;
    struct broadcast *broadcast;
    struct tracked **buckets;
    size_t mask;
    struct tracked *oldest;
    struct tracked *newest;
    size_t keys, items, max_keys;
    struct tracker **clients; /* by id */
    size_t client_mask;
    size_t client_count;
    struct tracker *first_client;
    uint64_t clock;   /* moves on with each write */
    uint64_t emptied; /* when a database was last emptied */
    uint64_t clocks[CLOCKS];
};

struct tracking *tracking_new(size_t max_keys, tracking_fn *fn, void *arg)
{
    struct tracking *t = mem_zalloc(sizeof(*t));
    t->seed = slice_random_seed();
    t->fn = fn;
    t->arg = arg;
    t->max_keys = max_keys;
    t->broadcast = broadcast_new();
    t->buckets = mem_zalloc(BUCKETS_MIN * sizeof(struct tracked *));
    t->mask = BUCKETS_MIN - 1;
    t->clients = mem_zalloc(CLIENT_BUCKETS_MIN * sizeof(struct tracker *));
    t->client_mask = CLIENT_BUCKETS_MIN - 1;
    return t;
}

void tracking_free(struct tracking *t)
{
    if (t == NULL)
        return;
    broadcast_free(t->broadcast);
    free(t->buckets);
    free(t->clients);
    free(t);
}

/* --- keys ------------------------------------------------------------------------------------- */

static uint64_t hash_of(const struct tracking *t, uint32_t keyspace, struct slice key)
{
    return slice_hash(key, t->seed + keyspace);
}

static struct slice key_of(const struct tracked *k)
{
    return (struct slice){ k->key, k->length };
}

static struct tracked *find(const struct tracking *t, uint64_t hash, uint32_t keyspace,
                            struct slice key)
{
    struct tracked *k = t->buckets[hash & t->mask];
    while (k && !(k->hash == hash && k->keyspace == keyspace && slice_eq(key_of(k), key)))
        k = k->bucket_next;
    return k;
}

static void resize(struct tracking *t, size_t size)
{
    free(t->buckets);
    t->buckets = mem_zalloc(size * sizeof(struct tracked *));
    t->mask = size - 1;
    for (struct tracked *k = t->oldest; k; k = k->next) {
        struct tracked **bucket = &t->buckets[k->hash & t->mask];
        k->bucket_next = *bucket;
        *bucket = k;
    }
}

static struct tracked *add(struct tracking *t, uint64_t hash, uint32_t keyspace, struct slice key)
{
    if (t->keys > t->mask)
        resize(t, (t->mask + 1) * 2);
    struct tracked **bucket = &t->buckets[hash & t->mask];
    struct tracked *k = mem_alloc(sizeof(*k) + key.len);
    *k = (struct tracked){ .bucket_next = *bucket,
                           .prev = t->newest,
                           .hash = hash,
                           .keyspace = keyspace,
                           .length = (uint32_t)key.len };
    if (key.len)
        memcpy(k->key, key.p, key.len);
    *bucket = k;
    *(t->newest ? &t->newest->next : &t->oldest) = k;
    t->newest = k;
    t->keys++;
    return k;
}

static void drop(struct tracking *t, struct tracked *k)
{
    struct tracked **at = &t->buckets[k->hash & t->mask];
    while (*at != k)
        at = &(*at)->bucket_next;
    *at = k->bucket_next;
    *(k->prev ? &k->prev->next : &t->oldest) = k->next;
    *(k->next ? &k->next->prev : &t->newest) = k->prev;
    t->keys--;
    t->items -= k->count;
    if (k->cap)
        free(k->ids);
    free(k);
}

static void drop_keyspace(struct tracking *t, uint32_t keyspace)
{
    for (struct tracked *k = t->oldest, *next; k; k = next) {
        next = k->next;
        if (keyspace == TRACKING_EVERY_KEYSPACE || k->keyspace == keyspace)
            drop(t, k);
    }
    if (t->keys == 0 && t->mask >= BUCKETS_MIN)
        resize(t, BUCKETS_MIN);
}

/* position is where the id is, or where it belongs. Mostly that is the end: numbers grow. */
static uint32_t position(const uint64_t *ids, uint32_t count, uint64_t id)
{
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_client(struct tracking *t, struct tracked *k, uint64_t id)
{
    const uint64_t *ids = k->cap ? k->ids : &k->one;
    const uint32_t at = position(ids, k->count, id);
    if (at < k->count && ids[at] == id)
        return;
    t->items++;
    if (k->count == 0) {
        k->one = id;
        k->count = 1;
        return;
    }
    if (k->count >= k->cap) {
        const uint32_t cap = k->cap ? k->cap * 2 : 4;
        k->ids = mem_realloc(k->cap ? k->ids : NULL, cap * sizeof(uint64_t));
        if (k->cap == 0)
            k->ids[0] = k->one;
        k->cap = cap;
    }
    memmove(k->ids + at + 1, k->ids + at, (k->count - at) * sizeof(uint64_t));
    k->ids[at] = id;
    k->count++;
}

/* --- clients ---------------------------------------------------------------------------------- */

static struct tracker **client_bucket(const struct tracking *t, uint64_t id)
{
    return &t->clients[id & t->client_mask];
}

static struct tracker *find_client(const struct tracking *t, uint64_t id)
{
    struct tracker *c = *client_bucket(t, id);
    while (c && c->id != id)
        c = c->bucket_next;
    return c;
}

static void put_client(struct tracking *t, struct tracker *c)
{
    struct tracker **bucket = client_bucket(t, c->id);
    c->bucket_next = *bucket;
    *bucket = c;
}

static void enter(struct tracking *t, struct tracker *c)
{
    if (++t->client_count > t->client_mask) {
        free(t->clients);
        t->client_mask = t->client_mask * 2 + 1;
        t->clients = mem_zalloc((t->client_mask + 1) * sizeof(struct tracker *));
        for (struct tracker *each = t->first_client; each; each = each->next)
            put_client(t, each);
    }
    put_client(t, c);
    c->prev = NULL;
    c->next = t->first_client;
    if (c->next)
        c->next->prev = c;
    t->first_client = c;
}

static void leave(struct tracking *t, struct tracker *c)
{
    struct tracker **at = client_bucket(t, c->id);
    while (*at != c)
        at = &(*at)->bucket_next;
    *at = c->bucket_next;
    *(c->prev ? &c->prev->next : &t->first_client) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    t->client_count--;
}

void tracking_start(struct tracking *t, struct tracker *c, uint64_t id, uint32_t keyspace,
                    uint32_t flags, uint64_t redirect, const struct slice *prefixes, size_t count)
{
    if (!(c->flags & TRACKING_ON)) {
        c->id = id;
        c->keyspace = keyspace;
        enter(t, c);
    }
    c->flags = flags | TRACKING_ON;
    c->redirect = redirect;
    if (!(flags & TRACKING_BCAST))
        return;
    for (size_t i = 0; i < count; i++)
        broadcast_add(t->broadcast, c, prefixes[i]);
    if (count == 0)
        broadcast_add(t->broadcast, c, SLICE(""));
}

void tracking_stop(struct tracking *t, struct tracker *c)
{
    if (!(c->flags & TRACKING_ON))
        return;
    broadcast_leave(t->broadcast, c);
    leave(t, c);
    c->flags = 0;
    c->redirect = 0;
    if (t->client_count == 0)
        drop_keyspace(t, TRACKING_EVERY_KEYSPACE);
}

/* --- reads and writes --------------------------------------------------------------------------- */

uint64_t tracking_mark(const struct tracking *t)
{
    return t->clock;
}

bool tracking_moved(const struct tracking *t, uint32_t keyspace, struct slice key, uint64_t mark)
{
    return t->emptied > mark || t->clocks[hash_of(t, keyspace, key) & (CLOCKS - 1)] > mark;
}

/* tell tells everybody who may hold the key, but `by` where it asked for that, and forgets the key. */
static void tell(struct tracking *t, struct tracked *k, uint64_t by)
{
    const struct slice key = key_of(k);
    const uint64_t *ids = k->cap ? k->ids : &k->one;
    for (uint32_t i = 0; i < k->count; i++) {
        struct tracker *c = find_client(t, ids[i]);
        if (c && !(c->flags & TRACKING_BCAST) && !(c->flags & TRACKING_NOLOOP && c->id == by))
            t->fn(t->arg, c, &key, 1);
    }
    drop(t, k);
}

static void make_room(struct tracking *t)
{
    while (t->max_keys && t->keys > t->max_keys)
        tell(t, t->oldest, 0);
}

void tracking_read(struct tracking *t, struct tracker *c, struct slice key, bool doubt)
{
    if (!(c->flags & TRACKING_ON))
        return;
    if (doubt) {
        if (!(c->flags & TRACKING_BCAST) || broadcast_covers(c, key))
            t->fn(t->arg, c, &key, 1);
        return;
    }
    if (c->flags & TRACKING_BCAST)
        return;
    const uint64_t hash = hash_of(t, c->keyspace, key);
    struct tracked *k = find(t, hash, c->keyspace, key);
    add_client(t, k ? k : add(t, hash, c->keyspace, key), c->id);
    make_room(t);
}

void tracking_wrote(struct tracking *t, uint32_t keyspace, struct slice key, uint64_t by)
{
    if (t->client_count == 0)
        return;
    const uint64_t hash = hash_of(t, keyspace, key);
    t->clocks[hash & (CLOCKS - 1)] = ++t->clock;
    struct tracked *k = find(t, hash, keyspace, key);
    if (k)
        tell(t, k, by);
    broadcast_wrote(t->broadcast, keyspace, key, by);
}

void tracking_emptied(struct tracking *t, uint32_t keyspace)
{
    t->emptied = ++t->clock;
    drop_keyspace(t, keyspace);
    for (struct tracker *c = t->first_client; c; c = c->next)
        if (keyspace == TRACKING_EVERY_KEYSPACE || c->keyspace == keyspace)
            t->fn(t->arg, c, NULL, 0);
}

void tracking_broadcast(struct tracking *t)
{
    broadcast_tell(t->broadcast, t->fn, t->arg);
}

void tracking_limit(struct tracking *t, size_t max_keys)
{
    t->max_keys = max_keys;
    make_room(t);
}

struct tracking_figures tracking_figures(const struct tracking *t)
{
    return (struct tracking_figures){ t->client_count, t->keys, t->items,
                                      broadcast_prefixes(t->broadcast) };
}
