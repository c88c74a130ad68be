/*
 * cofre-core: starts, runs the loop, stops. Each iteration of the loop: frames and results are read, turns that can
 * start are started, links are flushed; then the loop waits.
 */
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "acl/acl.h"
#include "base/log.h"
#include "core_acl.h"
#include "core_private.h"
#include "events.h"
#include "exchange.h"
#include "expiry.h"
#include "keyspaces.h"
#include "lanes.h"
#include "link_server.h"
#include "options.h"
#include "pause.h"
#include "pg_schema.h"

enum { EXIT_BAD_START = 2, STOP_AFTER_MS = 20 * 1000, SCRATCH_MAX = 64 * 1024 * 1024 };

/* Redis's client-output-buffer-limit for subscribers. */

struct process {
    struct core core;
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_signal_t sigterm;
    uv_signal_t sigint;
    uv_signal_t sighup;
    uv_timer_t deadline;
    bool stopping;
    bool closed; /* stopping, and the links are closed: only the audit log is left to write */
    int status;
};

/* --- stopping ------------------------------------------------------------------------------- */

static void on_deadline(uv_timer_t *timer)
{
    struct process *p = timer->data;
    log_event(LOG_WARNING, "stopping with commands still waiting for the database");
    uv_stop(&p->loop);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct process *p = handle->data;
    if (p->stopping)
        return;
    p->stopping = true;
    const char *name = signum == SIGINT ? "SIGINT" : "SIGTERM";
    log_event(LOG_INFO, "stopping", LF_STR("signal", name));
    audit_stop(&p->core, name);
    link_server_stop(p->core.links);
    pauses_stop(p->core.pauses);
    uv_timer_start(&p->deadline, on_deadline, STOP_AFTER_MS, 0);
    uv_stop(&p->loop);
}

static void on_sighup(uv_signal_t *handle, int signum)
{
    struct process *p = handle->data;
    (void)signum;
    audit_reopen(p->core.audit);
    core_acl_reload(&p->core);
}

static bool finished(const struct process *p)
{
    return p->closed && audit_idle(p->core.audit);
}

/* close_when_idle: every reply has left; the ends of the sessions are still recorded. */
static void close_when_idle(struct process *p)
{
    if (!p->stopping || p->closed || lanes_busy(p->core.lanes) ||
        !link_server_idle(p->core.links) || !exchange_left(p->core.exchange))
        return;
    p->closed = true;
    link_server_close(p->core.links);
}

/* What a reply tells of is recorded before the reply leaves. */
static void on_prepare(uv_prepare_t *handle)
{
    struct process *p = handle->data;
    link_server_end_sessions(p->core.links);
    pauses_run(p->core.pauses);
    lanes_run(p->core.lanes);
    audit_flush(p->core.audit);
    events_flush(p->core.events);
    link_server_flush(p->core.links);
    close_when_idle(p);
    if (finished(p))
        uv_stop(&p->loop);
}

/* --- starting ------------------------------------------------------------------------------- */

static void on_database_ready(void *arg)
{
    struct process *p = arg;
    expiry_start(p->core.expiry);
    log_event(LOG_INFO, "ready", LF_STR("socket", p->core.options.socket_path),
              LF_STR("postgresql", p->core.server_version));
}

static void on_database_fatal(void *arg, const char *why)
{
    struct process *p = arg;
    if (p->status != EXIT_SUCCESS)
        return; /* each lane finds it; once is enough */
    fprintf(stderr, "cofre-core: --database: %s\n", why);
    p->status = EXIT_BAD_START;
    p->stopping = true;
    uv_stop(&p->loop);
}

static enum err become(const struct options *o)
{
    uid_t uid;
    gid_t gid;
    if (geteuid() != 0)
        return ERR_OK;
    if (o->user == NULL) {
        fprintf(
            stderr,
            "cofre-core: does not run as root; start it as a user of its own, or give --user NAME\n");
        return ERR_REFUSED;
    }
    if (options_uid("user", o->user, &uid, &gid) != ERR_OK)
        return ERR_NOT_FOUND;
    if (uid == 0) {
        fprintf(stderr, "cofre-core: --user %s: does not run as root; name another user\n",
                o->user);
        return ERR_REFUSED;
    }
    if (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0) {
        perror("cofre-core: cannot become the user of --user");
        return ERR_SYSTEM;
    }
    return ERR_OK;
}

/*
 * Buffers of long values come and go with each turn. From fresh mappings each would cost a page fault for every 4 KiB, a
 * third of what a 1 MiB GET costs here; kept in the heap they do not. 32 MiB at most are kept free.
 */
static void keep_large_buffers(void)
{
    mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
    mallopt(M_TRIM_THRESHOLD, 32 * 1024 * 1024);
}

