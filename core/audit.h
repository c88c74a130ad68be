/*
 * audit: who did what: an append-only log of connections, refusals, denied commands, changes of the ACL, administrators'
 * commands and, by option, writes. Never a value, never a secret. What these functions say is recorded, whatever the level of
 * the log; with no audit they do nothing. core/README.md has a table of the records.
 */
#ifndef COFRE_AUDIT_H
#define COFRE_AUDIT_H

#include "command_table.h"

struct audit;
struct core_refusal;

enum audit_to { AUDIT_NONE, AUDIT_FILE, AUDIT_TABLE };

struct audit_options {
    int to;           /* enum audit_to */
    const char *file; /* --audit-file */
    bool required;    /* no writes while it cannot be written */
    bool writes;      /* record them */
};

/* audit_new sets *out to NULL where there is to be none. ERR_INVALID with a text in why[] when it cannot begin. */
MUST_CHECK enum err audit_new(struct core *core, const struct audit_options *options, char *why,
                              size_t why_size, struct audit **out);
void audit_free(struct audit *a); /* NULL is fine; writes what waits for a file */

/* audit_flush: once per loop iteration, before replies leave. audit_reopen: the file was renamed (SIGHUP). */
void audit_flush(struct audit *a);
void audit_reopen(struct audit *a);
bool audit_idle(const struct audit *a); /* all that can be written is */
/* audit_blocks says why writes are to be refused now, or NULL. */
const char *audit_blocks(const struct audit *a);
bool audit_wants_writes(const struct audit *a);

struct audit_figures {
    uint64_t written, lost, waiting; /* records */
    const char *state;               /* "off", "ok", "failing" */
};
struct audit_figures audit_figures(const struct audit *a);

/* --- records ---------------------------------------------------------------------------------- */

void audit_start(struct core *core);
void audit_stop(struct core *core, const char *why);

void audit_connect(struct session *s);
void audit_disconnect(struct session *s, struct slice why);
/* audit_refused: a client that the gateway let in and the core does not. */
void audit_refused(struct session *s, const char *why);
/* audit_stranger: a process that is not the gateway came to the socket. */
void audit_stranger(struct core *core, int64_t uid, int64_t pid);

/* audit_denied: the ACL does not allow it; a client that it does not let in at all is recorded as refused. */
void audit_denied(struct session *s, const struct core_refusal *refusal);
/* audit_acl: what was done ("setuser", "load" …), to which user, if to one, and by whom: NULL is a signal. Never a rule. */
void audit_acl(struct core *core, struct session *by, const char *what, struct slice user);

/* audit_call: a command ran. Recorded if it is one of an administrator's. */
void audit_call(struct session *s, const struct command *command, const struct slice *argv,
                uint32_t argc, bool failed);
/* audit_write: the command has written to a key. replaced: the revision before, or REVISION_UNKNOWN. */
void audit_write(struct session *s, const struct command *command, uint32_t db, struct slice key,
                 int64_t replaced);

#endif
