/*
 * tls: one verified TLS connection over a connected, nonblocking socket. Every call waits inside, until
 * it is done, its deadline passes, or the connection ends. One thread.
 */
#ifndef COFRE_CLIENT_TLS_H
#define COFRE_CLIENT_TLS_H

#include "base/slice.h"
#include "tls_context.h"

/* Whom we talk to. */
struct tls_peer {
    const char *where; /* "db.internal:6380", for sentences */
    const char
        *name; /* DNS name or address that the certificate must carry, and that SNI asks for */
};

struct tls;

/*
 * tls_open shakes hands and verifies the server; it takes over fd, also on failure. NULL: the problem says
 * why. In TLS 1.3 a refusal of *my* certificate shows up only at the first tls_read.
 */
struct tls *tls_open(const struct tls_context *c, int fd, const struct tls_peer *peer,
                     int64_t deadline, struct problem *problem);
void tls_free(struct tls *t); /* says goodbye if it can, closes the socket; NULL is fine */

MUST_CHECK enum err tls_write(struct tls *t, struct slice bytes, struct problem *problem);

/* tls_read waits for at least one byte; ERR_CLOSED when the connection has ended, with the reason. */
MUST_CHECK enum err tls_read(struct tls *t, uint8_t *p, size_t cap, size_t *n,
                             struct problem *problem);

/* tls_is_over says, without waiting, whether an idle connection has been ended by the server. */
bool tls_is_over(struct tls *t);

#endif
