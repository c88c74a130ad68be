/*
 * refusal: why somebody is not let in, or not any longer. The kind decides the alert that the peer
 * gets and the counter that grows; the reason and the certificate are for our log alone.
 */
#ifndef COFRE_GATEWAY_REFUSAL_H
#define COFRE_GATEWAY_REFUSAL_H

#include "trust/peer.h"

/*
 * kind, name in metrics, alert (RFC 8446 §6.2; 0: BoringSSL has chosen and sent it already)
 */
#define REFUSAL_ROWS(ROW)                                                                   \
    ROW(REFUSAL_OTHER, "other", 46)                                                         \
    ROW(REFUSAL_EXPIRED, "expired", 45)                                                     \
    ROW(REFUSAL_NOT_YET_VALID, "not_yet_valid", 45)                                         \
    ROW(REFUSAL_UNKNOWN_ISSUER, "unknown_issuer", 48)                                       \
    ROW(REFUSAL_REVOKED, "revoked", 44)                                                     \
    ROW(REFUSAL_CRL_EXPIRED, "crl_expired", 46)                                             \
    ROW(REFUSAL_PURPOSE, "wrong_purpose", 43)                                               \
    ROW(REFUSAL_NAME, "name", 46)                                                           \
    ROW(REFUSAL_WEAK_KEY, "weak_key", 42)                                                   \
    ROW(REFUSAL_BROKEN, "broken_certificate", 42)                                           \
    ROW(REFUSAL_CA_REMOVED, "ca_removed", 48) /* while it was connected or connecting */    \
    ROW(REFUSAL_PIN_REMOVED, "pin_removed", 48)                                             \
    ROW(REFUSAL_NO_CERTIFICATE, "no_certificate", 0)                                        \
    ROW(REFUSAL_NO_KEY, "wrong_key", 0)            /* it cannot sign for its certificate */ \
    ROW(REFUSAL_NO_COMMON, "nothing_in_common", 0) /* version, suite, group or algorithm */ \
    ROW(REFUSAL_NOT_TLS, "not_tls", 0)                                                      \
    ROW(REFUSAL_BY_CLIENT, "by_client", 0)       /* the client does not accept us */        \
    ROW(REFUSAL_NO_SIGNATURE, "no_signature", 0) /* our key holder did not sign */          \
    ROW(REFUSAL_PROTOCOL, "protocol", 0)         /* what it sent makes no handshake */

enum refusal_kind {
#define REFUSAL_KIND(kind, name, alert) kind,
    REFUSAL_ROWS(REFUSAL_KIND)
#undef REFUSAL_KIND
        REFUSAL_KINDS
};

struct refusal {
    enum refusal_kind kind;
    char reason[384];             /* never empty once it is set */
    struct peer_description cert; /* empty texts when no certificate could be read */
};

/* refusal_set fills kind and reason, and leaves the certificate as it is. */
void refusal_set(struct refusal *r, enum refusal_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

const char *refusal_name(enum refusal_kind kind); /* "unknown_issuer" */
uint8_t refusal_alert(enum refusal_kind kind);

#endif
