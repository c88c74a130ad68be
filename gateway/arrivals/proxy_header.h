/*
 * proxy_header: the PROXY protocol's version 2 header, by which a balancer says whose connection it
 * passes on. Only the bytes are read here; from whom one is taken is the caller's decision.
 * Source: proxy-protocol.txt of the HAProxy project, section 2.2.
 */
#ifndef COFRE_GATEWAY_PROXY_HEADER_H
#define COFRE_GATEWAY_PROXY_HEADER_H

#include <sys/socket.h>

#include "base/slice.h"

enum { PROXY_HEADER_MAX = 4096 }; /* all of it; the format would allow 64 KiB of extensions */

struct proxy_header {
    bool
        proxied; /* `from` is the client's address; else it is the connection's own: a health check */
    struct sockaddr_storage from;
};

enum proxy_status { PROXY_NEED_MORE, PROXY_READY, PROXY_BAD };

/*
 * proxy_header_parse looks at all bytes that came so far, with constant effort until the header is
 * complete. PROXY_READY: *out is filled and the first *used bytes were the header. PROXY_BAD: *why says
 * what is wrong, as static text.
 */
enum proxy_status proxy_header_parse(struct slice bytes, struct proxy_header *out, size_t *used,
                                     const char **why);

/* proxy_header_begins: do the bytes begin as a header does, of version 1 or 2? */
bool proxy_header_begins(struct slice bytes);

#endif
