/*
 * notify: the classes of keyspace events, and the letters that notify-keyspace-events has for them. Pure.
 */
#ifndef COFRE_NOTIFY_H
#define COFRE_NOTIFY_H

#include "base/buf.h"

/* The letter in Redis's configuration is behind each. */
enum event_class {
    EVENT_KEYSPACE = 1 << 0, /* K: tell __keyspace@<db>__:<key> the event */
    EVENT_KEYEVENT = 1 << 1, /* E: tell __keyevent@<db>__:<event> the key */
    EVENT_GENERIC = 1 << 2,  /* g */
    EVENT_STRING = 1 << 3,   /* $ */
    EVENT_LIST = 1 << 4,     /* l */
    EVENT_SET = 1 << 5,      /* s */
    EVENT_HASH = 1 << 6,     /* h */
    EVENT_ZSET = 1 << 7,     /* z */
    EVENT_EXPIRED = 1 << 8,  /* x */
    EVENT_EVICTED = 1 << 9,  /* e */
    EVENT_STREAM = 1 << 10,  /* t */
    EVENT_MODULE = 1 << 11,  /* d */
    EVENT_NEW = 1 << 12,     /* n: not in A, and it costs: no write is blind any more */
    EVENT_MISS = 1 << 13,    /* m: not in A */
    EVENT_ALL = EVENT_GENERIC | EVENT_STRING | EVENT_LIST | EVENT_SET | EVENT_HASH | EVENT_ZSET |
                EVENT_EXPIRED | EVENT_EVICTED | EVENT_STREAM | EVENT_MODULE, /* A */
    EVENT_CHANNELS = EVENT_KEYSPACE | EVENT_KEYEVENT,
};

/* notify_parse reads letters; ERR_INVALID when one is unknown. */
MUST_CHECK enum err notify_parse(struct slice letters, uint32_t *out);
/* notify_format appends the letters in Redis's order. */
void notify_format(uint32_t flags, struct buf *out);
/* notify_wanted: what can be heard with these flags: nothing, unless K or E is among them. */
uint32_t notify_wanted(uint32_t flags);

#endif
