/*
 * turn_effects: the half of a turn that makes known what it did. While a turn runs, its working set gathers effects; when
 * it has committed they are told, in order, after the replies.
 */
#ifndef COFRE_TURN_EFFECTS_H
#define COFRE_TURN_EFFECTS_H

#include "apply.h"

/* turn_effects_start: as a run starts, what is worth noting. */
void turn_effects_start(struct turn *t);
/* turn_effects_settle: the turn has committed, and the replies of its parts have left, but of those with `later`. */
void turn_effects_settle(struct turn *t);
/* turn_effects_doubt: nobody will ever know whether it has committed: what it wrote counts as changed. */
void turn_effects_doubt(struct turn *t);

#endif
