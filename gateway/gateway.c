/*
 * gateway: starts the workers and waits for signals and changed files in a loop of its own: SIGHUP reads
 * them again (SIGUSR1 whatever sessions that cuts), SIGTERM and SIGINT drain. It touches no client.
 */
#include "gateway.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "status/dry_run.h"
#include "keys/key_control.h"
#include "tls/keylog.h"
#include "privilege.h"
#include "reload.h"
#include "sandbox.h"
#include "status/service.h"
#include "files/source.h"

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
    struct key_control *keys; /* one of these two: files are read there, or here */
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
    int status;   /* of the process, once it has ended */
};

static int bad_start(const struct load_error *why)
{
    fprintf(stderr, "cofre-gateway: %s\n", why->text);
    return EXIT_BAD_START;
}

int gateway_check(const struct gateway_options *o)
{
    struct load_error why;
    struct material *material;
    struct tls_context *context;
    enum err err = material_read(o, &material, &why);
    if (err == ERR_OK) {
        err = tls_context_load(o, material, NULL, NULL, &context, &why);
        material_free(material);
    }
    if (err != ERR_OK) {
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
    int64_t needed = o->max_connections + o->workers * o->max_handshakes + SPARE_FILES;
    long allowed = privilege_allow_files((long)needed);
    if (allowed < needed) {
        log_event(LOG_WARNING,
                  "fewer open files are allowed than --max-connections and --max-handshakes need",
                  LF_INT("allowed", allowed), LF_INT("needed", needed));
    }
}

static enum err read_first(struct gateway *g, struct material **out, struct load_error *why)
{
    return g->keys == NULL ? material_read(g->options, out, why)
                           : key_control_first(g->keys, out, why);
}

/* The holder is forked before all else: nothing is open yet, and no key was ever read here. */
static enum err load_first(struct gateway *g, struct load_error *why)
{
    struct material *material;
    enum err err = ERR_OK;
    if (g->options->key_holder == SWITCH_ON) {
        err = key_control_fork(g->options, &g->keys, why);
    }
    g->reload.tickets = ticket_keys_new(); /* which the holder has no business with */
    if (err == ERR_OK) {
        err = read_first(g, &material, why);
    }
    if (err == ERR_OK) {
        err = tls_context_load(g->options, material, g->reload.tickets, NULL, &g->reload.current,
                               why);
        material_free(material);
    }
    return err;
}

/*
 * From here on the process opens no file: certificates come from the holder, the key log is open. Where its
 * status socket is, it may put it in place and take it away.
 */
static void enter_sandbox(const struct gateway_options *o)
{
    char status[PATH_MAX];
    const struct sandbox_rule rules[] = {
        { status_socket_directory(o->status, status, sizeof(status)), SANDBOX_BIND },
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        { "/proc", SANDBOX_READ }, /* where sanitizers look for threads */
#endif
        { NULL, 0 },
    };
    privilege_shed(PRIVILEGE_REACHING);
    if (sandbox_enter(rules, ARRAY_SIZE(rules)) != ERR_OK) {
        log_event(
            LOG_WARNING,
            "this kernel has no Landlock: only the files' modes keep the private keys from the "
            "process that faces the network",
            LF_STR("reason", strerror(errno)));
    }
}

/* Everything that can be wrong is found before the first thread starts. */
static enum err prepare(struct gateway *g, struct load_error *why)
{
    enum err err = load_first(g, why);
    if (err == ERR_OK) {
        err = service_open(&g->service, why);
    }
    if (err == ERR_OK) {
        limit_files(g->options);
        err = privilege_drop(g->options->user, why);
    }
    if (err == ERR_OK && g->keys != NULL) {
        enter_sandbox(g->options);
    }
    privilege_no_dump();
    return err;
}

static enum err start_workers(struct gateway *g, struct load_error *why)
{
    size_t count = (size_t)g->options->workers;
    g->reload.workers = mem_alloc(count * sizeof(g->reload.workers[0]));
    for (size_t i = 0; i < count; i++) {
        int key_fd = g->keys == NULL ? -1 : key_control_take_fd(g->keys, i);
        if (worker_start(&g->shared, (unsigned)i, key_fd, g->reload.current,
                         &g->reload.workers[i]) != ERR_OK) {
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
    if (g->keys != NULL) {
        key_control_reload(g->keys);
    } else {
        source_ask(g->source);
    }
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

/*
 * Without its holder the gateway can let nobody in, and only a new start brings one: it has given up what it
 * would take. Lingering for those who are in would look alive to a supervisor and be closed to everyone else,
 * so it ends as by SIGTERM, with replies under way delivered, and says by its status that it failed.
 */
static void on_keys_lost(void *arg, const char *how)
{
    struct gateway *g = arg;
    log_event(LOG_ERROR, "the key holder has ended: stopping, since no new client could be let in",
              LF_STR("holder", how));
    g->status = EXIT_FAILURE;
    drain(g, WORKER_STOPS, "The key holder has ended");
}

/* watch_files: they are read by the holder, or here; either way each new set goes to reload. */
static void watch_files(struct gateway *g)
{
    if (g->keys == NULL) {
        g->source = source_new(&g->loop, g->options, tls_context_digest(g->reload.current),
                               take_material, g);
        return;
    }
    key_control_watch(
        g->keys, &g->loop,
        &(struct key_control_owner){
            .take = take_material, .take_arg = g, .on_lost = on_keys_lost, .lost_arg = g });
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
        g->status = bad_start(&why);
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
    key_control_free(g->keys);
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
    if (g->keys != NULL) {
        key_control_unwatch(g->keys);
    }
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
    watch_files(&g);
    uv_run(&g.loop, UV_RUN_DEFAULT);
    finish(&g);
    return g.status;
}
