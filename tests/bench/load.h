/*
 * load: what the modes of the load generator share: the settings, the steps of a run, the report.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "histogram.h"
#include "load_conn.h"

struct settings {
    struct pool_settings server;
    int64_t port;
    int64_t connections;
    int64_t parallel; /* handshakes at once while connections are opened */
    int64_t count;    /* of requests or handshakes; 0: no bound */
    int64_t milliseconds;
    int64_t pipeline;
    int64_t rate; /* requests a second; 0: closed loop */
    int64_t first;
    int64_t keys; /* numbered from first */
    int64_t size;
    const char *mix;
    bool own; /* a certificate for each connection */
    bool
        wait; /* say "ready" and wait for a line before the run; afterwards wait for the input's end */
};

/* A run: the settings, and what was measured. Zeroed by main but for the settings. */
struct run {
    const struct settings *settings;
    struct pool *pool;
    void *state; /* heap; the mode's own, as long as the pool */
    struct histogram latency;
    uint64_t done;   /* requests or handshakes that count */
    uint64_t missed; /* requests due by the given rate that were never sent */
    uint64_t begin_ns;
    uint64_t end_ns;
    uint64_t begin_cpu_ns;
    uint64_t lost;     /* connections that ended on their own */
    char problem[256]; /* the first thing that went wrong */
};

/* The modes; each returns when the run is over. `problem` is set when it could not be done. */
void run_handshakes(struct run *run);
void run_requests(struct run *run);
void run_fill(struct run *run);
void run_idle(struct run *run);

/* run_fail keeps the first problem. */
void run_fail(struct run *run, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool run_failed(const struct run *run);

/* run_pool makes the pool of `max` connections, with `owner` for the events. False: see problem. */
bool run_pool(struct run *run, const struct pool_events *events, void *owner, unsigned max);

/* run_open opens the connections [0, count), `parallel` at a time, and returns when all are open. */
bool run_open(struct run *run, unsigned count);

/* run_begin tells that all is ready, waits for the word if asked to, and starts the clocks. */
void run_begin(struct run *run);

/* run_report stops the clocks' reading and prints the figures as one line of JSON. */
void run_report(struct run *run);

/* run_hold keeps the connections until standard input ends, if asked to. */
void run_hold(struct run *run);

#endif
