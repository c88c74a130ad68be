/*
 * pause: CLIENT PAUSE. While one holds, the commands it is about stay in their sessions' queues; what was past the gates but
 * in no turn yet waits too, and turns that run go on. Nothing else is held up: not the loop, not a session's replies, not a
 * core that stops, which ends all pauses.
 *
 * A pause is about a keyspace: that of who asked for it. One asked for in the common keyspace is about all of them.
 */
#ifndef COFRE_PAUSE_H
#define COFRE_PAUSE_H

#include "session_private.h"

struct pauses;

struct pauses *pauses_new(struct core *core);
void pauses_free(struct pauses *p); /* run the loop once more before closing it; NULL is fine */

/*
 * pauses_begin begins a keyspace's pause, or adds to the one that holds: the later end and the stricter kind count, as in
 * Redis. Of no effect once the core stops.
 */
void pauses_begin(struct pauses *p, uint32_t keyspace, bool writes_only, int64_t ms);
/* pauses_end ends the pause of a keyspace; from the common one, all of them. */
void pauses_end(struct pauses *p, uint32_t keyspace);
/* pauses_stop ends all, for good: the core stops. */
void pauses_stop(struct pauses *p);

/* pauses_hold says whether a session's next command, or its units, must wait. NULL holds nothing. */
bool pauses_hold(const struct pauses *p, const struct session *s, bool writes);

/* pauses_keep_keys: everybody is paused, and so is the end of keys whose time is over. */
bool pauses_keep_keys(const struct pauses *p);

/* pauses_hold_units says so of the units of a session that is in no turn. */
bool pauses_hold_units(const struct session *s);

/* pauses_run lets those go on whose pause is over; once per loop iteration, before turns are started. */
void pauses_run(struct pauses *p);

/* pause_session marks a session as one that a pause holds up, or not any more (INFO's blocked_clients). */
void pause_session(struct session *s, bool held);

#endif
