/*
 * status_reply: the head of what a status socket answers, read by the dry run and by a gateway that takes
 * over. Pure and bounded.
 */
#ifndef COFRE_GATEWAY_STATUS_REPLY_H
#define COFRE_GATEWAY_STATUS_REPLY_H

#include "base/slice.h"

enum {
    STATUS_REPLY_HEAD_MAX = 1024,
};

struct status_reply {
    int code;        /* 200 */
    int64_t length;  /* of the body */
    int64_t sockets; /* that follow, in the answer to a takeover */
    size_t head;     /* bytes of the head */
};

/*
 * status_reply_parse reads a head from its first byte on. ERR_NOT_FOUND: there is more to come; ERR_PROTOCOL:
 * it is none, or too long. A header that is missing counts 0; others are passed over.
 */
MUST_CHECK enum err status_reply_parse(struct slice bytes, struct status_reply *out);

#endif
