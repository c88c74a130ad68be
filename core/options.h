/*
 * options: cofre-core's command line and configuration file.
 */
#ifndef COFRE_CORE_OPTIONS_H
#define COFRE_CORE_OPTIONS_H

#include <sys/types.h>

#include "audit.h"
#include "core.h"

struct options {
    struct core_options core;
    const char *database; /* libpq connection string or URI; may hold a password: never logged */
    const char *gateway_user; /* who may connect to the socket */
    const char *user;         /* who to become when started as root, or NULL */
    bool create_schema;
    struct audit_options audit;
};

/* options_read parses argv and sets up the log. On a mistake it prints one line and returns ERR_INVALID. */
MUST_CHECK enum err options_read(int argc, char **argv, struct options *out);

/* options_uid looks a user up by name or number; prints one line when there is none. */
MUST_CHECK enum err options_uid(const char *option, const char *name, uid_t *uid, gid_t *gid);

#endif
