/*
 * worker: the thread, and the tables through which its parts find each other. What a client sends is
 * conn's business and what the core sends is link's; here they are only connected.
 */
#include "worker.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "conn.h"
#include "conn_table.h"
#include "evict.h"
#include "keys/key_client.h"
#include "listener.h"
#include "part_queue.h"
#include "arrivals/reception.h"
#include "reply_batch.h"

enum {
    TICK_MS = 100,
    STATS_TICKS = 10,
    FILES_TOLD = 16,         /* to the core; the status tells all */
    QUIET_MS = 250,          /* for a session whose client has another gateway to go to */
    LAST_MS = 1000,          /* for what is not finished when the time to drain is over */
    REFUSALS_LOGGED = 50,    /* per second */
    SIGNATURES_AT_ONCE = 32, /* a millisecond's work for P-256, 20 for RSA */
    SCRATCH_MAX = 64 * 1024 * 1024,
    SCRATCH_KEEP = 1024 * 1024,
    PART_ROOM = LINK_LOW,
};

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

/* Figures. */

void worker_trusts(struct worker *w, int64_t until, bool ended)
{
    if (ended) {
        w->first_end_stale |= until <= w->first_end;
    } else if (until < w->first_end) {
        w->first_end = until;
    }
}

static void look_for_first_end(struct worker *w)
{
    w->first_end = INT64_MAX;
    w->first_end_stale = false;
    for (size_t i = 0; i < conn_table_size(w->conns); i++) {
        struct conn *c = conn_table_at(w->conns, i);
        int64_t until = c == NULL ? INT64_MAX : conn_trusted_until(c);
        w->first_end = until < w->first_end ? until : w->first_end;
    }
}

static uint64_t seconds_until(int64_t end, int64_t now)
{
    if (end == INT64_MAX) {
        return METRIC_NONE;
    }
    return end > now ? (uint64_t)(end - now) : 0;
}

const struct metrics *worker_figures(struct worker *w)
{
    const struct tls_context *context = tls_engine_context(w->tls);
    int64_t now = time(NULL);
    if (w->first_end_stale) {
        look_for_first_end(w);
    }
    w->metrics.client_ends = seconds_until(w->first_end, now);
    w->metrics.server_ends = seconds_until(tls_context_ends(context), now);
    w->metrics.ca_ends = seconds_until(tls_trust_ends(tls_context_trust(context)), now);
    w->metrics.generation = tls_context_generation(context);
    return &w->metrics;
}

/* The link's events. */

static void write_files(const struct worker *w, struct buf *out)
{
    size_t count;
    const struct tls_file *files = tls_context_files(tls_engine_context(w->tls), &count);
    for (size_t i = 0; i < count && i < FILES_TOLD; i++) {
        buf_printf(out, "gateway_sha256_%s:", files[i].name);
        for (size_t k = 0; k < sizeof(files[i].sha256); k++) {
            buf_printf(out, "%02x", files[i].sha256[k]);
        }
        buf_append(out, "\n", 1);
    }
}

static void send_stats(struct worker *w)
{
    if (!link_is_up(w->link)) {
        return;
    }
    struct buf *text = worker_scratch(w);
    metrics_write(worker_figures(w), text);
    write_files(w, text);
    frame_write(link_out(w->link),
                &(struct frame){ .type = FRAME_STATS, .payload = buf_slice(text) });
}

static void on_link_up(void *arg)
{
    struct worker *w = arg;
    if (!w->linked_once) {
        w->linked_once = true;
        atomic_fetch_add(&w->shared->linked, 1);
    }
    send_stats(w);
    for (size_t i = 0; i < conn_table_size(w->conns); i++) {
        struct conn *c = conn_table_at(w->conns, i);
        if (c != NULL) {
            conn_link_up(c);
        }
    }
}

static void deliver_batch(void *arg)
{
    struct worker *w = arg;
    struct conn *c;
    while ((c = reply_batch_pop(w->batch)) != NULL) {
        conn_deliver_batch(c);
    }
    reply_batch_clear(w->batch);
}

static void on_link_down(void *arg)
{
    struct worker *w = arg;
    w->metrics.link_losses++;
    deliver_batch(w); /* what came before the break is as good as ever */
    for (size_t i = 0; i < conn_table_size(w->conns); i++) {
        struct conn *c = conn_table_at(w->conns, i);
        if (c != NULL) {
            conn_link_down(c);
        }
    }
}

