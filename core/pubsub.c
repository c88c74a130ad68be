/*
 * Two hash tables: topics by kind, keyspace and name, and subscriptions by topic and client. The lists that run through
 * both give each their order.
 */
#include "pubsub.h"

#include <stdlib.h>

enum { BUCKETS_MIN = 64 };

/* What somebody is subscribed to; gone with the last subscription. */
struct topic {
    struct topic *bucket_next;
    struct topic *prev; /* its space's list */
    struct topic *next;
    struct subscription *first;
    struct subscription *last;
    uint64_t hash;
    size_t count; /* subscriptions */
    size_t length;
    uint32_t keyspace;
    enum pubsub_kind kind;
    uint8_t name[];
};

struct subscription {
    struct subscription *bucket_next;
    struct topic *topic;
    struct subscriber *subscriber;
    struct subscription *topic_prev;
    struct subscription *topic_next;
    struct subscription *own_prev; /* the subscriber's, of this kind */
    struct subscription *own_next;
};

/* The topics of one keyspace. */
struct space {
    struct topic *first[PUBSUB_KINDS];
    struct topic *last[PUBSUB_KINDS];
    size_t count[PUBSUB_KINDS];
};

struct pubsub {
    uint64_t seed; /* outsiders choose the names */
    struct topic **topics;
    size_t topic_mask;
    size_t topic_count[PUBSUB_KINDS];
    struct subscription **pairs;
    size_t pair_mask;
    size_t pair_count;
    struct space **spaces; /* by keyspace; NULL where nobody ever subscribed */
    size_t space_count;
    size_t event_topics; /* that can match the channel of an event */
};

struct pubsub *pubsub_new(void)
{
    struct pubsub *p = mem_zalloc(sizeof(*p));
    p->seed = slice_random_seed();
    p->topics = mem_zalloc(BUCKETS_MIN * sizeof(struct topic *));
    p->topic_mask = BUCKETS_MIN - 1;
    p->pairs = mem_zalloc(BUCKETS_MIN * sizeof(struct subscription *));
    p->pair_mask = BUCKETS_MIN - 1;
    return p;
}

void pubsub_free(struct pubsub *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->space_count; i++)
        free(p->spaces[i]);
    free(p->spaces);
    free(p->topics);
    free(p->pairs);
    free(p);
}

/* --- topics --------------------------------------------------------------------------------- */

static struct slice name_of(const struct topic *t)
{
    return (struct slice){ t->name, t->length };
}

static uint64_t hash_of(const struct pubsub *p, enum pubsub_kind kind, uint32_t keyspace,
                        struct slice name)
{
    return slice_hash(name, p->seed + keyspace * (uint64_t)PUBSUB_KINDS + kind);
}

static struct topic *find_topic(const struct pubsub *p, uint64_t hash, enum pubsub_kind kind,
                                uint32_t keyspace, struct slice name)
{
    struct topic *t = p->topics[hash & p->topic_mask];
    while (t && !(t->hash == hash && t->kind == kind && t->keyspace == keyspace &&
                  slice_eq(name_of(t), name)))
        t = t->bucket_next;
    return t;
}

static struct topic *lookup(const struct pubsub *p, enum pubsub_kind kind, uint32_t keyspace,
                            struct slice name)
{
    return find_topic(p, hash_of(p, kind, keyspace, name), kind, keyspace, name);
}

static struct space *space_of(const struct pubsub *p, uint32_t keyspace)
{
    return keyspace < p->space_count ? p->spaces[keyspace] : NULL;
}

static struct space *make_space(struct pubsub *p, uint32_t keyspace)
{
    if (keyspace >= p->space_count) {
        p->spaces = mem_realloc(p->spaces, (keyspace + 1) * sizeof(struct space *));
        memset(p->spaces + p->space_count, 0,
               (keyspace + 1 - p->space_count) * sizeof(struct space *));
        p->space_count = keyspace + 1;
    }
    if (p->spaces[keyspace] == NULL)
        p->spaces[keyspace] = mem_zalloc(sizeof(struct space));
    return p->spaces[keyspace];
}

/* can_hear_events: "__keyspace@0__:k" and "__keyevent@0__:set" begin alike. */
static bool can_hear_events(enum pubsub_kind kind, struct slice name)
{
    const struct slice events = SLICE("__key");
    if (kind == PUBSUB_PATTERN)
        name.len = slice_glob_prefix(name);
    return kind == PUBSUB_CHANNEL ? slice_starts_with(name, events)
           : kind == PUBSUB_PATTERN
               ? slice_starts_with(name, events) || slice_starts_with(events, name)
               : false;
}

