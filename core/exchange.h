/*
 * exchange: cores on one database tell each other what their clients must hear. One connection of its own, outside the
 * lanes: it LISTENs there, and sends what has gathered in a loop iteration as NOTIFYs of one statement, while one is on
 * its way the next gathers. A core alone sends nothing.
 *
 * What it promises: each notice arrives at most once, those of one core in their order, and only while both are connected.
 * Messages and events that are lost are lost. Keys to forget are not: whenever some may have been lost (the connection,
 * a payload, a core that died), the clients that track keys are told to forget all.
 *
 * A core sends its clients' writes and events only where they are wanted, so each tells the others what it wants (a wish,
 * numbered) and they answer that they know. Until all do, exchange_covers is false.
 */
#ifndef COFRE_EXCHANGE_H
#define COFRE_EXCHANGE_H

#include "core_private.h"
#include "notice.h"
#include "peers.h"

struct exchange;

MUST_CHECK enum err exchange_new(struct core *core, const char *conninfo, char *why,
                                 size_t why_size, struct exchange **out);
void exchange_start(struct exchange *x);
void exchange_free(struct exchange *x); /* run the loop once more before closing it */

/* exchange_send passes the notice on if another core wants it. */
void exchange_send(struct exchange *x, const struct notice *n);
void exchange_flush(struct exchange *x); /* sends what gathered; once per loop iteration */

/* exchange_wanted: what other cores want; PEERS_WANT_WRITES also where that is not known. */
uint32_t exchange_wanted(const struct exchange *x);
/* exchange_wish: what this core wants from now on. Cheap when that is nothing new. */
void exchange_wish(struct exchange *x, uint32_t wants);
/* exchange_covers: all other cores know of the wish, and what they send arrives. */
bool exchange_covers(const struct exchange *x);
/* exchange_lost: something that had to be told may be lost; whoever tracks keys, here and elsewhere, is to forget them. */
void exchange_lost(struct exchange *x);

/* exchange_left says goodbye when it is first called, and is true once everything was said, or cannot be. */
bool exchange_left(struct exchange *x);

struct exchange_figures {
    size_t peers;            /* other cores */
    uint64_t sent, received; /* notices */
    uint64_t dropped;        /* that found no room, or no connection */
    uint64_t lost;           /* times that something of others may have been missed */
};
struct exchange_figures exchange_figures(const struct exchange *x);

#endif
