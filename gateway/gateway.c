/*
 * gateway: starts the workers and waits for signals and changed files in a loop of its own: SIGHUP reads
 * them again (SIGUSR1 whatever sessions that cuts), SIGTERM and SIGINT drain. It touches no client.
 */
#include "gateway.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "dry_run.h"
#include "keylog.h"
#include "privilege.h"
#include "reload.h"
#include "service.h"
#include "source.h"

enum {
    EXIT_BAD_START = 2,
    SPARE_FILES = 128, /* besides the clients' sockets */
    READY_POLL_MS = 5,
    READY_WAIT_MS = 500,     /* for the links, so that who waits for "ready" is served at once */
    TAKEOVER_WAIT_MS = 3000, /* for the links, if there is an old gateway that can go on */
    RELOAD_POLL_MS = 20,
    RELOAD_WAIT_MS = SOURCE_PATIENCE_MS + 500, /* by then it has been refused */
};

struct gateway {
    const struct gateway_options *options;
    struct worker_shared shared;
    struct reload reload;
    struct source *source;
    struct service service;
    uv_loop_t loop;
    uv_signal_t signals[4];
    uv_timer_t rotate;
    uv_timer_t ready;
    uv_timer_t reloading; /* active: the service manager was told so */
    unsigned reload_waited_ms;
    bool taken; /* a set of files since then */
    unsigned ready_waited_ms;
    size_t ended; /* workers that have drained */
    int exit_status;
};

static int bad_start(const struct load_error *why)
{
    fprintf(stderr, "cofre-gateway: %s\n", why->text);
    return EXIT_BAD_START;
}

static enum err load_files(const struct gateway_options *o, struct ticket_keys *tickets,
                           struct tls_context **out, struct load_error *why)
{
    struct material *material;
    enum err err = material_read(o, &material, why);
    if (err == ERR_OK) {
        err = tls_context_load(o, material, tickets, NULL, out, why);
        material_free(material);
    }
    return err;
}

int gateway_check(const struct gateway_options *o)
{
    struct load_error why;
    struct tls_context *context;
    if (load_files(o, NULL, &context, &why) != ERR_OK) {
        return bad_start(&why);
    }
    tls_context_log(context, "checked");
    int status = o->status == NULL ? EXIT_SUCCESS : dry_run(o->status, tls_context_trust(context));
    tls_context_unref(context);
    return status;
}

/* Starting. */

static void limit_files(const struct gateway_options *o)
{
    long allowed = privilege_allow_files((long)o->max_connections + SPARE_FILES);
    if (allowed < o->max_connections + SPARE_FILES) {
        log_event(LOG_WARNING, "fewer open files are allowed than --max-connections needs",
                  LF_INT("allowed", allowed), LF_INT("max_connections", o->max_connections));
    }
}

/* Everything that can be wrong is found before the first thread starts. */
static enum err prepare(struct gateway *g, struct load_error *why)
{
    g->reload.tickets = ticket_keys_new();
    enum err err = load_files(g->options, g->reload.tickets, &g->reload.current, why);
    if (err == ERR_OK) {
        err = service_open(&g->service, why);
    }
    if (err == ERR_OK) {
        limit_files(g->options);
        err = privilege_drop(g->options->user, why);
    }
    privilege_no_dump();
    return err;
}

static enum err start_workers(struct gateway *g, struct load_error *why)
{
    size_t count = (size_t)g->options->workers;
    g->reload.workers = mem_alloc(count * sizeof(g->reload.workers[0]));
    for (size_t i = 0; i < count; i++) {
        if (worker_start(&g->shared, (unsigned)i, g->reload.current, &g->reload.workers[i]) !=
            ERR_OK) {
            return load_error_set(why, "a thread cannot be started");
        }
        g->reload.worker_count++;
    }
    return ERR_OK;
}

/* Running. */

/* The service manager waits for READY: whether the set was taken, refused or is bad is for the log. */
static void on_reload_poll(uv_timer_t *timer)
{
    struct gateway *g = timer->data;
    g->reload_waited_ms += RELOAD_POLL_MS;
    if ((g->taken && g->reload.offer == NULL) || g->reload_waited_ms >= RELOAD_WAIT_MS) {
        uv_timer_stop(timer);
        systemd_notify(&g->service.manager, "READY=1");
    }
}

static enum err take_material(void *arg, struct material *m, bool asked, struct load_error *why)
{
    struct gateway *g = arg;
    enum err err = reload_take(&g->reload, m, asked, why);
    g->taken = g->taken || err == ERR_OK;
    return err;
}

static void on_hup(uv_signal_t *handle, int number)
{
    struct gateway *g = handle->data;
    g->reload.forced = number == SIGUSR1;
    g->taken = false;
    g->reload_waited_ms = 0;
    systemd_reloading(&g->service.manager);
    uv_timer_start(&g->reloading, on_reload_poll, RELOAD_POLL_MS, RELOAD_POLL_MS);
    source_ask(g->source);
}

