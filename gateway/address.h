/*
 * address: socket addresses as text and back.
 */
#ifndef COFRE_GATEWAY_ADDRESS_H
#define COFRE_GATEWAY_ADDRESS_H

#include <sys/socket.h>

#include "base/err.h"

enum { ADDRESS_TEXT = 64 };

/* address_text writes "127.0.0.1:6380" or "[::1]:6380". */
void address_text(const struct sockaddr_storage *addr, char out[ADDRESS_TEXT]);

/* address_parse reads those, "localhost:6380" and "*:6380"; ERR_INVALID otherwise. */
MUST_CHECK enum err address_parse(const char *text, struct sockaddr_storage *out, socklen_t *len);

#endif
