/*
 * nap: a session that waits for a time before a reply leaves (DEBUG SLEEP). Nothing else of it runs meanwhile; other sessions
 * do not notice.
 */
#ifndef COFRE_NAP_H
#define COFRE_NAP_H

#include "session_private.h"

/* nap_begin keeps a copy of the reply, which completes one request, and sends it in so many ms; then the session goes on. */
void nap_begin(struct session *s, struct slice reply, int64_t ms);
/* nap_cancel ends a nap whose reply nobody waits for any more. */
void nap_cancel(struct session *s);

#endif
