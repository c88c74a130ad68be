/*
 * admission: how many sessions there may be, in all, per identity and per address. One for the process:
 * its counts are shared by all workers under one lock, which is taken when a session begins and when it
 * ends, never for a request. What only wants to come in is counted by arrivals.
 */
#ifndef COFRE_GATEWAY_ADMISSION_H
#define COFRE_GATEWAY_ADMISSION_H

#include <sys/socket.h>

#include "base/buf.h"

struct admission;
struct admission_count;

struct admission_limits {
    int64_t connections;
    int64_t per_identity; /* 0: no limit; so for what follows */
    int64_t per_address;  /* network_key says what one address is */
};

/* What a session holds while it is in. All zero: nothing. */
struct admission_place {
    bool taken;
    struct admission_count *identity;
    struct admission_count *address;
};

struct admission *admission_new(const struct admission_limits *limits);
void admission_free(struct admission *a); /* when all have left */

/* Which limit keeps a client out; ADMISSION_IN: none. */
enum admission_verdict {
    ADMISSION_IN,
    ADMISSION_FULL,
    ADMISSION_IDENTITY_FULL,
    ADMISSION_ADDRESS_FULL,
};

/*
 * admission_enter counts a session of this identity (as peer.h writes it, with its kind) and address, and
 * fills *place; or says which limit is reached, and counts nothing. Any thread.
 */
MUST_CHECK enum admission_verdict admission_enter(struct admission *a, struct slice identity,
                                                  const struct sockaddr_storage *from,
                                                  struct admission_place *place);

/* admission_leave gives the place back; an empty place is fine, and it is one afterwards. Any thread. */
void admission_leave(struct admission *a, struct admission_place *place);

/* admission_say appends what a client is told that is not let in: an error in RESP. */
void admission_say(const struct admission *a, enum admission_verdict verdict, struct buf *out);

/* admission_reason is the same for the log: static text that names the option. */
const char *admission_reason(enum admission_verdict verdict);

#endif
