/*
 * gate: the ACL's gate. dispatch asks it once for each command, EXEC once more for what was queued, and a turn for units that
 * waited while the ACL changed. What it refuses is counted in ACL LOG (core_refused).
 */
#ifndef COFRE_GATE_H
#define COFRE_GATE_H

#include "session_private.h"

/* gate_check asks about a command that is past lookup, arity and limits; gate_refuse answers one that is denied. */
MUST_CHECK struct acl_verdict gate_check(const struct session *s, const struct request *r);
void gate_refuse(struct session *s, const struct request *r, const struct acl_verdict *v,
                 struct resp_writer *w);

/* gate_open: the session's user is on; otherwise false after an error reply, and the session ends with it. */
MUST_CHECK bool gate_open(struct session *s, struct resp_writer *w);

/* gate_recheck_body marks what a transaction queued that is not allowed any more. */
void gate_recheck_body(struct session *s, struct request *exec);

/* gate_recheck marks which of the session's units are not allowed any more, if the ACL has changed since they passed. */
void gate_recheck(struct session *s);

/* gate_reply_denied answers a marked unit, or a marked command of a transaction. */
void gate_reply_denied(const struct session *s, const struct request *r, bool in_exec,
                       struct resp_writer *w);

#endif
