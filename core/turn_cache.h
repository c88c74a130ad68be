/*
 * turn_cache: the half of a turn that deals with the cache. A read turn looks there first, asks in the same round trip
 * whether what it found still holds, and leaves there what it loaded; a write turn says what it writes.
 */
#ifndef COFRE_TURN_CACHE_H
#define COFRE_TURN_CACHE_H

#include "apply.h"

/* turn_cache_start decides, as a run starts, whether it uses the cache; turn_cache_stop ends what the run began there. */
void turn_cache_start(struct turn *t);
void turn_cache_stop(struct turn *t);

/* turn_cache_find fills in the wanted entries that the cache has. */
void turn_cache_find(struct turn *t);
/* turn_cache_ask queues the question, behind the load. */
void turn_cache_ask(struct turn *t);
/* turn_cache_holds: the answer is in; false: what was found does not count, the turn must run again without the cache. */
bool turn_cache_holds(struct turn *t);

/*
 * turn_cache_writing: the dirty entries, or an emptied database (walk), are about to be sent. */
void turn_cache_writing(struct turn *t);
void turn_cache_emptying(struct turn *t);

/* turn_cache_settle: the turn's outcome is final; what it loaded or wrote goes into the cache. */
void turn_cache_settle(struct turn *t);

#endif
