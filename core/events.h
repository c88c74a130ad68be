/*
 * events: what clients hear without having asked for it at that moment: messages, keyspace events, keys to forget. It
 * knows who wants to hear what (pubsub, tracking), words it for each client, and hands it to the link; what other cores'
 * clients want goes to the exchange.
 */
#ifndef COFRE_EVENTS_H
#define COFRE_EVENTS_H

#include "core_private.h"
#include "notice.h"
#include "pubsub.h"
#include "session_private.h"
#include "tracking.h"

struct events;

struct events *events_new(struct core *core);
void events_free(struct events *ev);

/* What a turn must note for anybody, here or on another core, to hear of it: classes of events, and written keys. */
uint32_t events_classes(const struct events *ev);
bool events_want_writes(const struct events *ev);
/* events_expired_since: since when somebody waits for keys to expire, in unix ms on the database's clock; 0: nobody does. */
int64_t events_expired_since(const struct events *ev);

/* events_tell lets this core's clients and the other cores hear; returns how many of this core's clients did. */
size_t events_tell(struct events *ev, const struct notice *n);
/* events_hear lets this core's clients hear alone: what another core said. */
size_t events_hear(struct events *ev, const struct notice *n);

/* For turns that settle: the mark of reads that start now, and what became of them. */
uint64_t events_mark(const struct events *ev);
bool events_in_doubt(const struct events *ev, const struct session *s, struct slice key,
                     uint64_t mark);
void events_read(struct events *ev, struct session *s, struct slice key, bool caching, bool doubt);

void events_leave(struct session *s); /* the client is gone */
/* events_flush tells what gathered; once per loop iteration, before the links are flushed. */
void events_flush(struct events *ev);

const struct pubsub *events_pubsub(const struct events *ev);
struct tracking_figures events_tracking(const struct events *ev);
uint32_t events_notify(const struct events *ev);
void events_set_notify(struct events *ev, uint32_t flags);
size_t events_tracking_limit(const struct events *ev);
void events_set_tracking_limit(struct events *ev, size_t max_keys);

#endif
