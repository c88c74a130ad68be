/*
 * status: the read-only view of a running gateway on its Unix socket: /status (JSON), /metrics (Prometheus),
 * /sessions (JSON lines), by HTTP in its smallest form, in the main loop. A client can be slow, silent or
 * hostile: it costs a little memory until its deadline, and nobody waits for it. Also where a gateway that
 * takes over asks for the sockets (takeover.h).
 */
#ifndef COFRE_GATEWAY_STATUS_H
#define COFRE_GATEWAY_STATUS_H

#include <uv.h>

#include "status/listen_set.h"
#include "status/status_report.h"

struct status;

/*
 * What the owner is asked, and hears; on the main loop.
 * facts        fills what the report says; lent until the loop's turn is over
 * sockets      to hand over, NULL: not now
 * handed_over  a new gateway is ready, and has our sockets and the status path
 */
struct status_events {
    void (*facts)(void *arg, struct status_facts *out);
    const struct listen_set *(*sockets)(void *arg);
    void (*handed_over)(void *arg, int pid);
};

/* status_new serves on a listening socket, borrowed; so are the workers' array and `events`. */
struct status *status_new(uv_loop_t *loop, int fd, struct worker **workers, size_t count,
                          const struct status_events *events, void *arg);

/*
 * status_close ends all clients; the loop must run once more, and no survey be under way, before status_free
 * (worker_shared_close sees to that).
 */
void status_close(struct status *s);
void status_free(struct status *s);

#endif
