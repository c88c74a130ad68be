/*
 * tls_pair: a certificate chain and its private key, checked to fit.
 */
#ifndef COFRE_GATEWAY_TLS_PAIR_H
#define COFRE_GATEWAY_TLS_PAIR_H

#include <openssl/ssl.h>

#include "files/material.h"

enum { TLS_PAIR_MAX_CHAIN = 10 };

struct tls_pair {
    CRYPTO_BUFFER *chain[TLS_PAIR_MAX_CHAIN]; /* leaf first */
    size_t chain_len;
    EVP_PKEY *key;
    bool key_is_private; /* false: another process signs with its private half */
    int64_t not_after;
    char serial[64];
    char subject[256];
};

/*
 * tls_pair_load makes certificate i of the material ready to serve: its key belongs to it (by the public
 * half, which is all that there may be), is of a kind and size that we take, and the leaf is valid now.
 */
MUST_CHECK enum err tls_pair_load(const struct material *m, size_t i, struct tls_pair *out,
                                  struct load_error *why);
void tls_pair_release(struct tls_pair *p);

#endif
