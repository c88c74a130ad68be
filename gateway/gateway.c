/*
 * gateway: starts the workers and waits for signals in a loop of its own: SIGHUP loads files again,
 * SIGTERM and SIGINT drain. It touches no client.
 */
#include "gateway.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "listener.h"
#include "privilege.h"
#include "reload.h"

enum {
    EXIT_BAD_START = 2,
    SPARE_FILES = 128, /* besides the clients' sockets */
    READY_POLL_MS = 5,
    READY_WAIT_MS = 500, /* for the links, so that who waits for "ready" is served at once */
};

struct gateway {
    const struct gateway_options *options;
    struct worker_shared shared;
    struct reload reload;
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_timer_t rotate;
    uv_timer_t ready;
    int *fds; /* [worker][listen] */
    struct sockaddr_storage *bound;
    unsigned ready_waited_ms;
    size_t ended; /* workers that have drained */
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
    tls_context_unref(context);
    return EXIT_SUCCESS;
}

/* Starting. */

static enum err bind_all(struct gateway *g, struct load_error *why)
{
    size_t listens = g->options->listen.count;
    size_t workers = (size_t)g->options->workers;
    int *column = mem_alloc(workers * sizeof(int));
    enum err err = ERR_OK;
    g->fds = mem_alloc(listens * workers * sizeof(int));
    g->bound = mem_zalloc(listens * sizeof(g->bound[0]));
    for (size_t i = 0; i < listens && err == ERR_OK; i++) {
        err = listener_bind(g->options->listen.items[i], workers, column, &g->bound[i], why);
        for (size_t k = 0; k < workers && err == ERR_OK; k++) {
            g->fds[k * listens + i] = column[k];
        }
    }
    free(column);
    return err;
}

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
        err = bind_all(g, why);
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
    size_t listens = g->options->listen.count;
    size_t count = (size_t)g->options->workers;
    g->reload.workers = mem_alloc(count * sizeof(g->reload.workers[0]));
    for (size_t i = 0; i < count; i++) {
        if (worker_start(&g->shared, (unsigned)i, g->reload.current, &g->reload.workers[i]) !=
            ERR_OK) {
            return load_error_set(why, "a thread cannot be started");
        }
        worker_listen(g->reload.workers[i], g->fds + i * listens, listens);
        g->reload.worker_count++;
    }
    return ERR_OK;
}

/* Running. */

static void on_hup(uv_signal_t *handle, int number)
{
    struct gateway *g = handle->data;
    (void)number;
    reload_now(&g->reload);
}

static void on_term(uv_signal_t *handle, int number)
{
    struct gateway *g = handle->data;
    log_event(LOG_INFO, "stopping: no new clients, finishing what was accepted",
              LF_INT("signal", number));
    for (size_t i = 0; i < g->reload.worker_count; i++) {
        worker_drain(g->reload.workers[i], WORKER_STOPS);
    }
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
}

static void say_ready(struct gateway *g)
{
    for (size_t i = 0; i < g->options->listen.count; i++) {
        char address[ADDRESS_TEXT];
        address_text(&g->bound[i], address);
        if (log_enabled(LOG_INFO)) {
            log_event(LOG_INFO, "ready", LF_STR("listen", address),
                      LF_INT("workers", g->options->workers), LF_INT("pid", getpid()));
        } else {
            fprintf(stderr, "cofre-gateway: ready listen=%s\n", address);
        }
    }
}

static void on_ready_poll(uv_timer_t *timer)
{
    struct gateway *g = timer->data;
    g->ready_waited_ms += READY_POLL_MS;
    if (atomic_load(&g->shared.linked) == g->reload.worker_count ||
        g->ready_waited_ms >= READY_WAIT_MS) {
        uv_timer_stop(timer);
        say_ready(g);
    }
}

static void watch_signals(struct gateway *g)
{
    static const struct {
        int number;
        uv_signal_cb call;
    } watched[] = { { SIGHUP, on_hup }, { SIGTERM, on_term }, { SIGINT, on_term } };
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
    g->rotate.data = g;
    g->ready.data = g;
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
    free(g->fds);
    free(g->bound);
}

static void finish(struct gateway *g)
{
    for (size_t i = 0; i < g->reload.worker_count; i++) {
        worker_join(g->reload.workers[i]);
    }
    worker_shared_close(&g->shared);
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
    uv_run(&g.loop, UV_RUN_DEFAULT);
    finish(&g);
    return EXIT_SUCCESS;
}