static void grow_topics(struct pubsub *p, size_t count)
{
    if (count <= p->topic_mask)
        return;
    struct topic **old = p->topics;
    const size_t old_size = p->topic_mask + 1;
    p->topic_mask = old_size * 2 - 1;
    p->topics = mem_zalloc((p->topic_mask + 1) * sizeof(struct topic *));
    for (size_t i = 0; i < old_size; i++)
        for (struct topic *t = old[i], *next; t; t = next) {
            next = t->bucket_next;
            struct topic **bucket = &p->topics[t->hash & p->topic_mask];
            t->bucket_next = *bucket;
            *bucket = t;
        }
    free(old);
}

static struct topic *add_topic(struct pubsub *p, uint64_t hash, enum pubsub_kind kind,
                               uint32_t keyspace, struct slice name)
{
    struct space *space = make_space(p, keyspace);
    grow_topics(p, p->topic_count[PUBSUB_CHANNEL] + p->topic_count[PUBSUB_PATTERN] +
                       p->topic_count[PUBSUB_SHARD] + 1);
    struct topic **bucket = &p->topics[hash & p->topic_mask];
    struct topic *t = mem_alloc(sizeof(*t) + name.len);
    *t = (struct topic){ .bucket_next = *bucket,
                         .prev = space->last[kind],
                         .hash = hash,
                         .length = name.len,
                         .keyspace = keyspace,
                         .kind = kind };
    if (name.len)
        memcpy(t->name, name.p, name.len);
    *bucket = t;
    if (t->prev)
        t->prev->next = t;
    else
        space->first[kind] = t;
    space->last[kind] = t;
    space->count[kind]++;
    p->topic_count[kind]++;
    p->event_topics += can_hear_events(kind, name);
    return t;
}

static void drop_topic(struct pubsub *p, struct topic *t)
{
    struct space *space = p->spaces[t->keyspace];
    struct topic **at = &p->topics[t->hash & p->topic_mask];
    while (*at != t)
        at = &(*at)->bucket_next;
    *at = t->bucket_next;
    *(t->prev ? &t->prev->next : &space->first[t->kind]) = t->next;
    *(t->next ? &t->next->prev : &space->last[t->kind]) = t->prev;
    space->count[t->kind]--;
    p->topic_count[t->kind]--;
    p->event_topics -= can_hear_events(t->kind, name_of(t));
    free(t);
}

/* --- subscriptions -------------------------------------------------------------------------- */

/* Two addresses of ours: nobody outside chooses them, and low bits are alike. */
static struct subscription **pair_bucket(const struct pubsub *p, const struct topic *t,
                                         const struct subscriber *s)
{
    const uint64_t mixed =
        ((uint64_t)(uintptr_t)t ^ (uint64_t)(uintptr_t)s << 7) * UINT64_C(0x9E3779B97F4A7C15);
    return &p->pairs[mixed >> 32 & p->pair_mask];
}

static struct subscription *find_pair(const struct pubsub *p, const struct topic *t,
                                      const struct subscriber *s)
{
    struct subscription *found = *pair_bucket(p, t, s);
    while (found && !(found->topic == t && found->subscriber == s))
        found = found->bucket_next;
    return found;
}

static void grow_pairs(struct pubsub *p)
{
    if (p->pair_count <= p->pair_mask)
        return;
    struct subscription **old = p->pairs;
    const size_t old_size = p->pair_mask + 1;
    p->pair_mask = old_size * 2 - 1;
    p->pairs = mem_zalloc((p->pair_mask + 1) * sizeof(struct subscription *));
    for (size_t i = 0; i < old_size; i++)
        for (struct subscription *x = old[i], *next; x; x = next) {
            next = x->bucket_next;
            struct subscription **bucket = pair_bucket(p, x->topic, x->subscriber);
            x->bucket_next = *bucket;
            *bucket = x;
        }
    free(old);
}

bool pubsub_subscribe(struct pubsub *p, struct subscriber *s, enum pubsub_kind kind,
                      uint32_t keyspace, struct slice name)
{
    const uint64_t hash = hash_of(p, kind, keyspace, name);
    struct topic *t = find_topic(p, hash, kind, keyspace, name);
    if (t && find_pair(p, t, s))
        return false;
    if (t == NULL)
        t = add_topic(p, hash, kind, keyspace, name);
    p->pair_count++;
    grow_pairs(p);
    struct subscription **bucket = pair_bucket(p, t, s);
    struct subscription *x = mem_alloc(sizeof(*x));
    *x = (struct subscription){ .bucket_next = *bucket,
                                .topic = t,
                                .subscriber = s,
                                .topic_prev = t->last,
                                .own_prev = s->last[kind] };
    *bucket = x;
    *(t->last ? &t->last->topic_next : &t->first) = x;
    t->last = x;
    t->count++;
    *(s->last[kind] ? &s->last[kind]->own_next : &s->first[kind]) = x;
    s->last[kind] = x;
    s->count[kind]++;
    return true;
}

