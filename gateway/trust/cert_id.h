/*
 * cert_id: certificates and their issuers as 16 bytes, the first half of a SHA-256. Names go in by a
 * canonical form, since a certificate and a revocation list may spell the same name in other string
 * types, cases or spaces (RFC 5280 §7.1).
 */
#ifndef COFRE_GATEWAY_CERT_ID_H
#define COFRE_GATEWAY_CERT_ID_H

#include <openssl/x509.h>

#include "base/err.h"

struct cert_id {
    uint8_t bytes[16];
};

/* cert_id_of_name: two names that X509_NAME_cmp finds equal have the same id. */
struct cert_id cert_id_of_name(const X509_NAME *name);

/* cert_id_of_ca is what a CA keeps when it is renewed: its subject's name and its public key. */
struct cert_id cert_id_of_ca(X509 *cert);

/* cert_id_of_serial names one certificate (RFC 5280 §4.1.2.2): its issuer's name and its serial. */
struct cert_id cert_id_of_serial(const struct cert_id *issuer, const ASN1_INTEGER *serial);

/* cert_id_compare is for qsort and bsearch, also of structs that begin with a cert_id. */
int cert_id_compare(const void *a, const void *b);

#endif
