/*
 * listener: a listening socket in one worker's loop; listen_set says which.
 */
#ifndef COFRE_GATEWAY_LISTENER_H
#define COFRE_GATEWAY_LISTENER_H

#include "worker.h"

struct listener;

/* listener_new accepts on fd (taken over) and gives what comes to worker_offer. */
struct listener *listener_new(struct worker *w, int fd);

/*
 * listener_close accepts what waits in the queue, where it would be reset if the socket is nobody else's, and
 * stops listening; it frees itself.
 */
void listener_close(struct listener *l);

#endif
