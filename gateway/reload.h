/*
 * reload: brings a set of files into the running gateway (DESIGN §5.5). All or nothing: one that does not
 * load leaves the old one serving.
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
 * reload_take is a source_take: it loads the set and hands it to the workers. The set in use once more is
 * no reload, and when somebody asked for one, that is logged. ERR_INVALID: the set is bad.
 */
MUST_CHECK enum err reload_take(void *reload, struct material *m, bool asked,
                                struct load_error *why);

#endif
