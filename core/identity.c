/* The table of identities that have a session now. */
#include "identity.h"

#include <stdlib.h>

enum { BUCKETS = 1024 };

struct identity_table {
    uint64_t seed;
    struct identity *bucket[BUCKETS];
};

struct identity_table *identity_table_new(void)
{
    struct identity_table *t = mem_zalloc(sizeof(*t));
    t->seed = slice_random_seed();
    return t;
}

void identity_table_free(struct identity_table *t)
{
    free(t);
}

static struct identity **bucket_of(struct identity_table *t, struct slice name)
{
    return &t->bucket[slice_hash(name, t->seed) % BUCKETS];
}

struct identity *identity_find(struct identity_table *t, struct slice name)
{
    struct identity *i = *bucket_of(t, name);
    while (i && !slice_eq(i->name, name))
        i = i->next;
    return i;
}

struct identity *identity_ref(struct identity_table *t, struct slice name)
{
    struct identity *i = identity_find(t, name);
    if (i == NULL) {
        struct identity **bucket = bucket_of(t, name);
        i = mem_zalloc(sizeof(*i));
        i->name = slice_dup(name);
        i->next = *bucket;
        *bucket = i;
    }
    i->refs++;
    return i;
}

void identity_unref(struct identity_table *t, struct identity *identity)
{
    if (--identity->refs > 0)
        return;
    struct identity **link = bucket_of(t, identity->name);
    while (*link != identity)
        link = &(*link)->next;
    *link = identity->next;
    free((void *)identity->name.p);
    free(identity);
}
