/*
 * tls_revoked: the serials that revocation lists name, of every issuer, as one sorted set; and until
 * when the lists of each issuer are up to date.
 */
#ifndef COFRE_GATEWAY_TLS_REVOKED_H
#define COFRE_GATEWAY_TLS_REVOKED_H

#include "trust/cert_id.h"
#include "files/pem.h"

struct tls_revoked;

struct tls_revoked *tls_revoked_new(void);
void tls_revoked_free(struct tls_revoked *r);

/*
 * tls_revoked_add takes every serial of one list, whatever its reason. Its signature must be right when
 * its issuer is among `cas`. Refused is what would be misread: a delta list, an indirect one, one of
 * attribute certificates, and what has a critical extension that we do not know. An unknown issuer (of
 * a pinned certificate), an expired list and one from the future are warnings.
 */
MUST_CHECK enum err tls_revoked_add(struct tls_revoked *r, const char *path, X509_CRL *crl,
                                    X509_STORE *cas, struct load_error *why);

/* tls_revoked_sort must be called after the last add and before the first has. */
void tls_revoked_sort(struct tls_revoked *r);

/* tls_revoked_has takes an id by cert_id_of_serial; *since is 0 when the list's date is no date. */
bool tls_revoked_has(const struct tls_revoked *r, const struct cert_id *cert, int64_t *since);
size_t tls_revoked_count(const struct tls_revoked *r);

/*
 * tls_revoked_fresh_until: when the first of this issuer's lists runs out that no newer one replaces, in
 * unix seconds; INT64_MAX when it has none that does. Lists of the same key and scope replace another.
 */
int64_t tls_revoked_fresh_until(const struct tls_revoked *r, const struct cert_id *issuer);

/* How many lists have run out, and when the first of the others will (INT64_MAX: none). */
size_t tls_revoked_expired(const struct tls_revoked *r, int64_t now, int64_t *next);

/* tls_revoked_warn logs each list whose nextUpdate is in [from, to). */
void tls_revoked_warn(const struct tls_revoked *r, int64_t from, int64_t to, const char *message);

#endif
