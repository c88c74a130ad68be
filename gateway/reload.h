/*
 * reload: brings a set of files into the running gateway (DESIGN §5.5). All or nothing: one that does not
 * load, or that would cut more live sessions than it may, leaves the old one serving. Main loop.
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
    bool forced;                 /* who asked last does not mind how many sessions it cuts */
    struct worker **workers;
    size_t worker_count;
};

/*
 * reload_take is a source_take: it loads the set, asks the workers how many live sessions that would cut,
 * and hands it to them, unless those are more than --max-evict and nobody forced it, which is logged. The
 * set in use once more is no reload, and when somebody asked for one, that is logged. ERR_INVALID: the set
 * is bad.
 */
MUST_CHECK enum err reload_take(void *reload, struct material *m, bool asked,
                                struct load_error *why);

/* reload_close: nothing is swapped any more; before the workers are joined. */
void reload_close(struct reload *r);

#endif
