/*
 * key_signer: one thread of the key holder that signs for one worker of the gateway. So a worker signs on
 * as many CPUs as it would have by itself, and one that is slow or hostile holds up no other.
 */
#ifndef COFRE_GATEWAY_KEY_SIGNER_H
#define COFRE_GATEWAY_KEY_SIGNER_H

#include "keys/key_sets.h"
#include "keys/key_wire.h"

/*
 * key_signer_answer answers the first requests in `in`, a few at most, so that the first of many need not
 * wait for the last. It takes the same bytes to the same answers: for tests, too.
 */
struct key_answers {
    size_t took;      /* bytes of in; 0: no whole request is there */
    unsigned refused; /* of the requests in them */
    bool bad;         /* what follows breaks the format */
};
struct key_answers key_signer_answer(struct key_sets *sets, struct slice in, struct buf *out);

struct key_signer;

/* key_signer_start serves a blocking socket (taken over) until its other end closes. */
MUST_CHECK enum err key_signer_start(struct key_sets *sets, int fd, struct key_signer **out);

/* key_signer_stop ends the thread, whatever it does, and frees it. NULL is fine. */
void key_signer_stop(struct key_signer *s);

#endif
