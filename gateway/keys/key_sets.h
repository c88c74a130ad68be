/*
 * key_sets: the private keys that the key holder has, by the number of the set that they were read with.
 * The holder's main thread adds and drops; its signers look up. Under a lock.
 */
#ifndef COFRE_GATEWAY_KEY_SETS_H
#define COFRE_GATEWAY_KEY_SETS_H

#include <openssl/evp.h>

#include "base/err.h"

struct key_sets;

struct key_sets *key_sets_new(void);
void key_sets_free(struct key_sets *s);

/* key_sets_add takes references of its own. A number is added once. */
void key_sets_add(struct key_sets *s, uint32_t number, EVP_PKEY *const *keys, size_t count);

/* key_sets_drop forgets a set; a number that is not there is fine. */
void key_sets_drop(struct key_sets *s, uint32_t number);

/* key_sets_find returns a reference (the caller's), or NULL. */
EVP_PKEY *key_sets_find(struct key_sets *s, uint32_t number, uint16_t pair);

/*
 * key_sets_wipe_stack wipes what calls that have returned left on this thread's stack: BoringSSL wipes what
 * it frees, but not where it computed.
 */
void key_sets_wipe_stack(void);

/* key_sets_count: how many sets there are. */
size_t key_sets_count(struct key_sets *s);

#endif
