/* tls_inside: what the tls_* files share. Nobody else includes it, nor any header of BoringSSL. */
#ifndef COFRE_CLIENT_TLS_INSIDE_H
#define COFRE_CLIENT_TLS_INSIDE_H

#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tls.h"

struct fingerprint {
    uint8_t sha256[SHA256_DIGEST_LENGTH];
};

struct tls_context {
    struct tls_files files;
    SSL_CTX *ctx;
    struct fingerprint *pins; /* of the certificates in files.pin */
    size_t pin_count;
};

struct tls {
    const struct tls_context *context;
    const struct tls_peer *peer; /* valid during tls_open alone */
    SSL *ssl;
    int fd;
    bool answered;          /* the server has sent data: it has accepted my certificate */
    struct problem verdict; /* why the server's certificate was refused; text empty: it was not */
    char where[300];
};

/* tls_verify_server is the SSL_CTX's certificate callback: 1 accepts, 0 refuses and writes tls->verdict. */
int tls_verify_server(X509_STORE_CTX *chain, void *tls_context);

enum err tls_fingerprint(X509 *cert, struct fingerprint *out);

/* tls_date writes "2026-01-31 12:00 UTC". */
void tls_date(const ASN1_TIME *time, char *out, size_t size);

#endif
