/*
 * tls_trust: whom the gateway lets in. CAs, pinned certificates and revoked serials, loaded as one
 * set and never changed afterwards; verification reads it from any thread.
 */
#ifndef COFRE_GATEWAY_TLS_TRUST_H
#define COFRE_GATEWAY_TLS_TRUST_H

#include <openssl/pool.h>

#include "peer.h"
#include "pem.h"

struct tls_trust;

/* Why a client was refused: the alert it gets, and what only the log says. */
struct refusal {
    uint8_t alert; /* SSL_AD_*, as a number: this module knows no SSL */
    char reason[192];
    struct peer_description cert; /* empty texts when no certificate could be read */
};

MUST_CHECK enum err tls_trust_load(const struct gateway_options *o, struct tls_trust **out,
                                   struct load_error *why);
void tls_trust_free(struct tls_trust *t);

/* tls_trust_same says whether two sets were made from the same bytes. */
bool tls_trust_same(const struct tls_trust *a, const struct tls_trust *b);

/* tls_trust_ends: when the first of the CAs expires, unix seconds; INT64_MAX: there are none. */
int64_t tls_trust_ends(const struct tls_trust *t);

/* How much is in it, for the log. */
struct tls_trust_size {
    size_t cas;
    size_t pins;
    size_t revoked;
};
struct tls_trust_size tls_trust_size(const struct tls_trust *t);

/*
 * tls_trust_verify checks a chain, leaf first: pinned, or from one of our CAs, valid now, for client
 * authentication, not revoked, with a name fit to be an identity. Returns the peer (caller's
 * reference), or NULL with *why filled.
 */
struct peer *tls_trust_verify(const struct tls_trust *t, const struct identity_order *order,
                              const STACK_OF(CRYPTO_BUFFER) *chain, int64_t now,
                              struct refusal *why);

#endif
