/*
 * service: in which order things are taken, shown and let go. Whatever can fail does so before the old gateway,
 * if there is one, is told to let go.
 */
#include "status/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

static const char *const state_names[] = {
    [SERVICE_STARTING] = "starting",
    [SERVICE_SERVING] = "serving",
    [SERVICE_DRAINING] = "draining",
};

/* Opening. */

static const char default_listen[] = "127.0.0.1:6380";

static enum err open_listed(struct service *s, struct listen_set *inherited, struct load_error *why)
{
    const struct option_list *list = &s->options->listen;
    size_t workers = (size_t)s->options->workers;
    enum err err = ERR_OK;
    for (size_t i = 0; i < list->count && err == ERR_OK; i++) {
        err = listen_set_open(&s->sockets, list->items[i], workers, inherited, why);
    }
    return err;
}

/* What the manager hands over is all used; of the old gateway's sockets, those that we are to listen on. */
static enum err open_sockets(struct service *s, struct load_error *why)
{
    struct listen_set given = { .count = 0 }, old = { .count = 0 };
    enum err err = systemd_sockets(&given, why);
    if (err == ERR_OK && s->options->takeover) {
        err = takeover_begin(&s->takeover, s->options->status, s->options->user, &old, why);
    }
    if (err == ERR_OK) {
        listen_set_move(&s->sockets, &given);
        err = open_listed(s, &old, why);
    }
    if (err == ERR_OK && s->sockets.count == 0) {
        err = listen_set_open(&s->sockets, default_listen, (size_t)s->options->workers, &old, why);
    }
    listen_set_release(&given);
    listen_set_release(&old);
    return err;
}

static enum err open_status(struct service *s, struct load_error *why)
{
    const char *path = s->options->status;
    if (path == NULL) {
        return ERR_OK;
    }
    enum err err = s->takeover.fd >= 0 ? ERR_OK : status_socket_check(path, why);
    if (err == ERR_OK) {
        err = status_socket_open(&s->socket, path, s->options->user, why);
    }
    if (err == ERR_OK && s->takeover.fd < 0) {
        err = status_socket_install(&s->socket, why);
    }
    return err;
}

void service_init(struct service *s, const struct gateway_options *o)
{
    *s = (struct service){
        .options = o, .started_at = time(NULL), .manager.fd = -1, .takeover.fd = -1, .socket.fd = -1
    };
}

enum err service_open(struct service *s, struct load_error *why)
{
    systemd_init(&s->manager);
    enum err err = open_sockets(s, why);
    if (err == ERR_OK) {
        err = open_status(s, why);
    }
    s->addresses = mem_zalloc((s->sockets.count + 1) * sizeof(s->addresses[0]));
    s->address_count = listen_set_addresses(&s->sockets, s->addresses);
    return err;
}

/* What the status asks. */

static void give_facts(void *arg, struct status_facts *out)
{
    const struct service *s = arg;
    *out = (struct status_facts){ .started_at = s->started_at,
                                  .now = time(NULL),
                                  .pid = getpid(),
                                  .state = state_names[s->state],
                                  .workers = s->reload->worker_count,
                                  .listeners = s->addresses,
                                  .listener_count = s->address_count,
                                  .context = s->reload->current };
}

static const struct listen_set *give_sockets(void *arg)
{
    const struct service *s = arg;
    return s->state == SERVICE_SERVING ? &s->sockets : NULL;
}

static void on_handed_over(void *arg, int pid)
{
    struct service *s = arg;
    log_event(LOG_INFO, "handed over: no new clients, sessions go on until they are quiet",
              LF_INT("pid", pid));
    systemd_notify(&s->manager, "MAINPID=%d", pid);
    systemd_release(&s->manager); /* it is the new one's from here on */
    s->on_handed_over(s->arg);
}

static const struct status_events status_events = {
    .facts = give_facts,
    .sockets = give_sockets,
    .handed_over = on_handed_over,
};

void service_watch(struct service *s, uv_loop_t *loop, const struct reload *reload,
                   void (*handed_over)(void *arg), void *arg)
{
    s->reload = reload;
    s->on_handed_over = handed_over;
    s->arg = arg;
    s->watchdog = watchdog_new(loop, &s->manager, reload->workers, reload->worker_count);
    if (s->socket.fd >= 0) {
        s->status = status_new(loop, s->socket.fd, reload->workers, reload->worker_count,
                               &status_events, s);
    }
}

/* Becoming ready. */

bool service_takes_over(const struct service *s)
{
    return s->takeover.fd >= 0;
}

static void accept_clients(struct service *s)
{
    size_t count = s->reload->worker_count;
    int *fds = mem_alloc((s->sockets.count + 1) * sizeof(int));
    for (size_t i = 0; i < count; i++) {
        size_t n = listen_set_share(&s->sockets, i, count, fds);
        worker_listen(s->reload->workers[i], fds, n);
    }
    free(fds);
}

static void say_ready(const struct service *s)
{
    for (size_t i = 0; i < s->address_count; i++) {
        char address[ADDRESS_TEXT];
        address_text(&s->addresses[i], address);
        if (log_enabled(LOG_INFO)) {
            log_event(LOG_INFO, "ready", LF_STR("listen", address),
                      LF_INT("workers", s->options->workers), LF_INT("pid", getpid()));
        } else {
            fprintf(stderr, "cofre-gateway: ready listen=%s\n", address);
        }
    }
}

enum err service_ready(struct service *s, struct load_error *why)
{
    if (service_takes_over(s)) {
        enum err err = status_socket_install(&s->socket, why);
        if (err != ERR_OK) {
            return err;
        }
    }
    accept_clients(s);
    takeover_finish(&s->takeover);
    s->state = SERVICE_SERVING;
    systemd_notify(&s->manager, "READY=1\nMAINPID=%d\nSTATUS=Serving with %zu workers", getpid(),
                   s->reload->worker_count);
    say_ready(s);
    return ERR_OK;
}

/* The end. */

void service_drain(struct service *s, const char *why)
{
    if (s->state != SERVICE_DRAINING) {
        s->state = SERVICE_DRAINING;
        systemd_notify(&s->manager, "STOPPING=1\nSTATUS=%s", why);
        listen_set_release(&s->sockets);
    }
}

void service_close(struct service *s)
{
    status_close(s->status);
    watchdog_close(s->watchdog);
    status_socket_close(&s->socket);
}

void service_release(struct service *s)
{
    status_socket_close(&s->socket);
    listen_set_release(&s->sockets);
    if (s->takeover.fd >= 0) {
        close(s->takeover.fd);
    }
    systemd_release(&s->manager);
    status_free(s->status);
    watchdog_free(s->watchdog);
    free(s->addresses);
}
