/*
 * acl_name: a user's name, and the identities that it matches. Identities are written with their kind ("cn:alice"), which a
 * pattern cannot leave open. Pure.
 */
#ifndef COFRE_ACL_NAME_H
#define COFRE_ACL_NAME_H

#include "base/slice.h"

enum { ACL_NAME_MAX = 4096 }; /* bytes */

enum acl_name_kind {
    ACL_NAME_EXACT,
    ACL_NAME_GLOB,
    ACL_NAME_DEFAULT,
    ACL_NAME_NOBODY, /* without a kind: no certificate has it. For Redis's files, and for ACL DRYRUN */
};

/* acl_name_check returns NULL and the kind, or why it is no name. */
MUST_CHECK const char *acl_name_check(struct slice name, enum acl_name_kind *kind);

bool acl_name_matches(struct slice name, enum acl_name_kind kind, struct slice identity);

/* acl_name_literal: of a pattern, how many characters come before the first that stands for others. */
size_t acl_name_literal(struct slice name);

/* acl_is_printable: no control characters, so that it can stand in a line of a file or a log. */
bool acl_is_printable(struct slice s);

#endif
