/*
 * tls_trust: whom the gateway lets in. CAs, pinned certificates and revoked serials, loaded as one
 * set and never changed afterwards; verification reads it from any thread.
 */
#ifndef COFRE_GATEWAY_TLS_TRUST_H
#define COFRE_GATEWAY_TLS_TRUST_H

#include <openssl/pool.h>

#include "files/material.h"
#include "trust/peer.h"
#include "trust/refusal.h"

struct tls_trust;

/* tls_trust_load builds one from what was read, which it does not keep; of the options only --crl-expired. */
MUST_CHECK enum err tls_trust_load(const struct gateway_options *o, const struct material *m,
                                   struct tls_trust **out, struct load_error *why);
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

/* tls_trust_remember takes over the names of the former set's CAs that are not in this one, for reasons. */
void tls_trust_remember(struct tls_trust *t, const struct tls_trust *former);

/*
 * tls_trust_verify checks a chain, leaf first: pinned, or from one of our CAs, valid now, for client
 * authentication, not revoked, with a name fit to be an identity. Returns the peer (caller's
 * reference), or NULL with *why filled.
 */
struct peer *tls_trust_verify(const struct tls_trust *t, const struct identity_order *order,
                              const STACK_OF(CRYPTO_BUFFER) *chain, int64_t now,
                              struct refusal *why);

/*
 * tls_trust_still says whether a peer that was verified under another set is trusted under this one:
 * nothing on its path is revoked, and its pin, or one CA of its path, is in the set. A CA that was
 * renewed under the same name and key is the same. False: *why says why not. Dates are not looked at,
 * neither certificates' nor lists'.
 */
bool tls_trust_still(const struct tls_trust *t, const struct peer *peer, struct refusal *why);

/* tls_trust_still_path is the same for a path alone; `issuer` names the CA when nothing better does. */
bool tls_trust_still_path(const struct tls_trust *t, const struct trust_path *path,
                          struct slice issuer, struct refusal *why);

/* tls_trust_crls_expired counts the revocation lists that are out of date; *next: as tls_revoked_expired. */
size_t tls_trust_crls_expired(const struct tls_trust *t, int64_t now, int64_t *next);

/* tls_trust_warn_crls logs each list that ran out in [from, to). */
void tls_trust_warn_crls(const struct tls_trust *t, int64_t from, int64_t to);

#endif
