/*
 * expiry: times to live as commands take them, turned into unix milliseconds.
 */
#ifndef COFRE_EXPIRY_H
#define COFRE_EXPIRY_H

#include "command_table.h"

/* What the number means: in seconds or milliseconds, from now or since 1970. */
struct expiry_unit {
    bool seconds;
    bool absolute;
};

/* reply_invalid_expire writes -ERR invalid expire time in 'set' command. */
void reply_invalid_expire(struct call *call);

/*
 * expiry_positive parses argument i of SET, SETEX, GETEX: zero, negative numbers and overflow are refused. Writes
 * the error reply and returns false then.
 */
MUST_CHECK bool expiry_positive(struct call *call, uint32_t i, struct expiry_unit unit,
                                int64_t *out);

/* expiry_any parses argument i of EXPIRE and its kin: any number that does not overflow. */
MUST_CHECK bool expiry_any(struct call *call, uint32_t i, struct expiry_unit unit, int64_t *out);

/* expiry_apply sets the first key's expiry; a time that has passed deletes it at once, as Redis does. It declares either. */
void expiry_apply(struct call *call, struct entry *e, int64_t expires_at);

#endif
