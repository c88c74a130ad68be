/*
 * peer: who a client is, as its verified certificate says (DESIGN §5.4). One block of memory,
 * shared by the connections of one worker that came with the same certificate. Its count is
 * not atomic: a peer never leaves its thread.
 */
#ifndef COFRE_GATEWAY_PEER_H
#define COFRE_GATEWAY_PEER_H

#include <openssl/x509.h>

#include "options.h"
#include "trust/trust_path.h"

struct peer {
    uint32_t refs;
    enum identity_kind kind;
    int64_t not_after;     /* of the certificate, unix seconds */
    int64_t trusted_until; /* the first notAfter in the chain that was verified */
    int64_t fresh_until;   /* until when that verification may be used again: never later */
    uint8_t fingerprint[32];
    uint8_t chain[32]; /* SHA-256 of the chain as it was sent, for tls_verified */
    struct trust_path path;
    struct slice identity; /* "cn:alice"; these point behind the struct */
    struct slice issuer;   /* RFC 4514 text */
    struct slice serial;   /* hex digits */
};

enum {
    PEER_MAX_IDENTITY = 1024, /* bytes; a longer name refuses the certificate */
};

struct peer *peer_ref(struct peer *p);
void peer_unref(struct peer *p);

/*
 * peer_from_certificate takes the identity from a certificate that was verified, and copies the path.
 * NULL when it has no name fit to be one; *why then says so (static text). trusted_until and
 * fresh_until are set to not_after.
 */
struct peer *peer_from_certificate(X509 *leaf, const struct identity_order *order,
                                   const struct trust_path *path, const char **why);

/* peer_encode and peer_decode: the record that travels in a ticket. decode checks every length. */
void peer_encode(struct buf *out, const struct peer *p);
size_t peer_encoded_len(const struct peer *p);
struct peer *peer_decode(struct slice record);

/* peer_describe writes subject, issuer (RFC 4514 text) and serial (hex digits) of any certificate. */
struct peer_description {
    char subject[256];
    char issuer[256];
    char serial[64];
};
void peer_describe(X509 *cert, struct peer_description *out);

#endif
