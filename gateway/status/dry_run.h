/*
 * dry_run: whom files that are not in use yet would cut off, of the sessions that a running gateway has now
 * (--check --status PATH). It asks the status socket, as anybody may; nothing changes.
 */
#ifndef COFRE_GATEWAY_DRY_RUN_H
#define COFRE_GATEWAY_DRY_RUN_H

#include "trust/tls_trust.h"

enum { DRY_RUN_TEXT_MAX = 4096 }; /* of one member; a gateway's are shorter */

/* One line of /sessions, as far as it matters here. */
struct dry_run_session {
    char identity[DRY_RUN_TEXT_MAX];
    char issuer[DRY_RUN_TEXT_MAX];
    char serial[DRY_RUN_TEXT_MAX];
    char text[DRY_RUN_TEXT_MAX]; /* of the path */
    struct trust_path path;
    struct trust_step steps[TRUST_PATH_MAX];
};

/* dry_run_parse reads a line; ERR_PROTOCOL: it is none of ours. */
MUST_CHECK enum err dry_run_parse(struct slice line, struct dry_run_session *out);

/*
 * dry_run prints to standard output who would be cut off and why, and how many of how many. Returns the exit
 * status: 0 nobody, 1 somebody, 2 the socket cannot be read (said on standard error).
 */
int dry_run(const char *status_path, const struct tls_trust *trust);

#endif
