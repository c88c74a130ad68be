/*
 * listen_set: the process's listening sockets. Bound here, or inherited: from systemd, or from a gateway
 * that is being replaced. Every worker has one of its own for each address, on the same port by
 * SO_REUSEPORT, so that the kernel spreads the clients; inherited ones may be more or fewer. The set keeps
 * them open, so that they can be passed on, until it is released. Main thread.
 */
#ifndef COFRE_GATEWAY_LISTEN_SET_H
#define COFRE_GATEWAY_LISTEN_SET_H

#include "address.h"
#include "files/pem.h"

struct listen_socket {
    int fd;
    struct sockaddr_storage bound;
};

/* All zero is an empty one. */
struct listen_set {
    struct listen_socket *items;
    size_t count;
};

/* listen_set_release closes all; what waits in a socket's queue is reset unless somebody else has it, too. */
void listen_set_release(struct listen_set *s);

/* listen_set_adopt takes an inherited descriptor over; ERR_INVALID (it stays open): no listening TCP socket. */
MUST_CHECK enum err listen_set_adopt(struct listen_set *s, int fd);

/*
 * listen_set_open adds the sockets of one address: those of `inherited` (which loses them), else new ones,
 * `count` of them. A port that a stranger listens on is an error, although SO_REUSEPORT would let us share it.
 */
MUST_CHECK enum err listen_set_open(struct listen_set *s, const char *address, size_t count,
                                    struct listen_set *inherited, struct load_error *why);

/* listen_set_move adds all that is inherited. */
void listen_set_move(struct listen_set *s, struct listen_set *inherited);

/*
 * listen_set_share writes what one of `workers` accepts on, to be closed by it, and returns how many (at
 * most the set's count). Where there are fewer sockets than workers, some share one.
 */
size_t listen_set_share(const struct listen_set *s, size_t worker, size_t workers, int *fds);

/* listen_set_addresses writes each address once, and returns how many. */
size_t listen_set_addresses(const struct listen_set *s, struct sockaddr_storage *out);

#endif
