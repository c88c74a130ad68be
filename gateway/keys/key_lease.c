/*
 * key_lease: an atomic count with a number. Who looks whether it is the last asks now and then: a set may
 * well stay a second longer than its last handshake.
 */
#include "keys/key_lease.h"

#include <stdatomic.h>
#include <stdlib.h>

struct key_lease {
    atomic_uint refs;
    uint32_t set;
};

struct key_lease *key_lease_new(uint32_t set)
{
    struct key_lease *l = mem_zalloc(sizeof(*l));
    atomic_init(&l->refs, 1);
    l->set = set;
    return l;
}

struct key_lease *key_lease_ref(struct key_lease *l)
{
    if (l != NULL) {
        atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
    }
    return l;
}

void key_lease_unref(struct key_lease *l)
{
    if (l != NULL && atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) == 1) {
        free(l);
    }
}

uint32_t key_lease_set(const struct key_lease *l)
{
    return l->set;
}

bool key_lease_is_last(const struct key_lease *l)
{
    return atomic_load_explicit(&l->refs, memory_order_acquire) == 1;
}
