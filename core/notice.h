/*
 * notice: one thing that clients may have to be told, on this core and on others: a message, a keyspace event, a key that
 * changed; and what cores say to each other about that. A value: the slices are borrowed.
 */
#ifndef COFRE_NOTICE_H
#define COFRE_NOTICE_H

#include "base/slice.h"

/* The numbers travel between cores: they stay what they are. */
enum notice_kind {
    NOTICE_MESSAGE = 1,       /* PUBLISH: subject is the channel, body the message */
    NOTICE_SHARD_MESSAGE = 2, /* SPUBLISH, likewise */
    NOTICE_EVENT = 3, /* a keyspace event: db_number, a its class, subject its name, body the key */
    NOTICE_WROTE = 4, /* body is a key that is not what it was */
    NOTICE_EMPTIED = 5, /* a database of the keyspace was emptied */
    NOTICE_FORGET =
        6, /* something was lost: whoever tracks keys, of whatever keyspace, forgets all */
    NOTICE_WANTS = 7, /* the sender wants to hear of a; this is its b-th wish */
    NOTICE_HEARD = 8, /* the sender knows wish b of core a */
    NOTICE_BYE = 9,   /* the sender stops; it has said everything */
    NOTICE_KINDS,
};

struct notice {
    enum notice_kind kind;
    uint32_t keyspace; /* this core's number for it */
    uint32_t db_number;
    int64_t a, b;
    uint64_t by; /* the session of this core that did it; 0: none. Does not travel. */
    struct slice subject;
    struct slice body;
};

#endif