static void on_link_frame(void *arg, const struct frame *f)
{
    struct worker *w = arg;
    struct conn *c = conn_table_find(w->conns, f->session);
    if (c != NULL) {
        conn_on_frame(c, f);
    }
}

static const struct link_events link_events = {
    .on_up = on_link_up,
    .on_down = on_link_down,
    .on_frame = on_link_frame,
    .on_batch_end = deliver_batch,
};

/* The key holder's answers; a client that is gone meanwhile has no place in the table. */

static void on_signature(void *arg, const struct key_reply *reply)
{
    struct worker *w = arg;
    struct conn *c = conn_table_find(w->conns, reply->id);
    if (c != NULL) {
        conn_on_signature(c, reply->signature);
    }
}

static void on_signer_lost(void *arg)
{
    struct worker *w = arg;
    for (size_t i = 0; i < conn_table_size(w->conns); i++) {
        struct conn *c = conn_table_at(w->conns, i);
        if (c != NULL) {
            conn_on_signature(c, SLICE("")); /* which only those that wait for one mind */
        }
    }
}

static const struct key_client_events key_events = {
    .on_reply = on_signature,
    .on_lost = on_signer_lost,
};

static bool ask_signature(void *arg, const struct key_request *request)
{
    return key_client_ask(arg, request);
}

/* Once per loop turn: long requests take turns, and everything leaves in one write. */

/* pump_parts returns whether every long request has left. */
static bool pump_parts(struct worker *w)
{
    while (link_is_up(w->link) && buf_len(link_out(w->link)) < PART_ROOM) {
        struct conn *c = part_queue_pop(w->parts);
        if (c == NULL) {
            return true;
        }
        if (conn_send_part(c)) {
            part_queue_push(w->parts, c);
        }
    }
    return false;
}

static void unchoke(struct worker *w)
{
    w->choked = false;
    for (size_t i = 0; i < conn_table_size(w->conns); i++) {
        struct conn *c = conn_table_at(w->conns, i);
        if (c != NULL) {
            conn_read_again(c);
        }
    }
}

static void flush(struct worker *w)
{
    if (w->ended) {
        return;
    }
    if (pump_parts(w)) {
        link_say_drained(w->link);
    }
    link_flush(w->link);
    if (w->keys != NULL) {
        key_client_flush(w->keys);
    }
    if (w->choked && !link_is_draining(w->link) && buf_len(link_out(w->link)) < LINK_LOW) {
        unchoke(w);
    }
}

static void before_poll(uv_prepare_t *handle)
{
    flush(handle->data);
}

/* Commands that came in this turn do not wait for the handshakes of this turn. */
static void before_handshakes(void *arg)
{
    flush(arg);
}

/*
 * What waits for the key holder is served there in order, and what it answers in one turn is not in the
 * turn's share of time. So it gets no more at once than it has done soon: the queue is here.
 */
static bool key_holder_busy(void *arg)
{
    const struct worker *w = arg;
    return w->keys != NULL && key_client_waiting(w->keys) >= SIGNATURES_AT_ONCE;
}

static const struct reception_events reception_events = {
    .before = before_handshakes,
    .busy = key_holder_busy,
    .serve = conn_serve,
};

/* Time. */

/* Lists run out while we run; the first worker says so for all. */
static void watch_crls(struct worker *w)
{
    const struct tls_trust *trust = tls_context_trust(tls_engine_context(w->tls));
    int64_t now = time(NULL), next;
    w->metrics.crls_expired = tls_trust_crls_expired(trust, now, &next);
    tls_trust_warn_crls(trust, w->crls_looked_at, now);
    w->crls_looked_at = now;
}

static void every_second(struct worker *w)
{
    w->metrics.waiting = arrivals_waiting(worker_arrivals(w));
    if (w->number == 0) {
        watch_crls(w);
    }
    send_stats(w);
    if (w->refusals_hidden > 0) {
        log_event(LOG_WARNING, "more refusals than are logged one by one",
                  LF_INT("not_logged", w->refusals_hidden));
    }
    if (w->metrics.handshakes_dropped > w->dropped_logged) {
        log_event(LOG_WARNING, "handshakes dropped: more than --max-handshakes are under way",
                  LF_INT("dropped", w->metrics.handshakes_dropped - w->dropped_logged));
    }
    w->dropped_logged = w->metrics.handshakes_dropped;
    w->refusals_hidden = 0;
    w->refusals_left = REFUSALS_LOGGED;
}

