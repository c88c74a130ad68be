/*
 * tls_choice: which of our certificates a client gets: by the name that it asks for (SNI) and by what
 * it can verify. A table made once from the loaded pairs, then only read, by every thread.
 */
#ifndef COFRE_GATEWAY_TLS_CHOICE_H
#define COFRE_GATEWAY_TLS_CHOICE_H

#include "tls/tls_pair.h"

struct tls_choice;

/* tls_choice_new borrows the pairs, at least one: they must outlive it. The first is the default. */
struct tls_choice *tls_choice_new(const struct tls_pair *pairs, size_t count);
void tls_choice_free(struct tls_choice *c);

/*
 * tls_choice_find returns, of the pairs whose key this client can verify, one that bears the name it
 * asked for, else one with a wildcard for it, else the first; among equals one whose whole chain it can
 * verify, and the order given. Without any, the first pair of all: BoringSSL then says what is missing.
 * `name` is SNI as the client wrote it, "" for none.
 */
const struct tls_pair *tls_choice_find(const struct tls_choice *c, struct slice name,
                                       const SSL_CLIENT_HELLO *hello);

/* tls_choice_install lets handshakes be signed by those schemes alone that are chosen by: no SHA-1. */
MUST_CHECK enum err tls_choice_install(SSL_CTX *ssl_ctx);

#endif
