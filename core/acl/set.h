/*
 * acl_set: the users of an ACL, by name, and which of them an identity is. Built whole, then used; whoever changes one makes
 * a copy (the users themselves are shared). Pure.
 *
 * An identity is the first of these:
 *   1. the user whose name it is, letter for letter;
 *   2. of the patterns that match it, the most specific one (acl_user_precedes);
 *   3. the default user.
 * A user with an issuer= that the certificate does not come from is passed over. One that is off is not: it is who the client
 * is, and the client is refused.
 */
#ifndef COFRE_ACL_SET_H
#define COFRE_ACL_SET_H

#include "acl/user.h"

struct acl_set;

/* acl_set_new: with the default user, who may do everything (open) or is off and may do nothing. */
struct acl_set *acl_set_new(bool open);
struct acl_set *acl_set_copy(const struct acl_set *set);
void acl_set_free(struct acl_set *set); /* NULL is fine */

/* In order of their names. */
size_t acl_set_count(const struct acl_set *set);
struct acl_user *acl_set_at(const struct acl_set *set, size_t i);
/* acl_set_find returns the user of that name, a pattern's too; NULL when there is none. */
struct acl_user *acl_set_find(const struct acl_set *set, struct slice name);
/* acl_set_put takes over the reference; one of the same name is replaced. */
void acl_set_put(struct acl_set *set, struct acl_user *user);
bool acl_set_remove(struct acl_set *set,
                    struct slice name); /* false: there is none, or it is the default */

/* acl_set_match returns who a client is, never NULL; no reference is taken. */
struct acl_user *acl_set_match(const struct acl_set *set, struct slice identity,
                               struct slice issuer);

/* acl_set_text writes a line for each user. */
void acl_set_text(const struct acl_set *set, struct buf *out);

#endif