static void finish_quiet(struct worker *w)
{
    for (size_t i = 0; i < conn_table_size(w->conns); i++) {
        struct conn *c = conn_table_at(w->conns, i);
        if (c != NULL && conn_is_quiet(c, QUIET_MS)) {
            conn_finish(c, "another gateway has taken over");
        }
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    struct conn *c;
    size_t from = 0;
    uint64_t now = uv_now(&w->loop);
    while ((c = conn_table_due(w->conns, now, &from)) != NULL) {
        conn_on_deadline(c);
    }
    if (w->draining == WORKER_HANDS_OVER) {
        finish_quiet(w);
    }
    if (++w->ticks % STATS_TICKS == 0) {
        every_second(w);
    }
}

/* The end. */

/* A call goes back to the main loop, which takes answers as long as there are workers. */
static void answer(struct worker_shared *shared, struct worker_call *c)
{
    if (!call_queue_push(&shared->answers, &c->call)) {
        abort();
    }
}

static void end_when_empty(struct worker *w)
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
    for (size_t i = 0; i < conn_table_size(w->conns); i++) {
        struct conn *c = conn_table_at(w->conns, i);
        if (c != NULL) {
            conn_finish(c, why);
        }
    }
}

static void kill_all(struct worker *w, const char *why)
{
    log_event(LOG_WARNING, "drain timeout: closing clients that are not finished",
              LF_INT("clients", conn_table_count(w->conns)));
    for (size_t i = 0; i < conn_table_size(w->conns); i++) {
        struct conn *c = conn_table_at(w->conns, i);
        if (c != NULL) {
            conn_kill(c, why);
        }
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
    end_when_empty(w);
}

/* Calls. */

static void run_call(void *arg, struct call *call)
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

static void on_ended_call(struct worker_call *c)
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

/* The thread. */

static void run(void *arg)
{
    struct worker *w = arg;
    uv_run(&w->loop, UV_RUN_DEFAULT);
}

static void init_handles(struct worker *w)
{
    uv_loop_init(&w->loop);
    call_queue_init(&w->calls, &w->loop, run_call, w);
    uv_prepare_init(&w->loop, &w->before_poll);
    uv_timer_init(&w->loop, &w->tick);
    uv_timer_init(&w->loop, &w->drain_limit);
    w->before_poll.data = w;
    w->tick.data = w;
    w->drain_limit.data = w;
    uv_prepare_start(&w->before_poll, before_poll);
    uv_timer_start(&w->tick, on_tick, TICK_MS, TICK_MS);
}

static void init_keys(struct worker *w, int fd)
{
    if (fd >= 0) {
        w->keys = key_client_new(&w->loop, fd, &key_events, w);
        tls_engine_set_signer(w->tls, (struct tls_signer){ .ask = ask_signature, .arg = w->keys });
    }
}

/* What is said of the whole process is said once; the core adds workers up. */
static void init_metrics(struct worker *w)
{
    const struct gateway_options *o = worker_options(w);
    metrics_init(&w->metrics);
    w->first_end = INT64_MAX;
    w->metrics.max_connections = w->number == 0 ? (uint64_t)o->max_connections : 0;
    w->metrics.idle_timeout = (uint64_t)(o->idle_timeout_ms + 999) / 1000;
}

enum err worker_start(struct worker_shared *shared, unsigned number, int key_fd,
                      struct tls_context *context, struct worker **out)
{
    struct worker *w = mem_zalloc(sizeof(*w));
    w->shared = shared;
    w->number = number;
    init_metrics(w);
    w->refusals_left = REFUSALS_LOGGED;
    w->crls_looked_at = time(NULL);
    w->ended_call.done = on_ended_call;
    init_handles(w);
    w->conns = conn_table_new();
    w->batch = reply_batch_new();
    w->parts = part_queue_new();
    w->tls = tls_engine_new();
    tls_engine_use(w->tls, context);
    init_keys(w, key_fd);
    request_parser_init(&w->parser, (size_t)shared->options->max_request);
    buf_init(&w->scratch, SCRATCH_MAX);
    w->reception =
        reception_new(&w->loop, (size_t)shared->options->max_handshakes, &reception_events, w);
    w->link = link_new(&w->loop, shared->options->core, &link_events, w);
    *out = w;
    if (uv_thread_create(&w->thread, run, w) != 0) {
        return ERR_SYSTEM; /* the process ends: nothing is taken apart */
    }
    return ERR_OK;
}

void worker_join(struct worker *w)
{
    uv_thread_join(&w->thread);
    uv_loop_close(&w->loop);
    call_queue_release(&w->calls);
    tls_engine_free(w->tls);
    request_parser_release(&w->parser);
    conn_table_free(w->conns);
    reply_batch_free(w->batch);
    part_queue_free(w->parts);
    buf_release(&w->scratch);
    free(w->listeners);
    free(w);
}

/* For connections. */

void worker_offer(struct worker *w, int fd, const struct sockaddr_storage *from)
{
    w->metrics.accepted++;
    w->metrics.connections++;
    uint64_t session = conn_table_reserve(w->conns);
    conn_table_set(w->conns, session, conn_accept(w, fd, from, session));
    struct arrival *surplus = arrivals_surplus(worker_arrivals(w));
    if (surplus != NULL) {
        conn_give_way(surplus);
    }
}

void worker_forget(struct worker *w, struct conn *c)
{
    conn_table_drop(w->conns, conn_session(c));
    w->metrics.connections--;
    end_when_empty(w);
}

struct arrivals *worker_arrivals(struct worker *w)
{
    return reception_arrivals(w->reception);
}

struct admission *worker_admission(struct worker *w)
{
    return w->shared->admission;
}

bool worker_may_read(struct worker *w)
{
    if (link_is_draining(w->link) || buf_len(link_out(w->link)) > LINK_HIGH) {
        w->choked = true;
    }
    return !w->choked;
}

bool worker_log_refusal(struct worker *w)
{
    if (w->refusals_left == 0) {
        w->refusals_hidden++;
        return false;
    }
    w->refusals_left--;
    return true;
}

void worker_set_deadline(struct worker *w, const struct conn *c, uint64_t ms)
{
    conn_table_set_deadline(w->conns, conn_session(c), ms == 0 ? 0 : uv_now(&w->loop) + ms);
}

void worker_each(struct worker *w, void (*visit)(struct conn *c, void *arg), void *arg)
{
    for (size_t i = 0; i < conn_table_size(w->conns); i++) {
        struct conn *c = conn_table_at(w->conns, i);
        if (c != NULL) {
            visit(c, arg);
        }
    }
}

void worker_enqueue_part(struct worker *w, struct conn *c)
{
    part_queue_push(w->parts, c);
}

void worker_dequeue_part(struct worker *w, struct conn *c)
{
    part_queue_remove(w->parts, c);
}

struct reply_batch *worker_batch(struct worker *w)
{
    return w->batch;
}

bool worker_stops(const struct worker *w)
{
    return w->draining == WORKER_STOPS;
}

size_t worker_conn_slots(const struct worker *w)
{
    return conn_table_size(w->conns);
}

struct conn *worker_conn_at(const struct worker *w, size_t slot)
{
    return conn_table_at(w->conns, slot);
}

uv_loop_t *worker_loop(struct worker *w)
{
    return &w->loop;
}

const struct gateway_options *worker_options(const struct worker *w)
{
    return w->shared->options;
}

struct link *worker_link(struct worker *w)
{
    return w->link;
}

struct tls_engine *worker_tls(struct worker *w)
{
    return w->tls;
}

struct metrics *worker_metrics(struct worker *w)
{
    return &w->metrics;
}

struct request_parser *worker_parser(struct worker *w)
{
    return &w->parser;
}

uint8_t *worker_read_buffer(struct worker *w)
{
    return w->read_buffer;
}

uint8_t *worker_plain_buffer(struct worker *w)
{
    return w->plain_buffer;
}

struct buf *worker_scratch(struct worker *w)
{
    if (w->scratch.overflow || w->scratch.cap > SCRATCH_KEEP) {
        buf_release(&w->scratch);
    } else {
        buf_clear(&w->scratch);
    }
    return &w->scratch;
}

struct buf *worker_scratch_append(struct worker *w)
{
    return &w->scratch;
}
