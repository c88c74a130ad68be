/*
 * reception: works off a worker's arrivals, a little in each turn of its loop. Handshakes are what costs a
 * gateway CPU; done straight where their bytes come in, a storm of them would come between a session and
 * its replies. So they wait until the turn's other events are done, and get a share of time.
 */
#ifndef COFRE_GATEWAY_RECEPTION_H
#define COFRE_GATEWAY_RECEPTION_H

#include <uv.h>

#include "arrivals/arrivals.h"

struct reception;

/*
 * What the owner does; on the loop's thread.
 * before   the turn will take a while: whatever is more urgent than handshakes has to be done now
 * busy     whether to begin no more full handshakes for now; an event of the loop will tell when that is over
 * serve    it is this one's turn; it has been taken out of the queue
 */
struct reception_events {
    void (*before)(void *arg);
    bool (*busy)(void *arg);
    void (*serve)(struct arrival *a);
};

/* reception_new keeps at most `max` arrivals (see arrivals_surplus). `events` is borrowed. */
struct reception *reception_new(uv_loop_t *loop, size_t max, const struct reception_events *events,
                                void *arg);

struct arrivals *reception_arrivals(struct reception *r);

/* reception_close ends it when there are no arrivals left; it is freed once its handles are closed. */
void reception_close(struct reception *r);

#endif
