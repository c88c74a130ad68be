/*
 * reload: brings what is on disk into the running gateway (DESIGN §5.5). All or nothing: a set that
 * does not load leaves the old one serving, and the log says exactly why.
 */
#ifndef COFRE_GATEWAY_RELOAD_H
#define COFRE_GATEWAY_RELOAD_H

#include "worker.h"

struct reload {
    const struct gateway_options *options;
    struct ticket_keys *tickets;
    struct tls_context *current; /* one reference of its own */
    struct worker **workers;
    size_t worker_count;
};

/*
 * reload_take builds a context from what was read and hands it to the workers if anything changed. `lease`
 * is NULL when the material has its private keys.
 */
void reload_take(struct reload *r, const struct material *material, struct key_lease *lease);

/* reload_now reads every file and takes it. */
void reload_now(struct reload *r);

#endif
