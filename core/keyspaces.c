/* Names of keyspaces, in an array by number. They are few, and looked up by name only when the ACL changes. */
#include "keyspaces.h"

#include <stdlib.h>

struct keyspace {
    struct slice name; /* owned */
    bool ready;
};

struct keyspaces {
    struct keyspace *items;
    uint32_t count;
    uint32_t cap;
};

static void add(struct keyspaces *k, struct slice name, bool ready)
{
    if (k->count == k->cap) {
        k->cap = k->cap > 0 ? k->cap * 2 : 8;
        k->items = mem_realloc(k->items, k->cap * sizeof(*k->items));
    }
    k->items[k->count++] = (struct keyspace){ slice_dup(name), ready };
}

/* --create-schema has made the rows of the common keyspace. */
struct keyspaces *keyspaces_new(void)
{
    struct keyspaces *k = mem_zalloc(sizeof(*k));
    add(k, SLICE(""), true);
    return k;
}

void keyspaces_free(struct keyspaces *k)
{
    if (k == NULL) {
        return;
    }
    for (uint32_t i = 0; i < k->count; i++) {
        free((void *)k->items[i].name.p);
    }
    free(k->items);
    free(k);
}

uint32_t keyspaces_find(const struct keyspaces *k, struct slice name)
{
    uint32_t i = 0;
    while (i < k->count && !slice_eq(k->items[i].name, name)) {
        i++;
    }
    return i < k->count ? i : KEYSPACES_FULL;
}

uint32_t keyspaces_index(struct keyspaces *k, struct slice name)
{
    uint32_t i = keyspaces_find(k, name);
    if (i == KEYSPACES_FULL && k->count < KEYSPACES_FULL) {
        i = k->count;
        add(k, name, false);
    }
    return i;
}

struct slice keyspaces_name(const struct keyspaces *k, uint32_t index)
{
    return k->items[index].name;
}

uint32_t keyspaces_count(const struct keyspaces *k)
{
    return k->count;
}

bool keyspaces_ready(const struct keyspaces *k, uint32_t index)
{
    return k->items[index].ready;
}

void keyspaces_set_ready(struct keyspaces *k, uint32_t index)
{
    k->items[index].ready = true;
}

bool keyspaces_forget(struct keyspaces *k)
{
    bool any = false;
    for (uint32_t i = 1; i < k->count; i++) {
        any = any || k->items[i].ready;
        k->items[i].ready = false;
    }
    return any;
}
