/*
 * certificates: certificates made in memory for the tests, every field as wished.
 */
#ifndef COFRE_GATEWAY_CERTIFICATES_H
#define COFRE_GATEWAY_CERTIFICATES_H

#include <openssl/x509.h>

struct wish {
    const char *cn;      /* NULL: none */
    const char *cn2;     /* a second one */
    size_t cn_len;       /* of cn, when it holds a NUL */
    const char *san;     /* as openssl's configuration writes it, "URI:spiffe://a/b,DNS:c" */
    const char *usage;   /* extended key usage, "clientAuth" */
    int ca;              /* basicConstraints CA:TRUE */
    int64_t from, until; /* seconds from now */
    long serial;
    X509 *issuer; /* NULL: self-signed */
    EVP_PKEY *issuer_key;
};

EVP_PKEY *make_key(void);
X509 *make_certificate(const struct wish *w, EVP_PKEY *key);

#endif
