/*
 * listen_set: binding, and the matching of inherited sockets by the address that they are bound to.
 */
#include "status/listen_set.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BACKLOG = 4096, /* the kernel caps it at net.core.somaxconn */
    KEEPALIVE_S = 120,
};

static void set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof(value));
}

/* Accepted sockets inherit these: no system call for each. */
static void set_client_options(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S);
}

static int open_socket(const struct sockaddr_storage *addr, socklen_t len, bool share)
{
    int fd = socket(addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (share) {
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    set_client_options(fd);
    if (bind(fd, (const struct sockaddr *)addr, len) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Without SO_REUSEPORT a bind fails if anybody listens there, which is what we want to know. */
static enum err check_free(const char *address, const struct sockaddr_storage *addr, socklen_t len,
                           struct load_error *why)
{
    int fd = open_socket(addr, len, false);
    if (fd < 0) {
        return load_error_set(why, "--listen %s: %s", address, strerror(errno));
    }
    close(fd);
    return ERR_OK;
}

static void add(struct listen_set *s, int fd, const struct sockaddr_storage *bound)
{
    s->items = mem_realloc(s->items, (s->count + 1) * sizeof(s->items[0]));
    s->items[s->count++] = (struct listen_socket){ .fd = fd, .bound = *bound };
}

/* bind_one adds a socket; *addr gets its port if it was 0. Negative: errno says why not. */
static int bind_one(struct listen_set *s, struct sockaddr_storage *addr, socklen_t len)
{
    int fd = open_socket(addr, len, true);
    if (fd < 0) {
        return -1;
    }
    if (listen(fd, BACKLOG) != 0) {
        close(fd);
        return -1;
    }
    getsockname(fd, (struct sockaddr *)addr, &len);
    add(s, fd, addr);
    return 0;
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family) {
        return false;
    }
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;
        return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
    }
    const struct sockaddr_in6 *x = (const void *)a, *y = (const void *)b;
    return x->sin6_port == y->sin6_port &&
           memcmp(&x->sin6_addr, &y->sin6_addr, sizeof(x->sin6_addr)) == 0;
}

/* take moves the inherited sockets of an address over, and returns how many there were. */
static size_t take(struct listen_set *s, struct listen_set *inherited,
                   const struct sockaddr_storage *addr)
{
    size_t kept = 0;
    size_t before = inherited->count;
    for (size_t i = 0; i < before; i++) {
        struct listen_socket *one = &inherited->items[i];
        if (same_address(&one->bound, addr)) {
            add(s, one->fd, &one->bound);
        } else {
            inherited->items[kept++] = *one;
        }
    }
    inherited->count = kept;
    return before - kept;
}

enum err listen_set_open(struct listen_set *s, const char *address, size_t count,
                         struct listen_set *inherited, struct load_error *why)
{
    struct sockaddr_storage addr;
    socklen_t len;
    if (address_parse(address, &addr, &len) != ERR_OK) {
        return load_error_set(why, "--listen %s: not ADDRESS:PORT", address);
    }
    size_t have = take(s, inherited, &addr);
    if (have == 0) {
        enum err err = check_free(address, &addr, len, why);
        if (err != ERR_OK) {
            return err;
        }
    }
    for (size_t i = have; i < count; i++) {
        if (bind_one(s, &addr, len) == 0) {
            continue;
        }
        if (have > 0) {
            break; /* beside inherited ones that are not ours, or do not share: workers share them */
        }
        return load_error_set(why, "--listen %s: %s", address, strerror(errno));
    }
    return ERR_OK;
}

void listen_set_move(struct listen_set *s, struct listen_set *inherited)
{
    for (size_t i = 0; i < inherited->count; i++) {
        add(s, inherited->items[i].fd, &inherited->items[i].bound);
    }
    inherited->count = 0;
}

static int int_option(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

enum err listen_set_adopt(struct listen_set *s, int fd)
{
    struct sockaddr_storage bound = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof(bound);
    if (int_option(fd, SO_TYPE) != SOCK_STREAM || int_option(fd, SO_ACCEPTCONN) != 1 ||
        getsockname(fd, (struct sockaddr *)&bound, &len) != 0 ||
        (bound.ss_family != AF_INET && bound.ss_family != AF_INET6)) {
        return ERR_INVALID;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    set_client_options(fd);
    add(s, fd, &bound);
    return ERR_OK;
}

void listen_set_release(struct listen_set *s)
{
    for (size_t i = 0; i < s->count; i++) {
        close(s->items[i].fd);
    }
    free(s->items);
    *s = (struct listen_set){ .count = 0 };
}

/* first_of says whether no socket before this one has its address, and *of how many have it. */
static bool first_of(const struct listen_set *s, size_t at, size_t *of)
{
    *of = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (same_address(&s->items[i].bound, &s->items[at].bound)) {
            if (i < at) {
                return false;
            }
            ++*of;
        }
    }
    return true;
}

/* nth returns the socket after `n` others of the same address as items[at], the first. */
static int nth(const struct listen_set *s, size_t at, size_t n)
{
    size_t i = at;
    while (!same_address(&s->items[i].bound, &s->items[at].bound) || n-- > 0) {
        i++;
    }
    return s->items[i].fd;
}

size_t listen_set_share(const struct listen_set *s, size_t worker, size_t workers, int *fds)
{
    size_t count = 0;
    for (size_t at = 0; at < s->count; at++) {
        size_t of;
        if (!first_of(s, at, &of)) {
            continue;
        }
        size_t n = worker % of;
        do {
            int fd = fcntl(nth(s, at, n), F_DUPFD_CLOEXEC, 3);
            if (fd >= 0) {
                fds[count++] = fd;
            }
            n += workers;
        } while (n < of);
    }
    return count;
}

size_t listen_set_addresses(const struct listen_set *s, struct sockaddr_storage *out)
{
    size_t count = 0, of;
    for (size_t i = 0; i < s->count; i++) {
        if (first_of(s, i, &of)) {
            out[count++] = s->items[i].bound;
        }
    }
    return count;
}
