/*
 * compare: what a key must be for a command to write: SET's IFEQ and its kin, DELEX, DELIFEQ, DELIFREV.
 */
#ifndef COFRE_COMPARE_H
#define COFRE_COMPARE_H

#include "command_table.h"

enum compare_kind {
    COMPARE_EQUAL,
    COMPARE_NOT_EQUAL,
    COMPARE_DIGEST,
    COMPARE_NOT_DIGEST,
    COMPARE_REVISION, /* 0: there is no such key */
};

struct compare {
    enum compare_kind kind;
    struct slice with; /* the value, or the digest's text */
    int64_t revision;
};

/* compare_need: what must be known of the key. */
enum entry_need compare_need(enum compare_kind kind);

/* compare_parse reads argument i, or writes the error reply and returns false. */
MUST_CHECK bool compare_parse(struct call *call, uint32_t i, enum compare_kind kind,
                              struct compare *out);

/* compare_holds: `e` is NULL where there is no such key, which is as unequal to any value as can be. */
bool compare_holds(const struct entry *e, const struct compare *compare);

#endif
