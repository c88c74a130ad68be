/*
 * listener: a listening socket in one worker's loop. Every worker has one for each --listen, on the
 * same port by SO_REUSEPORT, and the kernel spreads the clients.
 */
#ifndef COFRE_GATEWAY_LISTENER_H
#define COFRE_GATEWAY_LISTENER_H

#include "address.h"
#include "pem.h"
#include "worker.h"

/*
 * listener_bind opens `count` sockets on one address. A port that someone already listens on is an
 * error, although SO_REUSEPORT would let us share it. With port 0 all get the one the kernel chose.
 * *bound is the address in use.
 */
MUST_CHECK enum err listener_bind(const char *address, size_t count, int *fds,
                                  struct sockaddr_storage *bound, struct load_error *why);

struct listener;

/* listener_new accepts on fd (taken over) and gives what comes to worker_offer. */
struct listener *listener_new(struct worker *w, int fd);

/*
 * listener_close accepts what waits in the queue, where it would be reset if the socket is nobody else's, and
 * stops listening; it frees itself.
 */
void listener_close(struct listener *l);

#endif
