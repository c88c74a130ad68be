/*
 * trust_path: what a client's trust rests on, in 32 bytes for each certificate of the chain that was
 * verified, the anchor included. With it a live session can be judged under another trust set without
 * its chain, which is dropped after the handshake; it travels in tickets, and as text in the status.
 */
#ifndef COFRE_GATEWAY_TRUST_PATH_H
#define COFRE_GATEWAY_TRUST_PATH_H

#include "base/buf.h"
#include "trust/cert_id.h"

enum {
    TRUST_PATH_MAX = 12, /* certificates; tls_trust refuses longer chains */
    TRUST_PATH_TEXT = 4 + TRUST_PATH_MAX * 66,
};

/* One certificate: as a CA that may be in a trust set, and as one that may be revoked. */
struct trust_step {
    struct cert_id ca; /* of a leaf: the first half of its fingerprint, as of a pin */
    struct cert_id cert;
};

/* A view: the steps belong to whoever made it, a peer mostly. Leaf first; a pin is one step. */
struct trust_path {
    bool pinned;
    uint8_t count;
    const struct trust_step *steps;
};

/* trust_path_text appends "ca:CA.CERT,CA.CERT" or "pin:PIN.CERT", ids as hex digits. */
void trust_path_text(const struct trust_path *path, struct buf *out);

/* trust_path_parse reads that into the caller's steps; ERR_INVALID for anything else. */
MUST_CHECK enum err trust_path_parse(struct slice text, struct trust_step steps[TRUST_PATH_MAX],
                                     struct trust_path *out);

#endif
