/*
 * metrics: one worker's counters, written by its thread alone, sent to the core as STATS lines for
 * INFO. Each is a row below; adding one is adding a row.
 */
#ifndef COFRE_GATEWAY_METRICS_H
#define COFRE_GATEWAY_METRICS_H

#include "refusal.h"

/*
 * field, name in INFO. The core adds them up over all workers, so that what concerns the whole process is said by the first
 * one alone. Of a name that ends in _seconds it takes the greatest.
 */
#define METRICS_ROWS(ROW)                                                                         \
    ROW(connections, "gateway_connections") /* now, handshakes included */                        \
    ROW(handshaking, "gateway_handshaking") /* now */                                             \
    ROW(accepted, "gateway_accepted")                                                             \
    ROW(turned_away, "gateway_turned_away")               /* over a limit of sessions */          \
    ROW(waiting, "gateway_handshakes_waiting")            /* now, to be worked on */              \
    ROW(over_identity, "gateway_turned_away_identity")    /* of these, over --max-per-identity */ \
    ROW(over_address, "gateway_turned_away_address")      /* of these, over --max-per-address */  \
    ROW(handshakes_dropped, "gateway_handshakes_dropped") /* over --max-handshakes */             \
    ROW(proxy_refused, "gateway_proxy_headers_refused")                                           \
    ROW(handshakes_full, "gateway_handshakes_full")                                               \
    ROW(handshakes_resumed, "gateway_handshakes_resumed")                                         \
    ROW(handshakes_refused, "gateway_handshakes_refused") /* a certificate was refused */         \
    ROW(handshakes_failed, "gateway_handshakes_failed")   /* everything else that went wrong */   \
    ROW(handshakes_late, "gateway_handshakes_timed_out")                                          \
    ROW(expired, "gateway_closed_expired")   /* the client's certificate ran out */               \
    ROW(evicted, "gateway_closed_untrusted") /* trust changed while they were connected */        \
    ROW(requests, "gateway_requests")                                                             \
    ROW(protocol_errors, "gateway_protocol_errors")                                               \
    ROW(tryagain, "gateway_tryagain")                                                             \
    ROW(uncertain, "gateway_uncertain")                                                           \
    ROW(link_losses, "gateway_link_losses")                                                       \
    ROW(bytes_in, "gateway_bytes_in") /* ciphertext */                                            \
    ROW(bytes_out, "gateway_bytes_out")                                                           \
    ROW(crls_expired, "gateway_crls_expired")       /* lists in use that are out of date, now */  \
    ROW(max_connections, "gateway_max_connections") /* as given; so is what follows */            \
    ROW(idle_timeout, "gateway_idle_timeout_seconds")

struct metrics {
#define METRICS_FIELD(field, name) uint64_t field;
    METRICS_ROWS(METRICS_FIELD)
#undef METRICS_FIELD
    uint64_t refused[REFUSAL_KINDS]; /* handshakes that came to nothing, by reason */
};

/* metrics_write appends name=value lines; the reasons' are gateway_refused_NAME. */
void metrics_write(const struct metrics *m, struct buf *out);

#endif