static void init_loop(struct process *p)
{
    uv_loop_init(&p->loop);
    uv_prepare_init(&p->loop, &p->prepare);
    uv_signal_init(&p->loop, &p->sigterm);
    uv_signal_init(&p->loop, &p->sigint);
    uv_signal_init(&p->loop, &p->sighup);
    uv_timer_init(&p->loop, &p->deadline);
    p->prepare.data = p->sigterm.data = p->sigint.data = p->sighup.data = p->deadline.data = p;
    uv_prepare_start(&p->prepare, on_prepare);
    uv_signal_start(&p->sigterm, on_signal, SIGTERM);
    uv_signal_start(&p->sigint, on_signal, SIGINT);
    uv_signal_start(&p->sighup, on_sighup, SIGHUP);
    p->core.loop = &p->loop;
}

static enum err start(struct process *p, const struct options *o)
{
    uid_t gateway;
    gid_t gid;
    char why[512];
    if (options_uid("gateway-user", o->gateway_user, &gateway, &gid) != ERR_OK)
        return ERR_NOT_FOUND;
    if (gateway == LINK_NOBODY) {
        fprintf(
            stderr,
            "cofre-core: --gateway-user %s: user %d proves nothing; give the gateway a user of its own\n",
            o->gateway_user, LINK_NOBODY);
        return ERR_REFUSED;
    }
    if (core_acl_start(&p->core) != ERR_OK)
        return ERR_INVALID;
    if (audit_new(&p->core, &o->audit, why, sizeof(why), &p->core.audit) != ERR_OK) {
        fprintf(stderr, "cofre-core: %s\n", why);
        return ERR_INVALID;
    }
    const struct lanes_events events = { on_database_ready, on_database_fatal, p };
    if (lanes_new(&p->core, o->database, &events, why, sizeof(why), &p->core.lanes) != ERR_OK) {
        fprintf(stderr, "cofre-core: --database: %s\n", why);
        return ERR_INVALID;
    }
    if (exchange_new(&p->core, o->database, why, sizeof(why), &p->core.exchange) != ERR_OK) {
        fprintf(stderr, "cofre-core: --database: %s\n", why);
        return ERR_INVALID;
    }
    p->core.expiry = expiry_new(&p->core);
    p->core.pauses = pauses_new(&p->core);
    if (link_server_new(&p->core, o->core.socket_path, gateway, why, sizeof(why), &p->core.links) !=
        ERR_OK) {
        fprintf(stderr, "cofre-core: %s\n", why);
        return ERR_INVALID;
    }
    audit_start(&p->core);
    lanes_start(p->core.lanes);
    exchange_start(p->core.exchange);
    return ERR_OK;
}

static void run(struct process *p)
{
    while (!p->status && !finished(p)) {
        uv_run(&p->loop, UV_RUN_DEFAULT);
        if (p->stopping && !uv_is_active((uv_handle_t *)&p->deadline))
            break; /* the deadline passed, or nothing could be waited for */
    }
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void release(struct process *p)
{
    link_server_free(p->core.links);
    expiry_free(p->core.expiry);
    exchange_free(p->core.exchange);
    lanes_free(p->core.lanes);
    pauses_free(p->core.pauses);
    audit_free(p->core.audit);
    uv_close((uv_handle_t *)&p->prepare, NULL);
    uv_walk(&p->loop, close_handle, NULL);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    uv_loop_close(&p->loop);
    events_free(p->core.events);
    free(p->core.by_id);
    cache_free(p->core.cache);
    identity_table_free(p->core.identities);
    telemetry_release(&p->core.telemetry);
    acl_free(p->core.acl);
    keyspaces_free(p->core.keyspaces);
    buf_release(&p->core.scratch);
    buf_release(&p->core.deeds);
}

int main(int argc, char **argv)
{
    static struct process process;
    struct process *p = &process;
    static struct options options; /* what it points to lives as long as the process */
    if (options_read(argc, argv, &options) != ERR_OK || become(&options) != ERR_OK)
        return EXIT_BAD_START;
    if (options.create_schema)
        return pg_schema_create(options.database) == ERR_OK ? EXIT_SUCCESS : EXIT_BAD_START;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of write(2), not the end */
    srandom((unsigned)uv_hrtime());
    keep_large_buffers();
    init_loop(p);
    p->core.options = options.core;
    p->core.hash_seed = slice_random_seed();
    p->core.cache = cache_new((size_t)options.core.cache_size);
    p->core.identities = identity_table_new();
    p->core.keyspaces = keyspaces_new();
    p->core.acl = acl_new(p->core.keyspaces, options.core.acl_file);
    p->core.events = events_new(&p->core);
    buf_init(&p->core.scratch, SCRATCH_MAX);
    buf_init(&p->core.deeds, SCRATCH_MAX);
    core_start(&p->core);
    if (start(p, &options) != ERR_OK)
        p->status = EXIT_BAD_START;
    else
        run(p);
    release(p);
    if (p->status == EXIT_SUCCESS)
        log_event(LOG_INFO, "stopped");
    return p->status;
}
