/*
 * entry: one key of one database as the current turn sees it.
 *
 * A database row is never deleted by a command: a deleted entry is one whose expiry has
 * passed (ENTRY_GONE, empty value), and the purge collects it after a grace period. So a
 * key's revision is always under a row lock when it grows, and Store knows one statement.
 */
#ifndef COFRE_ENTRY_H
#define COFRE_ENTRY_H

#include "base/slice.h"

/* The column `type`. STRING is split so that FIND never decodes a value that is not text. */
enum entry_type {
    ENTRY_GONE = 0,   /* deleted; the row stays until the purge */
    ENTRY_TEXT = 1,   /* string value, valid UTF-8 without NUL */
    ENTRY_BINARY = 2, /* string value, anything else */
};

/* What a command needs to know about a key before it runs; ordered, the greater includes the lesser. */
enum entry_need {
    NEED_NOTHING = 0, /* a blind write */
    NEED_META,        /* whether it exists, revision, expiry, length */
    NEED_VALUE,
};

/*
 * db: a database of a keyspace, as one number: keyspace index << 16 | database number.
 * Keyspace 0 is the common one.
 */
static inline uint32_t db_ref(uint32_t keyspace, uint32_t number)
{
    return keyspace << 16 | number;
}

enum {
    REVISION_UNKNOWN = -1, /* written in this turn: a new one, greater than before */
    ENTRY_OVER = 1,        /* the expires_at of a deleted entry: over by every core's clock */
};

struct entry {
    struct entry *bucket_next; /* working set's hash chain */
    struct entry *next;        /* all entries of the working set, in order of first mention */
    uint64_t hash;
    uint32_t db;
    struct slice key;

    /* what the database said */
    enum entry_need loaded; /* how much of it is known; NEED_NOTHING: nothing */
    enum entry_need wanted; /* how much the gathered commands need */
    bool row;               /* a row is there (perhaps expired or GONE); locked, in a write turn */
    bool withheld;          /* the value is longer than this step may load; .length is known */
    bool cached;            /* it came from the cache, the database was not asked for it */
    bool exact;             /* the revision itself is needed (WATCH) */

    /* what the commands made of it */
    bool exists; /* present and not expired; meaningful once loaded or written */
    bool dirty;  /* to be stored */
    bool stored; /* a statement that stores it was sent */
    bool
        value_changed; /* Store writes the value too; else only expiry and revision (EXPIRE, PERSIST) */
    struct slice value;
    size_t length;      /* of the value, also where only NEED_META was loaded */
    int64_t expires_at; /* unix ms on the database's clock; 0: never */
    int64_t revision;   /* of the row, 0 when there is none */
    int64_t modified_at;
    int32_t modified_by; /* cofre.identity.id */
    size_t room;         /* bytes of writable memory behind value.p; 0: borrowed */
};

#endif
