/*
 * call_queue: work that one thread hands to another's loop, in order. It is how the main loop and its
 * workers speak with one another; they share nothing else that is written.
 */
#ifndef COFRE_GATEWAY_CALL_QUEUE_H
#define COFRE_GATEWAY_CALL_QUEUE_H

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"

/* One piece of work, embedded in what it works on. Whoever holds the call owns it. */
struct call {
    struct call *next; /* the queue's own */
};

struct call_queue {
    uv_mutex_t lock;
    uv_async_t wake;
    struct call *first;
    struct call **last;
    void (*take)(void *arg, struct call *c);
    void *arg;
    bool closed;
};

/* call_queue_init: `take` will be called on the loop's thread with each call. */
void call_queue_init(struct call_queue *q, uv_loop_t *loop, void (*take)(void *arg, struct call *c),
                     void *arg);

/* call_queue_push hands a call over. Any thread. False: closed, the call stays the caller's. */
MUST_CHECK bool call_queue_push(struct call_queue *q, struct call *c);

/* call_queue_close takes what is there and then no more; on the loop's thread, which must run once more. */
void call_queue_close(struct call_queue *q);

/* call_queue_release frees what it holds, after its loop ended and when no thread can push any more. */
void call_queue_release(struct call_queue *q);

#endif
