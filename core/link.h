/*
 * link: a gateway worker's connection, and what a session says through it: replies within the session's credit, pushes,
 * its STATE, its end. A session whose link is gone says nothing.
 */
#ifndef COFRE_LINK_H
#define COFRE_LINK_H

#include "session_private.h"

struct link;

/* link_reply sends RESP bytes that complete `answered` requests; dropped when the session is gone. */
void link_reply(struct session *s, struct slice bytes, uint32_t answered);
/*
 * link_push sends bytes that answer nothing. A client that does not read them is cut off where the limit for pushes is
 * reached: it gets nothing more, and ends as with link_end_session.
 */
void link_push(struct session *s, struct slice bytes);
/* link_hold keeps pushes back until link_release, so that none comes into the middle of a reply. */
void link_hold(struct session *s);
void link_release(struct session *s);
/* link_publish_state tells the gateway the session's STATE, if it changed. */
void link_publish_state(struct session *s);
/* link_close_session ends a session from our side, with a reason for the gateway's log. */
void link_close_session(struct session *s, const char *why);
/*
 * link_end_session does so at the end of this loop iteration, so that callers may go on through a list of sessions. Nothing
 * more of it is started, and it is in no list that clients see. `why` outlives the session.
 */
void link_end_session(struct session *s, const char *why);

#endif
