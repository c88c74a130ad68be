/*
 * status_request: what a client of the status socket asks for: HTTP/1.0 or 1.1 (RFC 9112) in its smallest
 * form, one request a connection, without a body. Pure and bounded.
 */
#ifndef COFRE_GATEWAY_STATUS_REQUEST_H
#define COFRE_GATEWAY_STATUS_REQUEST_H

#include "base/slice.h"

enum {
    STATUS_REQUEST_MAX = 4096, /* bytes of request line and headers */
};

enum status_method {
    STATUS_GET,
    STATUS_POST,
    STATUS_OTHER_METHOD,
};

struct status_request {
    enum status_method method;
    struct slice path; /* without a query; points into the bytes that were parsed */
    size_t length;     /* of the whole request; what follows is not a part of it */
};

enum status_parse {
    STATUS_NEED_MORE,
    STATUS_READY,
    STATUS_BAD,      /* not HTTP/1.0 or 1.1 */
    STATUS_TOO_LONG, /* over STATUS_REQUEST_MAX */
};

/*
 * status_request_parse reads all bytes that came so far. *scanned must be 0 at first and is the parser's
 * own: what it has looked at already is not looked at again.
 */
enum status_parse status_request_parse(struct slice bytes, size_t *scanned,
                                       struct status_request *out);

#endif
