/*
 * admission: a number, and a hash table of numbers by identity and by address, which holds an entry only
 * for who is connected now. A place points at its entries, so that leaving looks nothing up. Limits that
 * are not set cost nothing: no entry is made for them.
 */
#include "arrivals/admission.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "arrivals/network.h"

enum { FIRST_BUCKETS = 64 };

struct admission_count {
    struct admission_count *next; /* in its bucket */
    uint64_t hash;
    int64_t sessions;
    size_t len;
    uint8_t key[];
};

struct admission {
    pthread_mutex_t lock;
    struct admission_limits limits;
    int64_t sessions;
    struct admission_count **buckets; /* a power of two of them */
    size_t bucket_count;
    size_t counts;
    uint64_t seed; /* outsiders choose the keys */
};

/*
 * One row per verdict.
 * reply   to the client; Redis's words where Redis has the same limit
 * option  to name with its value in the reply, or NULL
 * limit   where its value is
 * reason  for the log
 */
static const struct {
    const char *reply;
    const char *option;
    size_t limit;
    const char *reason;
} rows[] = {
    [ADMISSION_IN] = { .reply = "" },
    [ADMISSION_FULL] = { "max number of clients reached", NULL, 0,
                         "--max-connections are connected" },
    [ADMISSION_IDENTITY_FULL] = { "max number of clients reached for this identity",
                                  "--max-per-identity",
                                  offsetof(struct admission_limits, per_identity),
                                  "--max-per-identity are connected with its identity" },
    [ADMISSION_ADDRESS_FULL] = { "max number of clients reached for this address",
                                 "--max-per-address",
                                 offsetof(struct admission_limits, per_address),
                                 "--max-per-address are connected from its address" },
};

struct admission *admission_new(const struct admission_limits *limits)
{
    struct admission *a = mem_zalloc(sizeof(*a));
    a->limits = *limits;
    a->seed = slice_random_seed();
    a->bucket_count = FIRST_BUCKETS;
    a->buckets = mem_zalloc(a->bucket_count * sizeof(a->buckets[0]));
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

void admission_free(struct admission *a)
{
    if (a != NULL) {
        pthread_mutex_destroy(&a->lock);
        free(a->buckets);
        free(a);
    }
}

/* The table. */

static struct admission_count **bucket_of(struct admission *a, uint64_t hash)
{
    return &a->buckets[hash & (a->bucket_count - 1)];
}

static void grow(struct admission *a)
{
    struct admission_count **old = a->buckets;
    size_t old_count = a->bucket_count;
    a->bucket_count *= 2;
    a->buckets = mem_zalloc(a->bucket_count * sizeof(a->buckets[0]));
    for (size_t i = 0; i < old_count; i++) {
        for (struct admission_count *c = old[i], *next; c != NULL; c = next) {
            struct admission_count **bucket = bucket_of(a, c->hash);
            next = c->next;
            c->next = *bucket;
            *bucket = c;
        }
    }
    free(old);
}

/* find_or_add returns the entry of a key; a new one counts 0. */
static struct admission_count *find_or_add(struct admission *a, struct slice key)
{
    uint64_t hash = slice_hash(key, a->seed);
    for (struct admission_count *c = *bucket_of(a, hash); c != NULL; c = c->next) {
        if (c->hash == hash && slice_eq((struct slice){ c->key, c->len }, key)) {
            return c;
        }
    }
    if (a->counts == a->bucket_count) {
        grow(a);
    }
    struct admission_count *c = mem_alloc(sizeof(*c) + key.len);
    struct admission_count **bucket = bucket_of(a, hash);
    *c = (struct admission_count){ .next = *bucket, .hash = hash, .len = key.len };
    memcpy(c->key, key.p, key.len);
    *bucket = c;
    a->counts++;
    return c;
}

static void drop_if_empty(struct admission *a, struct admission_count *c)
{
    if (c == NULL || c->sessions > 0) {
        return;
    }
    struct admission_count **at = bucket_of(a, c->hash);
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    a->counts--;
    free(c);
}

/* Entering and leaving. An address's key is no text, an identity's always begins with a letter. */

static struct admission_count *count_of_identity(struct admission *a, struct slice identity)
{
    return a->limits.per_identity == 0 ? NULL : find_or_add(a, identity);
}

static struct admission_count *count_of_address(struct admission *a,
                                                const struct sockaddr_storage *from)
{
    uint8_t key[1 + 16] = { 0 };
    size_t len = network_key(from, key + 1);
    return a->limits.per_address == 0 || len == 0 ? NULL
                                                  : find_or_add(a, (struct slice){ key, 1 + len });
}

static bool reached(const struct admission_count *c, int64_t limit)
{
    return c != NULL && c->sessions >= limit;
}

static enum admission_verdict judge(const struct admission *a, const struct admission_place *p)
{
    if (a->sessions >= a->limits.connections) {
        return ADMISSION_FULL;
    }
    if (reached(p->identity, a->limits.per_identity)) {
        return ADMISSION_IDENTITY_FULL;
    }
    return reached(p->address, a->limits.per_address) ? ADMISSION_ADDRESS_FULL : ADMISSION_IN;
}

static void add(struct admission *a, const struct admission_place *p, int64_t n)
{
    a->sessions += n;
    if (p->identity != NULL) {
        p->identity->sessions += n;
    }
    if (p->address != NULL) {
        p->address->sessions += n;
    }
}

enum admission_verdict admission_enter(struct admission *a, struct slice identity,
                                       const struct sockaddr_storage *from,
                                       struct admission_place *place)
{
    pthread_mutex_lock(&a->lock);
    struct admission_place p = { .taken = true,
                                 .identity = count_of_identity(a, identity),
                                 .address = count_of_address(a, from) };
    enum admission_verdict verdict = judge(a, &p);
    if (verdict == ADMISSION_IN) {
        add(a, &p, 1);
        *place = p;
    } else {
        drop_if_empty(a, p.identity);
        drop_if_empty(a, p.address);
    }
    pthread_mutex_unlock(&a->lock);
    return verdict;
}

void admission_leave(struct admission *a, struct admission_place *place)
{
    if (!place->taken) {
        return;
    }
    pthread_mutex_lock(&a->lock);
    add(a, place, -1);
    drop_if_empty(a, place->identity);
    drop_if_empty(a, place->address);
    pthread_mutex_unlock(&a->lock);
    *place = (struct admission_place){ .taken = false };
}

/* What is said to whom stays out. */

void admission_say(const struct admission *a, enum admission_verdict verdict, struct buf *out)
{
    int64_t value;
    memcpy(&value, (const uint8_t *)&a->limits + rows[verdict].limit, sizeof(value));
    buf_printf(out, "-ERR %s", rows[verdict].reply);
    if (rows[verdict].option != NULL) {
        buf_printf(out, " (%s is %" PRId64 ")", rows[verdict].option, value);
    }
    buf_append_slice(out, SLICE("\r\n"));
}

const char *admission_reason(enum admission_verdict verdict)
{
    return rows[verdict].reason;
}
