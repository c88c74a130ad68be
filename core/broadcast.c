/* Prefixes in a hash table, and the lengths that they have, so that a key's prefixes are found without trying them all. */
#include "broadcast.h"

#include <stdlib.h>

enum { BUCKETS_MIN = 64, PENDING_MAX_KEPT = 1024 };

/* A key that was written; the last writer counts (NOLOOP). */
struct pending {
    struct slice key; /* owned */
    uint64_t by;
    size_t order;
};

struct prefix {
    struct prefix *bucket_next;
    struct prefix *told_next; /* the list of those with pending keys */
    uint64_t hash;
    struct broadcast_user *users;
    struct pending *pending;
    size_t pending_count, pending_cap;
    uint32_t keyspace;
    size_t length;
    uint8_t bytes[];
};

struct broadcast_user {
    struct prefix *prefix;
    struct tracker *client;
    struct broadcast_user *prev; /* the prefix's */
    struct broadcast_user *next;
    struct broadcast_user *own_next; /* the client's, in order of bytes */
};

struct length {
    size_t length;
    size_t prefixes;
};

struct broadcast {
    uint64_t seed;
    struct prefix **buckets;
    size_t mask;
    size_t count;
    struct length *lengths;
    size_t length_count, length_cap;
    struct prefix *told; /* with pending keys */
    struct prefix **told_last;
};

struct broadcast *broadcast_new(void)
{
    struct broadcast *b = mem_zalloc(sizeof(*b));
    b->seed = slice_random_seed();
    b->buckets = mem_zalloc(BUCKETS_MIN * sizeof(struct prefix *));
    b->mask = BUCKETS_MIN - 1;
    b->told_last = &b->told;
    return b;
}

void broadcast_free(struct broadcast *b)
{
    if (b == NULL)
        return;
    free(b->buckets);
    free(b->lengths);
    free(b);
}

size_t broadcast_prefixes(const struct broadcast *b)
{
    return b->count;
}

/* --- prefixes ------------------------------------------------------------------------------- */

static struct slice bytes_of(const struct prefix *p)
{
    return (struct slice){ p->bytes, p->length };
}

static struct prefix *find(const struct broadcast *b, uint32_t keyspace, struct slice bytes)
{
    const uint64_t hash = slice_hash(bytes, b->seed + keyspace);
    struct prefix *p = b->buckets[hash & b->mask];
    while (p && !(p->hash == hash && p->keyspace == keyspace && slice_eq(bytes_of(p), bytes)))
        p = p->bucket_next;
    return p;
}

static void count_length(struct broadcast *b, size_t length, bool more)
{
    size_t i = 0;
    while (i < b->length_count && b->lengths[i].length != length)
        i++;
    if (i == b->length_count) {
        if (b->length_count == b->length_cap) {
            b->length_cap = b->length_cap ? b->length_cap * 2 : 8;
            b->lengths = mem_realloc(b->lengths, b->length_cap * sizeof(*b->lengths));
        }
        b->lengths[b->length_count++] = (struct length){ length, 0 };
    }
    b->lengths[i].prefixes += more ? 1 : (size_t)-1;
    if (b->lengths[i].prefixes == 0)
        b->lengths[i] = b->lengths[--b->length_count];
}

static void grow(struct broadcast *b)
{
    if (b->count <= b->mask)
        return;
    struct prefix **old = b->buckets;
    const size_t old_size = b->mask + 1;
    b->mask = old_size * 2 - 1;
    b->buckets = mem_zalloc((b->mask + 1) * sizeof(struct prefix *));
    for (size_t i = 0; i < old_size; i++)
        for (struct prefix *p = old[i], *next; p; p = next) {
            next = p->bucket_next;
            struct prefix **bucket = &b->buckets[p->hash & b->mask];
            p->bucket_next = *bucket;
            *bucket = p;
        }
    free(old);
}

