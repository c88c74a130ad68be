/*
 * tls_pair: a certificate chain and its private key, checked to fit.
 */
#ifndef COFRE_GATEWAY_TLS_PAIR_H
#define COFRE_GATEWAY_TLS_PAIR_H

#include <openssl/ssl.h>

#include "pem.h"

enum { TLS_PAIR_MAX_CHAIN = 10 };

struct tls_pair {
    CRYPTO_BUFFER *chain[TLS_PAIR_MAX_CHAIN]; /* leaf first */
    size_t chain_len;
    EVP_PKEY *key;
    int64_t not_after;
    char serial[64];
    char subject[256];
};

/*
 * tls_pair_load reads a chain and its key (key_path NULL: from the same file), checks that they belong
 * together and that the leaf is valid now, and feeds what it read to the digest.
 */
MUST_CHECK enum err tls_pair_load(const char *cert_path, const char *key_path, SHA256_CTX *digest,
                                  struct tls_pair *out, struct load_error *why);
void tls_pair_release(struct tls_pair *p);

#endif
