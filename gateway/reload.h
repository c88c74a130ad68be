/*
 * reload: brings what is on disk into the running gateway (DESIGN §5.5). All or nothing: a set that
 * does not load, or that would cut more sessions than it may, leaves the old one serving, and the log
 * says exactly why. Main loop.
 */
#ifndef COFRE_GATEWAY_RELOAD_H
#define COFRE_GATEWAY_RELOAD_H

#include "worker.h"

struct reload_offer;

struct reload {
    const struct gateway_options *options;
    struct ticket_keys *tickets;
    struct tls_context *current; /* one reference of its own */
    struct reload_offer *offer;  /* the set that is being asked about, or NULL */
    struct worker **workers;
    size_t worker_count;
};

/*
 * reload_now loads everything again and hands it to the workers if anything changed. Before, it asks them
 * how many live sessions that would cut; more than --max-evict must be forced.
 */
void reload_now(struct reload *r, bool forced);

/* reload_close: nothing is swapped any more; before the workers are joined. */
void reload_close(struct reload *r);

#endif
