/*
 * key_lease: the word that this process still signs under a set of the key holder's. A TLS context has one
 * reference; when the last is gone, key_control tells the holder to forget the set.
 */
#ifndef COFRE_GATEWAY_KEY_LEASE_H
#define COFRE_GATEWAY_KEY_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct key_lease;

/* key_lease_new: one reference, the caller's. */
struct key_lease *key_lease_new(uint32_t set);

/* NULL is fine for each of these but key_lease_set. References may be dropped by any thread. */
struct key_lease *key_lease_ref(struct key_lease *l);
void key_lease_unref(struct key_lease *l);

uint32_t key_lease_set(const struct key_lease *l);

/* key_lease_is_last: whether the caller's reference is the only one; nobody can then make another. */
bool key_lease_is_last(const struct key_lease *l);

#endif
