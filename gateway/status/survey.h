/*
 * survey: asks every worker for its figures and its sessions, and puts the answers together. Each looks at
 * a few hundred connections at a time, between its other work, so that nobody's requests wait for it. Main
 * thread only.
 */
#ifndef COFRE_GATEWAY_SURVEY_H
#define COFRE_GATEWAY_SURVEY_H

#include "worker.h"

/* What to collect; every survey has the metrics. */
enum survey_want {
    SURVEY_METRICS = 0,
    SURVEY_ISSUERS = 1,  /* how many sessions each CA's clients have */
    SURVEY_SESSIONS = 2, /* a JSON line for each of them */
};

/* Sessions by what their certificate says of its issuer (RFC 4514 text). */
struct survey_issuer {
    char *name;
    size_t sessions;
};

enum {
    SURVEY_ISSUERS_MAX = 256, /* as many names; the clients of others are counted under "" */
};

struct survey {
    struct metrics metrics; /* of all workers */
    struct survey_issuer *issuers;
    size_t issuer_count;
    struct buf sessions;
};

/*
 * survey_start calls back on the main loop when all workers have answered; `survey` is lent until that
 * returns. A worker that hangs keeps it from coming: whoever waits needs a deadline of its own.
 */
void survey_start(struct worker **workers, size_t count, enum survey_want want,
                  void (*done)(void *arg, const struct survey *survey), void *arg);

#endif
