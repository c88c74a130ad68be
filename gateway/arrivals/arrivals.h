/*
 * arrivals: a worker's connections that are no sessions yet, and those that were turned away and have
 * their last bytes to read. They are bounded in number, and this says who gives way when there are too
 * many, and whose handshake is worked on next. It knows no socket, no TLS and no clock.
 */
#ifndef COFRE_GATEWAY_ARRIVALS_H
#define COFRE_GATEWAY_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arrivals;

/* How far one has come. */
enum arrival_stage {
    ARRIVAL_SILENT, /* nothing was done for it: its header or ClientHello is not complete, or waits */
    ARRIVAL_BEGUN,   /* its handshake was begun */
    ARRIVAL_LEAVING, /* it was turned away */
    ARRIVAL_STAGES,
};

/* In which order they are served: what was begun is brought to its end before more is begun. */
enum arrival_rank {
    ARRIVAL_GOES_ON,
    ARRIVAL_RESUMES,
    ARRIVAL_FULL,
    ARRIVAL_RANKS,
};

/* One arrival, embedded in its connection. All of it is arrivals'. */
struct arrival {
    struct arrival *older; /* in its stage */
    struct arrival *newer;
    struct arrival *above; /* in its rank's stack, while it waits */
    struct arrival *below;
    uint8_t stage;
    uint8_t rank;
    bool waits;
};

struct arrivals *arrivals_new(size_t max);
void arrivals_free(struct arrivals *s); /* when it is empty */

/* arrivals_enter takes a new one in, silent; arrivals_leave takes it out, wherever it stands. */
void arrivals_enter(struct arrivals *s, struct arrival *a);
void arrivals_leave(struct arrivals *s, struct arrival *a);

/* arrivals_move: it came to another stage, and is its newest. */
void arrivals_move(struct arrivals *s, struct arrival *a, enum arrival_stage stage);

/*
 * arrivals_surplus returns who has to go, or NULL when there are not too many: the oldest of the fullest
 * stage, so that a crowd of one kind pushes out its own and not the others.
 */
struct arrival *arrivals_surplus(const struct arrivals *s);

/* arrivals_queue: it has something to be worked on. Nothing happens when it waits already. */
void arrivals_queue(struct arrivals *s, struct arrival *a, enum arrival_rank rank);

/* arrivals_hold_full: while it is set, no full handshake is begun; who else waits is served. */
void arrivals_hold_full(struct arrivals *s, bool hold);

/* arrivals_ready says whether arrivals_next would return somebody. */
bool arrivals_ready(const struct arrivals *s);

/*
 * arrivals_next takes out of the queue whoever is to be worked on next: the newest of the best rank, and
 * every fourth time of the worst, so that no rank can keep another out. NULL: nobody is ready.
 */
struct arrival *arrivals_next(struct arrivals *s);

size_t arrivals_count(const struct arrivals *s);
size_t arrivals_waiting(const struct arrivals *s);

#endif
