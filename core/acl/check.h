/*
 * acl_check: whether a user may run a command: the gate's question (dispatch), ACL DRYRUN's, and smaller ones about a key or
 * a channel. Pure; costs nothing for a user without limits.
 */
#ifndef COFRE_ACL_CHECK_H
#define COFRE_ACL_CHECK_H

#include "acl/user.h"

/* Ordered: of several selectors, the one that came furthest says what is missing. */
enum acl_denial {
    ACL_ALLOWED,
    ACL_DENIED_COMMAND,
    ACL_DENIED_KEY,
    ACL_DENIED_CHANNEL,
    ACL_DENIED_DATABASE,
};

struct acl_verdict {
    enum acl_denial denial;
    uint32_t database; /* the number that is denied */
    struct slice
        object; /* the command's name, the key, or the channel: points into row or arguments */
};

/* acl_check looks at the whole command; number is that of the database it would run in. */
struct acl_verdict acl_check(const struct acl_user *user, const struct command *command,
                             const struct slice *argv, uint32_t argc, uint32_t number);

/* acl_may_read: for commands that find keys by themselves and show what is in them (FIND). */
bool acl_may_read(const struct acl_user *user, const struct command *command, struct slice key);

/* acl_channel_allowed: by any of the user's selectors. For subscriptions when the ACL changes, and for events. */
bool acl_channel_allowed(const struct acl_user *user, struct slice channel, bool is_pattern);

/* acl_denial_name: "command", "key", …: the reason in ACL LOG. */
const char *acl_denial_name(enum acl_denial denial);
/* acl_denial_text appends "has no permissions to access the 'k' key" and the like. */
void acl_denial_text(const struct acl_verdict *verdict, struct buf *out);

#endif
