/*
 * tls_verified: which chains were verified, by hash, and who they belong to. Bounded, one per worker
 * (no locks), and void as soon as the trust generation is another one.
 */
#ifndef COFRE_GATEWAY_TLS_VERIFIED_H
#define COFRE_GATEWAY_TLS_VERIFIED_H

#include "trust/peer.h"

struct tls_verified;

struct tls_verified *tls_verified_new(void);
void tls_verified_free(struct tls_verified *v);

/* tls_verified_find returns a peer that is fresh still (not a new reference), or NULL. */
struct peer *tls_verified_find(struct tls_verified *v, uint64_t generation,
                               const uint8_t chain_hash[32], int64_t now);

/*
 * tls_verified_share returns the peer that is to be used for this one's chain, the caller's reference:
 * the one that is remembered, or this one, which then is. It takes the reference over.
 */
struct peer *tls_verified_share(struct tls_verified *v, uint64_t generation, struct peer *peer,
                                int64_t now);

#endif
