/*
 * client_hello: a look at a client's first bytes, before any TLS is made for it: is its ClientHello
 * complete, and does it want to resume? It decides in which order handshakes are served and nothing
 * else; what is wrong with the bytes is left to BoringSSL to say.
 */
#ifndef COFRE_GATEWAY_CLIENT_HELLO_H
#define COFRE_GATEWAY_CLIENT_HELLO_H

#include "base/slice.h"

enum client_hello {
    CLIENT_HELLO_NEED_MORE, /* it may become one; its first record is not complete */
    CLIENT_HELLO_FULL,      /* a full handshake, as far as can be seen; or what is none at all */
    CLIENT_HELLO_RESUMES,   /* it brings a ticket (RFC 8446 §4.2.11, RFC 5077 §3.2) */
};

/*
 * client_hello_peek looks at all bytes that came so far, with constant effort until the first record
 * is complete. A ClientHello that goes on in a second record counts as full.
 */
enum client_hello client_hello_peek(struct slice bytes);

#endif
