/*
 * turn_audit: which keys each command of a turn has written, kept for the audit log until the turn is settled. Nothing is kept
 * where nobody wants to know (--audit-writes).
 */
#ifndef COFRE_TURN_AUDIT_H
#define COFRE_TURN_AUDIT_H

#include "apply.h"

/* In the working set's memory. */
struct written_key {
    struct written_key *next;
    struct entry *entry;
    int64_t replaced; /* the revision that was there, or REVISION_UNKNOWN */
};

/* turn_audit_begin: a command is about to run; turn_audit_ran: it did. */
void turn_audit_begin(struct turn *t, struct request *r);
void turn_audit_ran(struct turn *t);
/*
 * turn_audit_settled records what all commands of a settled turn have done. Before any of its requests is freed: a key's bytes
 * are those of whichever command named it first.
 */
void turn_audit_settled(const struct turn *t);

#endif