static struct prefix *add_prefix(struct broadcast *b, uint32_t keyspace, struct slice bytes)
{
    b->count++;
    grow(b);
    struct prefix *p = mem_alloc(sizeof(*p) + bytes.len);
    const uint64_t hash = slice_hash(bytes, b->seed + keyspace);
    struct prefix **bucket = &b->buckets[hash & b->mask];
    *p = (struct prefix){
        .bucket_next = *bucket, .hash = hash, .keyspace = keyspace, .length = bytes.len
    };
    if (bytes.len)
        memcpy(p->bytes, bytes.p, bytes.len);
    *bucket = p;
    count_length(b, bytes.len, true);
    return p;
}

static void clear_pending(struct prefix *p)
{
    for (size_t i = 0; i < p->pending_count; i++)
        free((void *)p->pending[i].key.p);
    p->pending_count = 0;
    if (p->pending_cap <= PENDING_MAX_KEPT)
        return;
    free(p->pending);
    p->pending = NULL;
    p->pending_cap = 0;
}

static void forget_told(struct broadcast *b, struct prefix *p)
{
    struct prefix **at = &b->told;
    while (*at != p)
        at = &(*at)->told_next;
    *at = p->told_next;
    if (b->told_last == &p->told_next)
        b->told_last = at;
}

static void drop_prefix(struct broadcast *b, struct prefix *p)
{
    struct prefix **at = &b->buckets[p->hash & b->mask];
    while (*at != p)
        at = &(*at)->bucket_next;
    *at = p->bucket_next;
    b->count--;
    count_length(b, p->length, false);
    if (p->pending_count)
        forget_told(b, p);
    clear_pending(p);
    free(p->pending);
    free(p);
}

/* --- clients -------------------------------------------------------------------------------- */

void broadcast_add(struct broadcast *b, struct tracker *c, struct slice bytes)
{
    struct broadcast_user **at = &c->prefixes;
    while (*at && slice_cmp(bytes_of((*at)->prefix), bytes) < 0)
        at = &(*at)->own_next;
    if (*at && slice_eq(bytes_of((*at)->prefix), bytes))
        return;
    struct prefix *p = find(b, c->keyspace, bytes);
    if (p == NULL)
        p = add_prefix(b, c->keyspace, bytes);
    struct broadcast_user *u = mem_alloc(sizeof(*u));
    *u = (struct broadcast_user){ .prefix = p, .client = c, .next = p->users, .own_next = *at };
    if (p->users)
        p->users->prev = u;
    p->users = u;
    *at = u;
}

static void drop_user(struct broadcast *b, struct broadcast_user *u)
{
    struct prefix *p = u->prefix;
    *(u->prev ? &u->prev->next : &p->users) = u->next;
    if (u->next)
        u->next->prev = u->prev;
    free(u);
    if (p->users == NULL)
        drop_prefix(b, p);
}

void broadcast_leave(struct broadcast *b, struct tracker *c)
{
    while (c->prefixes) {
        struct broadcast_user *next = c->prefixes->own_next;
        drop_user(b, c->prefixes);
        c->prefixes = next;
    }
}

bool broadcast_covers(const struct tracker *c, struct slice key)
{
    const struct broadcast_user *u = c->prefixes;
    while (u && !slice_starts_with(key, bytes_of(u->prefix)))
        u = u->own_next;
    return u != NULL;
}

void tracking_each_prefix(const struct tracker *c, void (*fn)(void *arg, struct slice prefix),
                          void *arg)
{
    for (const struct broadcast_user *u = c->prefixes; u; u = u->own_next)
        fn(arg, bytes_of(u->prefix));
}

size_t tracking_prefixes(const struct tracker *c)
{
    size_t n = 0;
    for (const struct broadcast_user *u = c->prefixes; u; u = u->own_next)
        n++;
    return n;
}

/* --- overlap -------------------------------------------------------------------------------- */

struct candidate {
    struct slice bytes;
    size_t given; /* position among the given ones; SIZE_MAX: the client has it */
};

static int by_bytes(const void *a, const void *b)
{
    const struct candidate *x = a;
    const struct candidate *y = b;
    const int order = slice_cmp(x->bytes, y->bytes);
    return order ? order : x->given < y->given ? -1 : x->given > y->given;
}

