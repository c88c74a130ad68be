/*
 * evict: which live sessions another trust set would cut, and cutting them.
 */
#ifndef COFRE_GATEWAY_EVICT_H
#define COFRE_GATEWAY_EVICT_H

#include "worker.h"

struct eviction {
    size_t live; /* sessions that are served */
    size_t cut;  /* those of them that the set does not trust */
};

/*
 * evict_survey has all workers count what this context's trust would cut, which takes a loop turn of each,
 * and calls `done` with the sums; always and once. The context is the caller's until then. Main thread.
 */
void evict_survey(struct worker *const *workers, size_t count, const struct tls_context *context,
                  void (*done)(void *arg, struct eviction found), void *arg);

/* evict_untrusted closes them, each with a line in the log. The worker's own thread. */
void evict_untrusted(struct worker *w, const struct tls_trust *trust);

#endif
