/* dial: a TCP connection to the first address of a host that answers, or a sentence about why there is none. */
#ifndef COFRE_CLIENT_DIAL_H
#define COFRE_CLIENT_DIAL_H

#include <stdint.h>

#include "problem.h"

struct dial_target {
    const char *host;
    int port;
    const char *where;  /* both, as sentences name them */
    int64_t timeout_ms; /* what the deadline was made of, for the sentence */
};

/* dial returns a connected, nonblocking socket that the caller owns, or -1. */
int dial(const struct dial_target *target, int64_t deadline, struct problem *problem);

#endif
