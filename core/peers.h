/*
 * peers: the other cores on the same database, as far as this one knows: who they are, what they want to hear of, what
 * they know of us, and whether something of theirs was missed. Pure; times are unix ms on the database's clock.
 *
 * A core is learned of from the table (cofre.listener), or from what it says. It is gone when it says so; when its row is
 * no more, or old, it has died, and what it had still to say is lost.
 */
#ifndef COFRE_PEERS_H
#define COFRE_PEERS_H

#include "base/slice.h"

enum {
    PEERS_BEAT_MS = 2000, /* how often a core says that it is there */
    PEERS_DEAD_MS = 7000, /* without that, it is not */
};

/* What a core may want to hear of, beside messages: classes of events (notify.h), and written keys. */
#define PEERS_WANT_WRITES UINT32_C(0x80000000)

struct peers;

struct peers *peers_new(void);
void peers_free(struct peers *p);
void peers_clear(struct peers *p); /* our own connection is new: they are to be learned of again */

/*
 * The table, row by row. peers_listed returns whether something was lost: a core that had not said goodbye is not there
 * any more. peers_row returns true when the core was not known.
 */
void peers_list(struct peers *p);
bool peers_row(struct peers *p, int64_t id, uint32_t wants, int64_t wish, int64_t seen_at,
               int64_t now_ms);
MUST_CHECK bool peers_listed(struct peers *p);

/* What they say. peers_payload returns whether one of the sender's payloads was missed before this one. */
MUST_CHECK bool peers_payload(struct peers *p, int64_t id, int64_t number);
void peers_wish(struct peers *p, int64_t id, uint32_t wants, int64_t wish);
void peers_heard(struct peers *p, int64_t id, int64_t our_wish);
void peers_bye(struct peers *p, int64_t id);

size_t peers_count(const struct peers *p);
uint32_t peers_want(const struct peers *p);               /* what any of them wants */
bool peers_know(const struct peers *p, int64_t our_wish); /* all of them have heard of it */
/* peers_each visits each with the last wish that was heard from it. */
void peers_each(const struct peers *p, void (*fn)(void *arg, int64_t id, int64_t wish), void *arg);

#endif
