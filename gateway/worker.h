/*
 * worker: one thread with its loop, its listeners, its link and its connections. Workers share
 * nothing that is written, but the counts of sessions, the references of the TLS context, and the
 * queues of calls.
 */
#ifndef COFRE_GATEWAY_WORKER_H
#define COFRE_GATEWAY_WORKER_H

#include <stdatomic.h>
#include <sys/socket.h>
#include <uv.h>

#include "arrivals/admission.h"
#include "arrivals/arrivals.h"
#include "call_queue.h"
#include "link.h"
#include "metrics.h"
#include "options.h"
#include "request.h"
#include "tls/tls_session.h"

struct worker;
struct conn;
struct reply_batch;

/* What all workers have in common; the main loop's. */
struct worker_shared {
    const struct gateway_options *options;
    struct admission *admission; /* the limits of sessions */
    atomic_uint linked;          /* workers whose link came up at least once */
    struct call_queue answers;   /* calls that workers are done with */
    void (*on_ended)(void *arg); /* a worker has drained; on the main loop */
    void *arg;
};

void worker_shared_init(struct worker_shared *shared, const struct gateway_options *options,
                        uv_loop_t *main_loop, void (*on_ended)(void *arg), void *arg);

/*
 * worker_shared_close calls back for what workers left; after the last worker_join. The loop must run once
 * more before worker_shared_release.
 */
void worker_shared_close(struct worker_shared *shared);
void worker_shared_release(struct worker_shared *shared);

/*
 * worker_start makes a thread that serves under `context` (a reference is taken), once it listens, and has
 * `key_fd` sign (taken over), -1 when the private keys are in the context.
 */
MUST_CHECK enum err worker_start(struct worker_shared *shared, unsigned number, int key_fd,
                                 struct tls_context *context, struct worker **out);

/*
 * A call is how the main thread speaks to a worker: embedded in whatever it works on.
 * run    on the worker's thread, with all that is the worker's; not called once the worker has ended
 * done   on the main loop, always and once; the call is its to free
 */
struct worker_call {
    struct call call;
    void (*run)(struct worker *w, struct worker_call *c);
    void (*done)(struct worker_call *c);
};

/* worker_call has the call run by the worker. From the main thread; calls run in order. */
void worker_call(struct worker *w, struct worker_call *c);

/* worker_swap hands a new TLS context over (a reference is taken); `done` as for calls. */
void worker_swap(struct worker *w, struct tls_context *context, void (*done)(void *arg), void *arg);

/* worker_listen accepts on these sockets, too (taken over). */
void worker_listen(struct worker *w, const int *fds, size_t count);

/*
 * How a worker ends. In both cases what waits in its listening sockets' queues is accepted first, and
 * handshakes are finished; nobody is cut off but at the end of --drain-timeout.
 */
enum worker_drain {
    WORKER_STOPS = 1, /* a session ends when its commands so far are answered */
    WORKER_HANDS_OVER, /* a session goes on until it is quiet for a moment: others serve it at once */
};

/* worker_drain stops accepting, finishes what was accepted, and ends the thread: then on_ended comes. */
void worker_drain(struct worker *w, enum worker_drain how);

/* worker_join waits for the end and frees the worker. */
void worker_join(struct worker *w);

/* For the connections of this worker; its own thread only. */

uv_loop_t *worker_loop(struct worker *w);
const struct gateway_options *worker_options(const struct worker *w);
struct link *worker_link(struct worker *w);
struct tls_engine *worker_tls(struct worker *w);
struct metrics *worker_metrics(struct worker *w);

/* worker_figures brings the metrics up to date: until when certificates hold is a matter of the time. */
const struct metrics *worker_figures(struct worker *w);

/* worker_trusts: a session began (or, with `ended`, is over) whose trust holds until then, unix s. */
void worker_trusts(struct worker *w, int64_t until, bool ended);
struct request_parser *worker_parser(struct worker *w);

/* worker_stops says whether new sessions are to end as soon as they are answered. */
bool worker_stops(const struct worker *w);

/* worker_may_read says whether the link has room for more; if not, conn_read_again will be called. */
bool worker_may_read(struct worker *w);

/* worker_next_conn goes through all connections, whatever their state (conn_table_next). */
struct conn *worker_next_conn(const struct worker *w, size_t *at);

/* The connections that are no sessions yet, and the limits of those that are. */
struct arrivals *worker_arrivals(struct worker *w);
struct admission *worker_admission(struct worker *w);

/* worker_offer accepts a socket; when too many are in their handshake, another gives way. */
void worker_offer(struct worker *w, int fd, const struct sockaddr_storage *from);

/* worker_forget takes a connection out of the tables; called once, when its handles are closed. */
void worker_forget(struct worker *w, struct conn *c);

/*
 * worker_set_deadline: conn_on_deadline will be called `ms` from now (to a tick's precision), once;
 * 0: never. A later call replaces the former.
 */
void worker_set_deadline(struct worker *w, const struct conn *c, uint64_t ms);

/*
 * Buffers that live for one callback: what read(2) brought, what TLS made of it, and replies of our
 * own. Nobody keeps a pointer into them.
 */
enum {
    WORKER_READ_MAX = 64 * 1024,
    WORKER_PLAIN_MAX = WORKER_READ_MAX + 32 * 1024, /* a read, and the record that it completes */
};
uint8_t *worker_read_buffer(struct worker *w);
uint8_t *worker_plain_buffer(struct worker *w);
struct buf *worker_scratch(struct worker *w);        /* given out empty */
struct buf *worker_scratch_append(struct worker *w); /* as it is */

/* worker_enqueue_part: the connection has a long request to send, in turns with others. */
void worker_enqueue_part(struct worker *w, struct conn *c);
void worker_dequeue_part(struct worker *w, struct conn *c);

/* The replies that the present read of the link brought. */
struct reply_batch *worker_batch(struct worker *w);

/* worker_log_refusal says whether a refusal may be logged now: storms must not fill the disk. */
bool worker_log_refusal(struct worker *w);

#endif
