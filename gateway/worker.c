/*
 * worker: the thread, and the tables through which its parts find each other. What a client sends is
 * conn's business and what the core sends is link's; here they are only connected.
 */
#include "worker_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arrivals/reception.h"
#include "base/log.h"
#include "conn.h"
#include "conn_table.h"
#include "keys/key_client.h"
#include "part_queue.h"
#include "reply_batch.h"

enum {
    TICK_MS = 100,
    STATS_TICKS = 10,
    FILES_TOLD = 16,         /* to the core; the status tells all */
    QUIET_MS = 250,          /* for a session whose client has another gateway to go to */
    REFUSALS_LOGGED = 50,    /* per second */
    SIGNATURES_AT_ONCE = 32, /* a millisecond's work for P-256, 20 for RSA */
    SCRATCH_MAX = 64 * 1024 * 1024,
    SCRATCH_KEEP = 1024 * 1024,
    PART_ROOM = LINK_LOW,
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
    struct conn *c;
    for (size_t at = 0; (c = conn_table_next(w->conns, &at)) != NULL;) {
        int64_t until = conn_trusted_until(c);
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
    struct conn *c;
    for (size_t at = 0; (c = conn_table_next(w->conns, &at)) != NULL;) {
        conn_link_up(c);
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
    struct conn *c;
    for (size_t at = 0; (c = conn_table_next(w->conns, &at)) != NULL;) {
        conn_link_down(c);
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
    struct conn *c;
    for (size_t at = 0; (c = conn_table_next(w->conns, &at)) != NULL;) {
        conn_on_signature(c, SLICE("")); /* which only those that wait for one mind */
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
    struct conn *c;
    for (size_t at = 0; (c = conn_table_next(w->conns, &at)) != NULL;) {
        conn_read_again(c);
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
    struct conn *c;
    for (size_t at = 0; (c = conn_table_next(w->conns, &at)) != NULL;) {
        if (conn_is_quiet(c, QUIET_MS)) {
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

/* The thread. */

static void run(void *arg)
{
    struct worker *w = arg;
    uv_run(&w->loop, UV_RUN_DEFAULT);
}

static void init_handles(struct worker *w)
{
    uv_loop_init(&w->loop);
    call_queue_init(&w->calls, &w->loop, worker_run_call, w);
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
    w->ended_call.done = worker_ended;
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
    worker_end_when_empty(w);
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

struct conn *worker_next_conn(const struct worker *w, size_t *at)
{
    return conn_table_next(w->conns, at);
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