/*
 * In order of bytes, whatever begins with a prefix follows it directly: neighbours are all that must be compared. The empty
 * prefix, which a client in BCAST mode gets without naming it, may be in use beside others, and overlaps with anything new.
 */
bool tracking_overlap(const struct tracker *c, const struct slice *prefixes, size_t count,
                      struct slice *one, struct slice *other, bool *in_use)
{
    if (count == 0)
        return false;
    if (c->prefixes && c->prefixes->prefix->length == 0) {
        *one = prefixes[0];
        *other = SLICE("");
        *in_use = true;
        return true;
    }
    struct candidate *all = mem_alloc((count + tracking_prefixes(c) + 1) * sizeof(*all));
    size_t n = 0;
    for (; n < count; n++)
        all[n] = (struct candidate){ prefixes[n], n };
    for (const struct broadcast_user *u = c->prefixes; u; u = u->own_next)
        all[n++] = (struct candidate){ bytes_of(u->prefix), SIZE_MAX };
    qsort(all, n, sizeof(*all), by_bytes);
    size_t i = 1;
    while (i < n && !slice_starts_with(all[i].bytes, all[i - 1].bytes))
        i++;
    if (i < n) {
        const bool first = all[i - 1].given < all[i].given;
        *one = all[first ? i - 1 : i].bytes;
        *other = all[first ? i : i - 1].bytes;
        *in_use = all[first ? i : i - 1].given == SIZE_MAX;
    }
    free(all);
    return i < n;
}

/* --- what was written ----------------------------------------------------------------------- */

static void add_pending(struct broadcast *b, struct prefix *p, struct slice key, uint64_t by)
{
    if (p->pending_count == 0) {
        p->told_next = NULL;
        *b->told_last = p;
        b->told_last = &p->told_next;
    }
    if (p->pending_count == p->pending_cap) {
        p->pending_cap = p->pending_cap ? p->pending_cap * 2 : 8;
        p->pending = mem_realloc(p->pending, p->pending_cap * sizeof(*p->pending));
    }
    p->pending[p->pending_count] = (struct pending){ slice_dup(key), by, p->pending_count };
    p->pending_count++;
}

void broadcast_wrote(struct broadcast *b, uint32_t keyspace, struct slice key, uint64_t by)
{
    for (size_t i = 0; i < b->length_count; i++) {
        if (b->lengths[i].length > key.len)
            continue;
        struct prefix *p = find(b, keyspace, (struct slice){ key.p, b->lengths[i].length });
        if (p)
            add_pending(b, p, key, by);
    }
}

static int by_key(const void *a, const void *b)
{
    const struct pending *x = a;
    const struct pending *y = b;
    const int order = slice_cmp(x->key, y->key);
    return order ? order : x->order < y->order ? -1 : x->order > y->order;
}

/* tell_user: without what the client wrote itself, if it asked for that. */
static void tell_user(const struct prefix *p, const struct broadcast_user *u, struct slice *keys,
                      tracking_fn *fn, void *arg)
{
    size_t n = 0;
    for (size_t i = 0; i < p->pending_count; i++) {
        const struct pending *k = &p->pending[i];
        const bool again = i + 1 < p->pending_count && slice_eq(k->key, k[1].key);
        if (!again && !(u->client->flags & TRACKING_NOLOOP && k->by == u->client->id))
            keys[n++] = k->key;
    }
    if (n)
        fn(arg, u->client, keys, n);
}

void broadcast_tell(struct broadcast *b, tracking_fn *fn, void *arg)
{
    for (struct prefix *p = b->told; p; p = p->told_next) {
        struct slice *keys = mem_alloc(p->pending_count * sizeof(*keys));
        qsort(p->pending, p->pending_count, sizeof(*p->pending), by_key);
        for (const struct broadcast_user *u = p->users; u; u = u->next)
            tell_user(p, u, keys, fn, arg);
        free(keys);
        clear_pending(p);
    }
    b->told = NULL;
    b->told_last = &b->told;
}