static void drop(struct pubsub *p, struct subscription *x)
{
    struct topic *t = x->topic;
    struct subscriber *s = x->subscriber;
    struct subscription **at = pair_bucket(p, t, s);
    while (*at != x)
        at = &(*at)->bucket_next;
    *at = x->bucket_next;
    p->pair_count--;
    *(x->topic_prev ? &x->topic_prev->topic_next : &t->first) = x->topic_next;
    *(x->topic_next ? &x->topic_next->topic_prev : &t->last) = x->topic_prev;
    t->count--;
    *(x->own_prev ? &x->own_prev->own_next : &s->first[t->kind]) = x->own_next;
    *(x->own_next ? &x->own_next->own_prev : &s->last[t->kind]) = x->own_prev;
    s->count[t->kind]--;
    free(x);
    if (t->count == 0)
        drop_topic(p, t);
}

bool pubsub_unsubscribe(struct pubsub *p, struct subscriber *s, enum pubsub_kind kind,
                        uint32_t keyspace, struct slice name)
{
    const struct topic *t = lookup(p, kind, keyspace, name);
    struct subscription *x = t ? find_pair(p, t, s) : NULL;
    if (x)
        drop(p, x);
    return x != NULL;
}

void pubsub_leave(struct pubsub *p, struct subscriber *s)
{
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        for (struct subscription *x = s->first[kind], *next; x; x = next) {
            next = x->own_next;
            drop(p, x);
        }
}

bool pubsub_oldest(const struct subscriber *s, enum pubsub_kind kind, struct slice *name)
{
    if (s->first[kind] == NULL)
        return false;
    *name = name_of(s->first[kind]->topic);
    return true;
}

size_t pubsub_count(const struct subscriber *s)
{
    return s->count[PUBSUB_CHANNEL] + s->count[PUBSUB_PATTERN] + s->count[PUBSUB_SHARD];
}

bool pubsub_all(const struct subscriber *s,
                bool (*fn)(void *arg, enum pubsub_kind kind, struct slice name), void *arg)
{
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        for (const struct subscription *x = s->first[kind]; x; x = x->own_next)
            if (!fn(arg, (enum pubsub_kind)kind, name_of(x->topic)))
                return false;
    return true;
}

/* --- messages ------------------------------------------------------------------------------- */

static size_t each_of_topic(const struct topic *t, struct slice pattern, pubsub_fn *fn, void *arg)
{
    for (const struct subscription *x = t->first; x; x = x->topic_next)
        fn(arg, x->subscriber, pattern);
    return t->count;
}

size_t pubsub_each(const struct pubsub *p, enum pubsub_kind kind, uint32_t keyspace,
                   struct slice channel, pubsub_fn *fn, void *arg)
{
    const struct space *space = space_of(p, keyspace);
    if (space == NULL)
        return 0;
    size_t n = 0;
    const struct topic *t = space->count[kind] ? lookup(p, kind, keyspace, channel) : NULL;
    if (t)
        n += each_of_topic(t, (struct slice){ NULL, 0 }, fn, arg);
    if (kind != PUBSUB_CHANNEL)
        return n;
    for (t = space->first[PUBSUB_PATTERN]; t; t = t->next)
        if (slice_glob(name_of(t), channel, false))
            n += each_of_topic(t, name_of(t), fn, arg);
    return n;
}

/* --- what PUBSUB tells ------------------------------------------------------------------------ */

size_t pubsub_subscribers(const struct pubsub *p, enum pubsub_kind kind, uint32_t keyspace,
                          struct slice name)
{
    const struct topic *t = lookup(p, kind, keyspace, name);
    return t ? t->count : 0;
}

void pubsub_each_topic(const struct pubsub *p, enum pubsub_kind kind, uint32_t keyspace,
                       void (*fn)(void *arg, struct slice name), void *arg)
{
    const struct space *space = space_of(p, keyspace);
    for (const struct topic *t = space ? space->first[kind] : NULL; t; t = t->next)
        fn(arg, name_of(t));
}

size_t pubsub_topics(const struct pubsub *p, enum pubsub_kind kind, uint32_t keyspace)
{
    const struct space *space = space_of(p, keyspace);
    return space ? space->count[kind] : 0;
}

bool pubsub_hears_events(const struct pubsub *p)
{
    return p->event_topics > 0;
}
