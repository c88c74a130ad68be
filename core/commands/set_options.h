/*
 * set_options: the words that SET, GETEX and MSETEX take behind keys and values.
 */
#ifndef COFRE_SET_OPTIONS_H
#define COFRE_SET_OPTIONS_H

#include "commands/compare.h"
#include "commands/expiry.h"

enum set_flag {
    SET_NX = 1 << 0,
    SET_XX = 1 << 1,
    SET_GET = 1 << 2,
    SET_KEEPTTL = 1 << 3,
    SET_PERSIST = 1 << 4,
    SET_EX = 1 << 5,
    SET_PX = 1 << 6,
    SET_EXAT = 1 << 7,
    SET_PXAT = 1 << 8,
    SET_IFEQ = 1 << 9,
    SET_IFNE = 1 << 10,
    SET_IFDEQ = 1 << 11,
    SET_IFDNE = 1 << 12,
    SET_IFREV = 1 << 13,
    SET_EXPIRY = SET_EX | SET_PX | SET_EXAT | SET_PXAT,
    SET_LIFETIME = SET_EXPIRY | SET_KEEPTTL | SET_PERSIST, /* of these, one (but that one twice) */
    SET_COMPARE = SET_IFEQ | SET_IFNE | SET_IFDEQ | SET_IFDNE | SET_IFREV,
    SET_CONDITION = SET_NX | SET_XX | SET_COMPARE, /* likewise */
};

/* Who takes which words. */
enum set_command {
    FOR_SET = 1 << 0,
    FOR_GETEX = 1 << 1,
    FOR_MSETEX = 1 << 2,
    FOR_ALL = FOR_SET | FOR_GETEX | FOR_MSETEX,
};

struct set_options {
    unsigned flags;
    uint32_t expiry_arg; /* with SET_EXPIRY */
    struct expiry_unit unit;
    uint32_t compare_arg; /* with SET_COMPARE */
    enum compare_kind compare;
};

/*
 * set_options_parse reads the arguments from `first` on; false on a syntax error. It looks at no option's argument and
 * writes no reply, since needs functions ask too.
 */
MUST_CHECK bool set_options_parse(const struct call *call, uint32_t first, enum set_command command,
                                  struct set_options *out);

/* set_options_expiry reads the expiry that was given, 0 for none, or writes the error reply and returns false. */
MUST_CHECK bool set_options_expiry(struct call *call, const struct set_options *options,
                                   int64_t *expires_at);

#endif