static void drain(struct gateway *g, enum worker_drain how, const char *why)
{
    uv_timer_stop(&g->ready);
    service_drain(&g->service, why);
    for (size_t i = 0; i < g->reload.worker_count; i++) {
        worker_drain(g->reload.workers[i], how);
    }
}

static void on_term(uv_signal_t *handle, int number)
{
    log_event(LOG_INFO, "stopping: no new clients, finishing what was accepted",
              LF_INT("signal", number));
    drain(handle->data, WORKER_STOPS, "Finishing what was accepted");
}

static void on_handed_over(void *arg)
{
    drain(arg, WORKER_HANDS_OVER, "Another gateway has taken over");
}

static void on_worker_ended(void *arg)
{
    struct gateway *g = arg;
    if (++g->ended == g->reload.worker_count) {
        uv_stop(&g->loop);
    }
}

static void on_rotate(uv_timer_t *timer)
{
    struct gateway *g = timer->data;
    ticket_keys_rotate(g->reload.tickets);
    if (g->options->keylog != NULL) {
        keylog_warn(g->options->keylog);
    }
}

/* Without the core, clients are told to try again; but an old gateway serves them better. */
static void become_ready(struct gateway *g, bool linked)
{
    struct load_error why;
    enum err err = ERR_OK;
    if (!linked && service_takes_over(&g->service)) {
        err = load_error_set(&why, "--takeover: no core answers at %s", g->options->core);
    }
    if (err == ERR_OK) {
        err = service_ready(&g->service, &why);
    }
    if (err != ERR_OK) {
        g->exit_status = bad_start(&why);
        drain(g, WORKER_STOPS, "Cannot start");
    }
}

static void on_ready_poll(uv_timer_t *timer)
{
    struct gateway *g = timer->data;
    unsigned limit = service_takes_over(&g->service) ? TAKEOVER_WAIT_MS : READY_WAIT_MS;
    bool linked = atomic_load(&g->shared.linked) == g->reload.worker_count;
    g->ready_waited_ms += READY_POLL_MS;
    if (linked || g->ready_waited_ms >= limit) {
        uv_timer_stop(timer);
        become_ready(g, linked);
    }
}

static void watch_signals(struct gateway *g)
{
    static const struct {
        int number;
        uv_signal_cb call;
    } watched[] = {
        { SIGHUP, on_hup }, { SIGUSR1, on_hup }, { SIGTERM, on_term }, { SIGINT, on_term }
    };
    for (size_t i = 0; i < ARRAY_SIZE(watched); i++) {
        uv_signal_init(&g->loop, &g->signals[i]);
        g->signals[i].data = g;
        uv_signal_start(&g->signals[i], watched[i].call, watched[i].number);
    }
}

static void watch_time(struct gateway *g)
{
    uv_timer_init(&g->loop, &g->rotate);
    uv_timer_init(&g->loop, &g->ready);
    uv_timer_init(&g->loop, &g->reloading);
    g->rotate.data = g;
    g->ready.data = g;
    g->reloading.data = g;
    uv_timer_start(&g->rotate, on_rotate, TICKET_ROTATE_S * 1000, TICKET_ROTATE_S * 1000);
    uv_timer_start(&g->ready, on_ready_poll, READY_POLL_MS, READY_POLL_MS);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void release(struct gateway *g)
{
    tls_context_unref(g->reload.current);
    ticket_keys_free(g->reload.tickets);
    free(g->reload.workers);
    service_release(&g->service);
}

/* Whoever asks us once more to stop, while we are about to, shall not see us killed by it. */
static void block_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static void finish(struct gateway *g)
{
    block_signals();
    reload_close(&g->reload);
    for (size_t i = 0; i < g->reload.worker_count; i++) {
        worker_join(g->reload.workers[i]);
    }
    service_close(&g->service);
    worker_shared_close(&g->shared);
    source_close(g->source);
    uv_walk(&g->loop, close_handle, NULL);
    uv_run(&g->loop, UV_RUN_DEFAULT);
    uv_loop_close(&g->loop);
    worker_shared_release(&g->shared);
    release(g);
    log_event(LOG_INFO, "stopped");
}

int gateway_run(const struct gateway_options *o)
{
    struct gateway g = { .options = o };
    struct load_error why;
    g.reload.options = o;
    service_init(&g.service, o);
    if (prepare(&g, &why) != ERR_OK) {
        release(&g);
        return bad_start(&why);
    }
    tls_context_log(g.reload.current, "loaded");
    uv_loop_init(&g.loop);
    worker_shared_init(&g.shared, o, &g.loop, on_worker_ended, &g);
    watch_signals(&g); /* before any client can be told of a thread that is not there yet */
    if (start_workers(&g, &why) != ERR_OK) {
        return bad_start(&why);
    }
    watch_time(&g);
    service_watch(&g.service, &g.loop, &g.reload, on_handed_over, &g);
    g.source = source_new(&g.loop, o, tls_context_digest(g.reload.current), take_material, &g);
    uv_run(&g.loop, UV_RUN_DEFAULT);
    finish(&g);
    return g.exit_status;
}
