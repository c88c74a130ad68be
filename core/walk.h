/*
 * walk: a question or a deed that concerns a whole database rather than named keys: SCAN, KEYS, RANDOMKEY,
 * DBSIZE, FIND, and FLUSHDB, FLUSHALL. A command's walk function describes it from the arguments, the store
 * carries it out (after the turn's earlier writes, in the same transaction), the command function renders it.
 */
#ifndef COFRE_WALK_H
#define COFRE_WALK_H

#include "base/slice.h"

enum walk_kind {
    WALK_NONE, /* nothing to ask (the arguments are bad: the command function says so) */
    WALK_SCAN,
    WALK_KEYS,
    WALK_RANDOM,
    WALK_COUNT,
    WALK_FIND,
    WALK_FLUSH_DB,
    WALK_FLUSH_ALL,
};

/* walk_empties: it takes keys away that it does not name. */
static inline bool walk_empties(enum walk_kind kind)
{
    return kind == WALK_FLUSH_DB || kind == WALK_FLUSH_ALL;
}

struct walk_row {
    struct slice key;
    struct slice value; /* FIND only */
};

struct walk {
    /* the question */
    enum walk_kind kind;
    uint32_t db;
    uint64_t cursor;     /* SCAN, FIND: 0 starts; otherwise the hash of the last key given */
    uint32_t count;      /* SCAN: keys to look at; FIND: matches to return */
    struct slice prefix; /* SCAN, KEYS, FIND: only keys that begin so (an index range) */
    struct slice ilike;  /* FIND: SQL ILIKE pattern */

    /* the answer; rows live until the turn is settled */
    const struct walk_row *rows;
    size_t row_count;
    uint64_t next_cursor; /* 0: done */
    int64_t total;        /* COUNT */
    const char *error;    /* a whole error reply ("ERR ..."), or NULL */
};

#endif
