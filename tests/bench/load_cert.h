/*
 * load_cert: the certificates of the load generator: read from PEM files, or made in memory, one for each connection.
 */
#ifndef BENCH_LOAD_CERT_H
#define BENCH_LOAD_CERT_H

#include <openssl/ssl.h>

#include "base/err.h"

/* A certificate as TLS sends it, and its key. */
struct cert_pair {
    CRYPTO_BUFFER *cert;
    EVP_PKEY *key;
};

/* cert_read returns the first certificate of a PEM file, NULL when there is none. */
CRYPTO_BUFFER *cert_read(const char *file);

/* cert_pair_read fills *out from two PEM files. */
MUST_CHECK enum err cert_pair_read(const char *cert, const char *key, struct cert_pair *out);
void cert_pair_release(struct cert_pair *pair);

/* A CA that issues client certificates: one key pair serves them all, name and serial number differ. */
struct issuer;

/* issuer_new returns NULL when a file cannot be read. */
struct issuer *issuer_new(const char *ca_cert, const char *ca_key);
void issuer_free(struct issuer *issuer);

/* issuer_make makes the client certificate number n; the caller releases *out. */
MUST_CHECK enum err issuer_make(struct issuer *issuer, unsigned n, struct cert_pair *out);

#endif
