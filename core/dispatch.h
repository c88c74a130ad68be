/*
 * dispatch: the ordered list of gates that each command passes once, and what becomes of it: an answer at once, a place
 * in a transaction's queue, or a unit for a turn. It keeps a session's replies in order: while units are out, what
 * would be answered at once waits.
 */
#ifndef COFRE_DISPATCH_H
#define COFRE_DISPATCH_H

#include "session_private.h"

/* dispatch_request takes ownership of a request that arrived. */
void dispatch_request(struct session *s, struct request *r);

/*
 * dispatch_resume goes on with what a session has waiting: after a turn has given it back, or credit has come. A
 * session that is gone and has nothing left is freed by this.
 */
void dispatch_resume(struct session *s);

#endif
