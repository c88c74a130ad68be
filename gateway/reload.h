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

/* reload_now loads everything again and hands it to the workers if anything changed. */
void reload_now(struct reload *r, uint32_t key_set);

#endif
