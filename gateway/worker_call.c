/*
 * What the main loop has workers do: use another context, listen, drain and end. Each is a call, which runs on
 * the worker's thread and comes back.
 */
#include "worker_priv.h"

#include <stdlib.h>
#include <string.h>

#include "arrivals/reception.h"
#include "base/log.h"
#include "conn.h"
#include "conn_table.h"
#include "evict.h"
#include "keys/key_client.h"
#include "listener.h"

enum {
    LAST_MS = 1000, /* for what is not finished when the time to drain is over */
};

/* A call goes back to the main loop, which takes answers as long as there are workers. */
static void answer(struct worker_shared *shared, struct worker_call *c)
{
    if (!call_queue_push(&shared->answers, &c->call)) {
        abort();
    }
}

void worker_run_call(void *arg, struct call *call)
{
    struct worker *w = arg;
    struct worker_call *c = container_of(call, struct worker_call, call);
    c->run(w, c);
    answer(w->shared, c);
}

static void take_answer(void *arg, struct call *call)
{
    struct worker_call *c = container_of(call, struct worker_call, call);
    (void)arg;
    c->done(c);
}

void worker_ended(struct worker_call *c)
{
    struct worker *w = container_of(c, struct worker, ended_call);
    w->shared->on_ended(w->shared->arg);
}

void worker_shared_init(struct worker_shared *shared, const struct gateway_options *options,
                        uv_loop_t *main_loop, void (*on_ended)(void *arg), void *arg)
{
    *shared = (struct worker_shared){ .options = options, .on_ended = on_ended, .arg = arg };
    shared->admission = admission_new(&(struct admission_limits){
        .connections = options->max_connections,
        .per_identity = options->max_per_identity,
        .per_address = options->max_per_address,
    });
    atomic_init(&shared->linked, 0);
    call_queue_init(&shared->answers, main_loop, take_answer, shared);
}

void worker_shared_close(struct worker_shared *shared)
{
    call_queue_close(&shared->answers);
}

void worker_shared_release(struct worker_shared *shared)
{
    call_queue_release(&shared->answers);
    admission_free(shared->admission);
}

void worker_call(struct worker *w, struct worker_call *c)
{
    if (!call_queue_push(&w->calls, &c->call)) {
        answer(w->shared, c);
    }
}

/* The end. */

void worker_end_when_empty(struct worker *w)
{
    if (!w->draining || w->ended || conn_table_count(w->conns) > 0) {
        return;
    }
    w->ended = true;
    link_close(w->link);
    key_client_close(w->keys);
    reception_close(w->reception);
    call_queue_close(&w->calls);
    uv_close((uv_handle_t *)&w->before_poll, NULL);
    uv_close((uv_handle_t *)&w->tick, NULL);
    uv_close((uv_handle_t *)&w->drain_limit, NULL);
    answer(w->shared, &w->ended_call);
}

static void finish_all(struct worker *w, const char *why)
{
    w->draining = WORKER_STOPS;
    struct conn *c;
    for (size_t at = 0; (c = conn_table_next(w->conns, &at)) != NULL;) {
        conn_finish(c, why);
    }
}

static void kill_all(struct worker *w, const char *why)
{
    log_event(LOG_WARNING, "drain timeout: closing clients that are not finished",
              LF_INT("clients", conn_table_count(w->conns)));
    struct conn *c;
    for (size_t at = 0; (c = conn_table_next(w->conns, &at)) != NULL;) {
        conn_kill(c, why);
    }
}

static void on_drain_limit(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    if (w->draining == WORKER_HANDS_OVER) {
        uv_timer_start(timer, on_drain_limit, LAST_MS, 0);
        finish_all(w, "another gateway has taken over");
    } else {
        kill_all(w, "drain timeout");
    }
}

/* Once closed, what waits in a socket's queue would be reset: so it comes in first. */
static void close_listeners(struct worker *w)
{
    for (size_t i = 0; i < w->listener_count; i++) {
        listener_close(w->listeners[i]);
    }
    w->listener_count = 0;
}

struct drain {
    struct worker_call call;
    enum worker_drain how;
};

static void run_drain(struct worker *w, struct worker_call *call)
{
    enum worker_drain how = container_of(call, struct drain, call)->how;
    if (w->draining == WORKER_STOPS || w->draining == how) {
        return;
    }
    close_listeners(w);
    w->draining = (uint8_t)how;
    uv_timer_start(&w->drain_limit, on_drain_limit, (uint64_t)worker_options(w)->drain_timeout_ms,
                   0);
    if (how == WORKER_STOPS) {
        finish_all(w, "the gateway stops");
    }
    worker_end_when_empty(w);
}

/* The calls. */

struct swap {
    struct worker_call call;
    struct tls_context *context;
    void (*done)(void *arg);
    void *arg;
};

static void run_swap(struct worker *w, struct worker_call *c)
{
    const struct tls_context *fresh = container_of(c, struct swap, call)->context;
    uint64_t former = tls_context_generation(tls_engine_context(w->tls));
    tls_engine_use(w->tls, container_of(c, struct swap, call)->context);
    if (tls_context_generation(fresh) != former) {
        evict_untrusted(w, tls_context_trust(fresh));
    }
}

static void done_swap(struct worker_call *c)
{
    struct swap *s = container_of(c, struct swap, call);
    tls_context_unref(s->context);
    s->done(s->arg);
    free(s);
}

void worker_swap(struct worker *w, struct tls_context *context, void (*done)(void *arg), void *arg)
{
    struct swap *s = mem_alloc(sizeof(*s));
    *s = (struct swap){ .call = { .run = run_swap, .done = done_swap },
                        .context = tls_context_ref(context),
                        .done = done,
                        .arg = arg };
    worker_call(w, &s->call);
}

static void done_drain(struct worker_call *c)
{
    free(container_of(c, struct drain, call));
}

void worker_drain(struct worker *w, enum worker_drain how)
{
    struct drain *d = mem_alloc(sizeof(*d));
    *d = (struct drain){ .call = { .run = run_drain, .done = done_drain }, .how = how };
    worker_call(w, &d->call);
}

struct listen {
    struct worker_call call;
    size_t count;
    int fds[];
};

static void run_listen(struct worker *w, struct worker_call *c)
{
    const struct listen *l = container_of(c, struct listen, call);
    size_t count = w->listener_count;
    w->listeners = mem_realloc(w->listeners, (count + l->count) * sizeof(w->listeners[0]));
    for (size_t i = 0; i < l->count; i++) {
        w->listeners[w->listener_count++] = listener_new(w, l->fds[i]);
    }
}

static void done_listen(struct worker_call *c)
{
    free(container_of(c, struct listen, call));
}

void worker_listen(struct worker *w, const int *fds, size_t count)
{
    struct listen *l = mem_alloc(sizeof(*l) + count * sizeof(l->fds[0]));
    l->call = (struct worker_call){ .run = run_listen, .done = done_listen };
    l->count = count;
    memcpy(l->fds, fds, count * sizeof(fds[0]));
    worker_call(w, &l->call);
}
