/*
 * metrics: one worker's figures, written by its thread alone. They go to the core as STATS lines for INFO, and
 * as a copy to the main loop for the status socket. Each is a row below; adding one is adding a row.
 */
#ifndef COFRE_GATEWAY_METRICS_H
#define COFRE_GATEWAY_METRICS_H

#include "trust/refusal.h"

/* How the figures of several workers make one: by adding them up, but for the last two. Only a gauge falls. */
enum metric_kind {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
    METRIC_LEAST,
    METRIC_GREATEST,
};

/*
 * field   in struct metrics
 * name    with "gateway_" before it in INFO, as it is on the status socket
 * kind    enum metric_kind, without its prefix
 * help    for Prometheus; names with _seconds and _bytes are in those units
 */
#define METRICS_ROWS(ROW)                                                                        \
    ROW(connections, "connections", GAUGE, "Connections now, handshakes included")               \
    ROW(handshaking, "handshaking", GAUGE, "Handshakes under way")                               \
    ROW(sessions_tls_1_2, "sessions_tls_1_2", GAUGE, "Sessions that speak TLS 1.2")              \
    ROW(sessions_tls_1_3, "sessions_tls_1_3", GAUGE, "Sessions that speak TLS 1.3")              \
    ROW(accepted, "accepted", COUNTER, "Connections accepted")                                   \
    ROW(turned_away, "turned_away", COUNTER, "Clients turned away over a limit of sessions")     \
    ROW(over_identity, "turned_away_identity", COUNTER, "Of these, over --max-per-identity")     \
    ROW(over_address, "turned_away_address", COUNTER, "Of these, over --max-per-address")        \
    ROW(waiting, "handshakes_waiting", GAUGE, "Handshakes that wait to be worked on")            \
    ROW(handshakes_dropped, "handshakes_dropped", COUNTER,                                       \
        "Handshakes dropped over --max-handshakes")                                              \
    ROW(proxy_refused, "proxy_headers_refused", COUNTER,                                         \
        "Connections refused for their PROXY header")                                            \
    ROW(handshakes_full, "handshakes_full", COUNTER, "Full handshakes that succeeded")           \
    ROW(handshakes_resumed, "handshakes_resumed", COUNTER, "Resumed handshakes that succeeded")  \
    ROW(handshakes_refused, "handshakes_refused", COUNTER,                                       \
        "Clients whose certificate was refused")                                                 \
    ROW(handshakes_failed, "handshakes_failed", COUNTER, "Handshakes that failed otherwise")     \
    ROW(handshakes_late, "handshakes_timed_out", COUNTER, "Handshakes over --handshake-timeout") \
    ROW(expired, "closed_expired", COUNTER, "Sessions closed as their certificate ran out")      \
    ROW(evicted, "closed_untrusted", COUNTER, "Sessions closed as trust changed")                \
    ROW(requests, "requests", COUNTER, "Requests passed to the core")                            \
    ROW(protocol_errors, "protocol_errors", COUNTER, "Sessions closed for malformed RESP")       \
    ROW(tryagain, "tryagain", COUNTER, "Requests answered with TRYAGAIN")                        \
    ROW(uncertain, "uncertain", COUNTER, "Requests answered with UNCERTAIN")                     \
    ROW(link_losses, "link_losses", COUNTER, "Times that a link to the core broke")              \
    ROW(bytes_in, "bytes_in", COUNTER, "Ciphertext received from clients, in bytes")             \
    ROW(bytes_out, "bytes_out", COUNTER, "Ciphertext sent to clients, in bytes")                 \
    ROW(server_ends, "server_certificate_ends_seconds", LEAST,                                   \
        "Seconds until the first of our own certificates expires")                               \
    ROW(ca_ends, "ca_ends_seconds", LEAST, "Seconds until the first of the CAs expires")         \
    ROW(client_ends, "client_ends_seconds", LEAST,                                               \
        "Seconds until the first trust of a live session expires")                               \
    ROW(generation, "trust_generation", GREATEST, "Grows whenever CAs, pins or CRLs change")     \
    ROW(crls_expired, "crls_expired", GAUGE, "Revocation lists in use that are out of date")     \
    ROW(max_connections, "max_connections", GAUGE, "As given by --max-connections")              \
    ROW(idle_timeout, "idle_timeout_seconds", GREATEST, "As given by --idle-timeout")

/* Bounds of the handshake histogram's buckets, in microseconds; the last has none. */
/* clang-format off */
#define METRICS_BUCKETS(ROW) \
    ROW(250) ROW(500) ROW(1000) ROW(2500) ROW(5000) ROW(10000) ROW(25000) ROW(50000) ROW(100000) \
    ROW(250000) ROW(500000) ROW(1000000) ROW(2500000) ROW(5000000) ROW(10000000)
/* clang-format on */

enum {
#define METRICS_COUNT(bound) +1
    METRICS_BOUNDS = METRICS_BUCKETS(METRICS_COUNT),
#undef METRICS_COUNT
};

/* A figure that there is not at present: it has no part in a total, and its line has no value. */
#define METRIC_NONE UINT64_MAX

struct metrics {
#define METRICS_FIELD(field, name, kind, help) uint64_t field;
    METRICS_ROWS(METRICS_FIELD)
#undef METRICS_FIELD
    uint64_t refused[REFUSAL_KINDS];            /* handshakes that came to nothing, by reason */
    uint64_t handshake_buckets[METRICS_BOUNDS]; /* each alone; above the last bound: only counted */
    uint64_t handshake_usec;
    uint64_t handshake_count;
};

/* metrics_init: all 0, and METRIC_NONE for what is the least or greatest of something. */
void metrics_init(struct metrics *m);

/* metrics_handshake counts one that took so long, from accept to the last message. */
void metrics_handshake(struct metrics *m, uint64_t usec);

/* metrics_add puts another worker's figures to a total. */
void metrics_add(struct metrics *total, const struct metrics *m);

/*
 * One figure for whoever writes them out. A family has several of one name: refusals by "reason"; of a
 * histogram, cumulative buckets by "le", their "sum" and their "count".
 */
struct metric {
    const char *name;
    const char *label; /* NULL: not one of a family */
    const char *of;    /* which one; "" where the label says it all */
    enum metric_kind kind;
    const char *help;
    uint64_t value;
};

/* metrics_each shows every figure, METRIC_NONE too, in order, families together. */
void metrics_each(const struct metrics *m, void (*visit)(void *arg, const struct metric *one),
                  void *arg);

/* metrics_write appends STATS lines. */
void metrics_write(const struct metrics *m, struct buf *out);

#endif
