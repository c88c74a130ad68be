/*
 * worker_priv: the inside of a worker. For worker.c and worker_call.c alone.
 */
#ifndef COFRE_GATEWAY_WORKER_PRIV_H
#define COFRE_GATEWAY_WORKER_PRIV_H

#include "worker.h"

struct worker {
    struct worker_shared *shared;
    unsigned number;
    uv_thread_t thread;
    uv_loop_t loop;
    struct call_queue calls;
    struct worker_call ended_call; /* tells the main loop that this worker has drained */
    uv_prepare_t before_poll;
    uv_timer_t tick;
    uv_timer_t drain_limit;
    uint8_t draining; /* enum worker_drain, or 0 */
    bool ended;
    bool linked_once;
    bool choked; /* the link is above its high mark: clients wait for conn_read_again */
    struct listener **listeners;
    size_t listener_count;
    struct link *link;
    struct key_client *keys; /* NULL: the private keys are here */
    struct tls_engine *tls;
    struct metrics metrics;
    struct request_parser parser;
    struct conn_table *conns;
    struct reception *reception;
    struct reply_batch *batch;
    struct part_queue *parts;
    struct buf scratch;
    unsigned refusals_left;
    unsigned refusals_hidden;
    uint64_t dropped_logged;
    unsigned ticks;
    int64_t first_end;      /* of the trust of all sessions, unix s; INT64_MAX: there are none */
    bool first_end_stale;   /* it was of one that is over */
    int64_t crls_looked_at; /* unix seconds */
    uint8_t read_buffer[WORKER_READ_MAX];
    uint8_t plain_buffer[WORKER_PLAIN_MAX];
};

/* worker_run_call and worker_ended (worker_call.c): a call that came, and what says that a worker has drained. */
void worker_run_call(void *arg, struct call *call);
void worker_ended(struct worker_call *c);

/* worker_end_when_empty ends the loop of a worker that drains and has no connection any more. */
void worker_end_when_empty(struct worker *w);

#endif
