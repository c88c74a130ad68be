/*
 * pubsub: who listens to what. Channels, patterns and shard channels of each keyspace, and for each client its own
 * subscriptions in the order in which it made them. Pure: it sends nothing.
 *
 *     topic "news"  ──▶ subscription ──▶ subscription ──▶ …     (first come first)
 *                          │                 │
 *     client ──────────────┘      client ────┘
 *
 * Looking a channel up, subscribing and unsubscribing are O(1); a message is also compared with each pattern of its
 * keyspace. Callbacks must not subscribe or unsubscribe.
 */
#ifndef COFRE_PUBSUB_H
#define COFRE_PUBSUB_H

#include "base/slice.h"

enum pubsub_kind { PUBSUB_CHANNEL, PUBSUB_PATTERN, PUBSUB_SHARD, PUBSUB_KINDS };

struct pubsub;
struct subscription;

/* A client's side: zeroed at first, part of its session; pubsub_leave before its memory goes. */
struct subscriber {
    struct subscription *first[PUBSUB_KINDS];
    struct subscription *last[PUBSUB_KINDS];
    size_t count[PUBSUB_KINDS];
};

struct pubsub *pubsub_new(void);
void pubsub_free(struct pubsub *p); /* nobody may be subscribed any more */

/* pubsub_subscribe is false when the client was subscribed already. The name is copied. */
bool pubsub_subscribe(struct pubsub *p, struct subscriber *s, enum pubsub_kind kind,
                      uint32_t keyspace, struct slice name);
/* pubsub_unsubscribe is false when it was not subscribed. */
bool pubsub_unsubscribe(struct pubsub *p, struct subscriber *s, enum pubsub_kind kind,
                        uint32_t keyspace, struct slice name);
void pubsub_leave(struct pubsub *p, struct subscriber *s); /* everything */

/* pubsub_oldest is the client's first subscription of a kind; the name lives as long as that. False: none. */
bool pubsub_oldest(const struct subscriber *s, enum pubsub_kind kind, struct slice *name);
size_t pubsub_count(const struct subscriber *s); /* of all kinds */
/* pubsub_all: whether `fn` says yes to each of the client's subscriptions. */
bool pubsub_all(const struct subscriber *s,
                bool (*fn)(void *arg, enum pubsub_kind kind, struct slice name), void *arg);

/*
 * pubsub_each visits who is to have a message: first the channel's subscribers, then, for PUBSUB_CHANNEL, those of each
 * pattern that matches (pattern.p is NULL for the former). Returns how many it visited.
 */
typedef void pubsub_fn(void *arg, struct subscriber *s, struct slice pattern);
size_t pubsub_each(const struct pubsub *p, enum pubsub_kind kind, uint32_t keyspace,
                   struct slice channel, pubsub_fn *fn, void *arg);

/* What PUBSUB tells: subscribers of one name, and the names that have some. */
size_t pubsub_subscribers(const struct pubsub *p, enum pubsub_kind kind, uint32_t keyspace,
                          struct slice name);
void pubsub_each_topic(const struct pubsub *p, enum pubsub_kind kind, uint32_t keyspace,
                       void (*fn)(void *arg, struct slice name), void *arg);
size_t pubsub_topics(const struct pubsub *p, enum pubsub_kind kind, uint32_t keyspace);

/* pubsub_hears_events: some channel or pattern, in any keyspace, can match one of the keyspace events' channels. O(1). */
bool pubsub_hears_events(const struct pubsub *p);

#endif
