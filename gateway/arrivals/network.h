/*
 * network: ranges of addresses as an operator writes them, and the key by which clients of one address
 * are counted. An IPv4 address that came through an IPv6 socket (::ffff:192.0.2.1) is an IPv4 address.
 */
#ifndef COFRE_GATEWAY_NETWORK_H
#define COFRE_GATEWAY_NETWORK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct network {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;     /* of these 128 */
};

struct network_list {
    struct network *items;
    size_t count;
};

/*
 * network_parse reads "10.0.0.0/8", "2001:db8::/32" and single addresses. ERR_INVALID otherwise, and
 * for bits that are set behind the length: 10.1.2.3/8 is more likely a slip than meant.
 */
MUST_CHECK enum err network_parse(const char *text, struct network *out);

/* network_list_has: is the address in one of them? */
bool network_list_has(const struct network_list *list, const struct sockaddr_storage *addr);

/*
 * network_key writes what counts as one client's address: all of IPv4, the first 64 bits of IPv6 (who has one address
 * of a /64 has all of them). Returns its length, 0 for what is neither.
 */
size_t network_key(const struct sockaddr_storage *addr, uint8_t out[16]);

#endif
