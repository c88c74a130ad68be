/*
 * tls_revoked: the serials that revocation lists name, of every issuer, as one sorted set.
 */
#ifndef COFRE_GATEWAY_TLS_REVOKED_H
#define COFRE_GATEWAY_TLS_REVOKED_H

#include "pem.h"

struct tls_revoked;

struct tls_revoked *tls_revoked_new(void);
void tls_revoked_free(struct tls_revoked *r);

/*
 * tls_revoked_add takes every serial of one list. Its signature must be right when its issuer is among
 * `cas`; an unknown issuer (of a pinned certificate) and an expired list are warnings.
 */
MUST_CHECK enum err tls_revoked_add(struct tls_revoked *r, const char *path, X509_CRL *crl,
                                    X509_STORE *cas, struct load_error *why);

/* tls_revoked_sort must be called after the last add and before the first has. */
void tls_revoked_sort(struct tls_revoked *r);
bool tls_revoked_has(const struct tls_revoked *r, X509 *cert, int64_t *since);
size_t tls_revoked_count(const struct tls_revoked *r);

#endif
