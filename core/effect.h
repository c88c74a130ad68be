/*
 * effect: something that a turn has done or seen and that others are to hear of, once it is known to have committed. The
 * working set gathers them in order; a turn that starts again forgets them with everything else.
 */
#ifndef COFRE_EFFECT_H
#define COFRE_EFFECT_H

#include "base/slice.h"
#include "notify.h"

struct part;
struct request;

enum effect_kind {
    EFFECT_EVENT,   /* a keyspace event: db, event, name, key */
    EFFECT_WROTE,   /* the key is not what it was: db, key, by */
    EFFECT_EMPTIED, /* FLUSHDB and its like: keyspace of db */
    EFFECT_READ,    /* a client that tracks keys was given this one: part, db, key, caching */
    EFFECT_LATER, /* a queued command that is run when the turn has committed: part, request, … */
};

struct effect {
    struct effect *next;
    enum effect_kind kind;
    uint32_t db;
    uint32_t event;   /* enum event_class */
    const char *name; /* of the event */
    struct slice key;
    uint64_t by;  /* session_id of who did it; 0: nobody */
    bool caching; /* CLIENT CACHING was about this command */
    bool doubt;   /* set as the turn settles: what was read may be out of date already */
    int protocol; /* of the reply */
    struct part *part;
    struct request *request;
    size_t reply_at;  /* where its reply belongs among those of the turn */
    size_t reply_len; /* of its reply, once it ran */
};

#endif
