/*
 * walk: a question or a deed that the entries of a working set do not answer: about a whole database (SCAN, KEYS,
 * RANDOMKEY, DBSIZE, FIND, and FLUSHDB, FLUSHALL, SWAPDB), or about what only a row knows of its key (KEYINFO). A
 * command's walk function describes it from the arguments, the store carries it out (after the turn's earlier writes, in
 * the same transaction), the command function renders it.
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
    WALK_SWAP,
    WALK_KEY,
};

/* walk_empties: it takes keys away, or puts others in their place, that it does not name. */
static inline bool walk_empties(enum walk_kind kind)
{
    return kind == WALK_FLUSH_DB || kind == WALK_FLUSH_ALL || kind == WALK_SWAP;
}

struct walk_row {
    struct slice key;
    struct slice value; /* FIND only */
};

/* What a row says of its key, beside the value. */
struct walk_key {
    int64_t revision;
    int64_t modified_at;      /* unix ms */
    struct slice modified_by; /* the identity's name */
    int64_t expires_at;       /* unix ms; 0: never */
    size_t length;            /* of the value */
    bool text;
};

struct walk {
    /* the question */
    enum walk_kind kind;
    uint32_t db;
    uint64_t cursor;     /* SCAN, FIND: 0 starts; otherwise the hash of the last key given */
    uint32_t count;      /* SCAN: keys to look at; FIND: matches to return */
    struct slice prefix; /* SCAN, KEYS, FIND: only keys that begin so (an index range) */
    struct slice ilike;  /* FIND: SQL ILIKE pattern */
    struct slice key;    /* KEY */
    uint32_t other_db;   /* SWAP: changes places with db; another one of the same keyspace */

    /* the answer; rows live until the turn is settled */
    const struct walk_row *rows;
    size_t row_count;
    uint64_t next_cursor;         /* 0: done */
    int64_t total;                /* COUNT */
    const struct walk_key *found; /* KEY: NULL where there is no such key */
    const char *error;            /* a whole error reply ("ERR ..."), or NULL */
};

#endif
