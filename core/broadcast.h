/*
 * broadcast: the BCAST half of tracking: prefixes, who wants to hear of the keys that begin with them, and the keys that
 * were written since the last time they were told. A key is looked up once for each length that prefixes have.
 */
#ifndef COFRE_BROADCAST_H
#define COFRE_BROADCAST_H

#include "tracking.h"

struct broadcast;

struct broadcast *broadcast_new(void);
void broadcast_free(struct broadcast *b); /* nobody may have prefixes any more */

/* broadcast_add gives the client a prefix, unless it has it. */
void broadcast_add(struct broadcast *b, struct tracker *c, struct slice prefix);
void broadcast_leave(struct broadcast *b, struct tracker *c);
bool broadcast_covers(const struct tracker *c,
                      struct slice key); /* some prefix of c's is the key's */

void broadcast_wrote(struct broadcast *b, uint32_t keyspace, struct slice key, uint64_t by);
void broadcast_tell(struct broadcast *b, tracking_fn *fn, void *arg);

size_t broadcast_prefixes(const struct broadcast *b);

#endif
