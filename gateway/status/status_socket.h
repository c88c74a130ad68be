/*
 * status_socket: the Unix socket of the status, as a place in the file system. It comes to be under a name of
 * its own and is renamed to the path that was asked for, so that whoever connects there finds the one gateway
 * or the other, never none. Main thread only.
 */
#ifndef COFRE_GATEWAY_STATUS_SOCKET_H
#define COFRE_GATEWAY_STATUS_SOCKET_H

#include <sys/un.h>

#include "files/pem.h"

struct status_socket {
    int fd; /* listening, or -1: there is none */
    const char *path;
    char temporary[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "" once it is at its path */
    uint64_t device;
    uint64_t inode;
};

/* status_socket_address: ERR_INVALID when the path is too long for a socket. */
MUST_CHECK enum err status_socket_address(const char *path, struct sockaddr_un *out);

/* status_socket_directory writes the path of the directory that it is in, and returns out; NULL of NULL. */
const char *status_socket_directory(const char *path, char *out, size_t cap);

/* status_socket_check: an error when a living process listens at the path, or it is no socket at all. */
MUST_CHECK enum err status_socket_check(const char *path, struct load_error *why);

/*
 * status_socket_open binds and listens, beside the path. Mode 0600, owned by `user` (NULL: whoever we are):
 * he may ask, and so may root, nobody else.
 */
MUST_CHECK enum err status_socket_open(struct status_socket *s, const char *path, const char *user,
                                       struct load_error *why);

/* status_socket_install puts it at its path, in the place of whatever socket is there. */
MUST_CHECK enum err status_socket_install(struct status_socket *s, struct load_error *why);

/* status_socket_close closes it and removes its file, unless another's has taken its place. */
void status_socket_close(struct status_socket *s);

#endif
