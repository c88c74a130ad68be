/*
 * network: everything is compared as 128 bits, so that there is one way for both families.
 */
#include "arrivals/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/slice.h"

enum { BITS = 128, V4_BITS = 32, V4_AT = 12, SUBNET_BYTES = 8 };

static const uint8_t v4_mapped[V4_AT] = { [10] = 0xff, [11] = 0xff };

static void map_v4(const void *v4, uint8_t out[16])
{
    memcpy(out, v4_mapped, V4_AT);
    memcpy(out + V4_AT, v4, 4);
}

static bool to_bytes(const struct sockaddr_storage *addr, uint8_t out[16])
{
    if (addr->ss_family == AF_INET) {
        map_v4(&((const struct sockaddr_in *)addr)->sin_addr, out);
        return true;
    }
    if (addr->ss_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)addr)->sin6_addr, 16);
        return true;
    }
    return false;
}

static bool bit(const uint8_t *bytes, unsigned i)
{
    return (bytes[i / 8] >> (7 - i % 8) & 1) != 0;
}

/* read_host takes the part before the slash; *width is how many bits such an address has. */
static enum err read_host(const char *text, size_t len, uint8_t out[16], unsigned *width)
{
    char host[INET6_ADDRSTRLEN];
    uint8_t v4[4];
    if (len >= sizeof(host)) {
        return ERR_INVALID;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    if (inet_pton(AF_INET, host, v4) == 1) {
        map_v4(v4, out);
        *width = V4_BITS;
        return ERR_OK;
    }
    *width = BITS;
    return inet_pton(AF_INET6, host, out) == 1 ? ERR_OK : ERR_INVALID;
}

enum err network_parse(const char *text, struct network *out)
{
    struct network n;
    unsigned width;
    size_t len = strcspn(text, "/");
    if (read_host(text, len, n.bytes, &width) != ERR_OK) {
        return ERR_INVALID;
    }
    uint64_t bits = width;
    if (text[len] == '/' &&
        (slice_to_u64(slice_of(text + len + 1), &bits) != ERR_OK || bits > width)) {
        return ERR_INVALID;
    }
    n.bits = BITS - width + (unsigned)bits;
    for (unsigned i = n.bits; i < BITS; i++) {
        if (bit(n.bytes, i)) {
            return ERR_INVALID;
        }
    }
    *out = n;
    return ERR_OK;
}

static bool has(const struct network *n, const uint8_t addr[16])
{
    size_t whole = n->bits / 8;
    unsigned rest = n->bits % 8;
    return memcmp(n->bytes, addr, whole) == 0 &&
           (rest == 0 || ((n->bytes[whole] ^ addr[whole]) >> (8 - rest)) == 0);
}

bool network_list_has(const struct network_list *list, const struct sockaddr_storage *addr)
{
    uint8_t bytes[16];
    if (!to_bytes(addr, bytes)) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (has(&list->items[i], bytes)) {
            return true;
        }
    }
    return false;
}

size_t network_key(const struct sockaddr_storage *addr, uint8_t out[16])
{
    if (!to_bytes(addr, out)) {
        return 0;
    }
    return memcmp(out, v4_mapped, V4_AT) == 0 ? 16 : SUBNET_BYTES;
}
