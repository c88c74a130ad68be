/* dial: see dial.h. The deadline is one for all addresses of the host together. */
#include "dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wait.h"

static void explain(const struct dial_target *t, int error, struct problem *problem)
{
    switch (error) {
    case ECONNREFUSED:
        problem_set(problem, EXIT_CONNECTION,
                    "nothing listens at %s: is cofre-gateway running, and are host and port right?",
                    t->where);
        return;
    case ETIMEDOUT:
        problem_set(
            problem, EXIT_CONNECTION,
            "no answer from %s within %.1f seconds: check host, port and firewalls, or allow more with --timeout",
            t->where, (double)t->timeout_ms / 1000);
        return;
    case ENETUNREACH:
    case EHOSTUNREACH:
        problem_set(problem, EXIT_CONNECTION,
                    "there is no way to %s from here: check host and network", t->where);
        return;
    default:
        problem_set(problem, EXIT_CONNECTION, "cannot connect to %s: %s", t->where,
                    strerror(error));
        return;
    }
}

/* connect_one returns a connected, nonblocking socket, or -1 with errno. */
static int connect_one(const struct addrinfo *address, int64_t deadline)
{
    int one = 1;
    int error = 0;
    socklen_t len = sizeof(error);
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        error = errno;
    }
    if (error == EINPROGRESS) {
        error = ETIMEDOUT;
        if (wait_until(fd, POLLOUT, deadline) == ERR_OK) {
            (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
        }
    }
    if (error != 0) {
        (void)close(fd);
        errno = error;
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    return fd;
}

int dial(const struct dial_target *t, int64_t deadline, struct problem *problem)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC };
    struct addrinfo *list = NULL;
    char port[8];
    int fd = -1;

    (void)snprintf(port, sizeof(port), "%d", t->port);
    int rc = getaddrinfo(t->host, port, &hints, &list);
    if (rc != 0) {
        problem_set(problem, EXIT_CONNECTION, "the host '%s' is not known (%s): check -h", t->host,
                    rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
        return -1;
    }
    errno = ECONNREFUSED;
    for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = connect_one(a, deadline);
    }
    int error = errno;
    freeaddrinfo(list);
    if (fd < 0) {
        explain(t, error, problem);
    }
    return fd;
}
