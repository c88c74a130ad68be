/*
 * tls_context: everything that new handshakes need, loaded and checked as one set (DESIGN §5.5):
 * certificates with their keys, whom to trust, TLS settings. Never changed after loading; swapped
 * whole. Its count is atomic: workers and sessions in handshake hold references.
 */
#ifndef COFRE_GATEWAY_TLS_CONTEXT_H
#define COFRE_GATEWAY_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "tls/ticket.h"
#include "trust/tls_trust.h"

struct tls_context;

/*
 * tls_context_load builds one from what was read, which it does not keep. `previous` (may be NULL) tells
 * whether trust changed: the generation grows only then, so that tickets outlive a mere renewal of our
 * certificate. `options` and `tickets` must outlive the context.
 */
MUST_CHECK enum err tls_context_load(const struct gateway_options *options,
                                     const struct material *material, struct ticket_keys *tickets,
                                     const struct tls_context *previous, struct tls_context **out,
                                     struct load_error *why);

struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c);

SSL_CTX *tls_context_ssl(const struct tls_context *c);
const struct tls_trust *tls_context_trust(const struct tls_context *c);
const struct identity_order *tls_context_order(const struct tls_context *c);
struct ticket_keys *tls_context_tickets(const struct tls_context *c);
uint64_t tls_context_generation(const struct tls_context *c);

/* tls_context_ends: when the first of our own certificates expires, unix seconds. */
int64_t tls_context_ends(const struct tls_context *c);

/* What it was made from: each file, with the SHA-256 of what it has of certificates and lists. */
struct tls_file {
    char name[16];    /* "client_ca_1": the option, and which one of several */
    const char *path; /* the options' */
    uint8_t sha256[SHA256_DIGEST_LENGTH];
};
const struct tls_file *tls_context_files(const struct tls_context *c, size_t *count);

/* tls_context_digest is of the material that it was made from. */
const uint8_t *tls_context_digest(const struct tls_context *c);

/* tls_context_log writes what was loaded: certificates with serial and dates, CAs, pins, revocations. */
void tls_context_log(const struct tls_context *c, const char *message);

/*
 * Where the private keys are with the key holder: the number of their set, and (defined in tls_session.c) the
 * method that asks for signatures and the word that a certificate was chosen.
 */
uint32_t tls_context_key_set(const struct tls_context *c);
const SSL_PRIVATE_KEY_METHOD *tls_context_remote_key(void);
void tls_context_chose(SSL *ssl, size_t pair);

/* tls_context_install puts the callbacks of sessions into a new SSL_CTX (defined in tls_session.c). */
void tls_context_install(SSL_CTX *ssl_ctx);

#endif
