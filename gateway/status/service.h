/*
 * service: the process as others outside see it: its listening sockets and where they come from, its status
 * socket, its service manager, and the gateway that it replaces or is replaced by. Main thread only.
 */
#ifndef COFRE_GATEWAY_SERVICE_H
#define COFRE_GATEWAY_SERVICE_H

#include "status/listen_set.h"
#include "reload.h"
#include "status/status.h"
#include "status/status_socket.h"
#include "status/systemd.h"
#include "status/takeover.h"
#include "status/watchdog.h"

enum service_state {
    SERVICE_STARTING,
    SERVICE_SERVING,
    SERVICE_DRAINING,
};

struct service {
    const struct gateway_options *options;
    const struct reload *reload;
    enum service_state state;
    int64_t started_at; /* unix seconds */
    struct systemd manager;
    struct listen_set sockets;
    struct sockaddr_storage *addresses; /* that are listened on, each once */
    size_t address_count;
    struct takeover takeover;
    struct status_socket socket;
    struct status *status;
    struct watchdog *watchdog;
    void (*on_handed_over)(void *arg);
    void *arg;
};

/* service_init makes one that service_release takes; `o` is borrowed. */
void service_init(struct service *s, const struct gateway_options *o);

/*
 * service_open gets the listening sockets, from the old gateway, the service manager, or new ones, and makes
 * the status socket. Before privileges are dropped.
 */
MUST_CHECK enum err service_open(struct service *s, struct load_error *why);

/* service_watch begins to answer on the status socket; `reload` has the workers. */
void service_watch(struct service *s, uv_loop_t *loop, const struct reload *reload,
                   void (*on_handed_over)(void *arg), void *arg);

/* service_takes_over: there is an old gateway, which goes on until service_ready. */
bool service_takes_over(const struct service *s);

/* service_ready: all is in place. The workers accept, the old gateway lets go, and everybody is told. */
MUST_CHECK enum err service_ready(struct service *s, struct load_error *why);

/* service_drain: no new clients, for the reason that the manager is told. The sockets are closed here. */
void service_drain(struct service *s, const char *why);

/* service_close ends it; the loop must run, and the workers' calls be back, before service_release. */
void service_close(struct service *s);
void service_release(struct service *s);

#endif
