/*
 * evict: which live sessions of a worker another trust set would cut, and cutting them. The worker's own
 * thread only.
 */
#ifndef COFRE_GATEWAY_EVICT_H
#define COFRE_GATEWAY_EVICT_H

#include "worker.h"

struct eviction {
    size_t live; /* sessions that are served */
    size_t cut;  /* those of them that the set does not trust */
};

/* evict_survey counts and does nothing. */
struct eviction evict_survey(struct worker *w, const struct tls_trust *trust);

/* evict_untrusted closes them, each with a line in the log. */
void evict_untrusted(struct worker *w, const struct tls_trust *trust);

#endif
