/*
 * acl: the ACL of the process: the users in force, where their file is, and what was refused lately. One thread. Changing it
 * builds a new set and swaps it in; whoever does so then calls core_acl_changed, so that live sessions follow.
 */
#ifndef COFRE_ACL_H
#define COFRE_ACL_H

#include "acl/check.h"
#include "acl/file.h"
#include "acl/log.h"
#include "acl/set.h"
#include "keyspaces.h"

struct acl;

/* acl_new: without a file (path NULL) everybody may do everything; with one, nobody anything until acl_load. */
struct acl *acl_new(struct keyspaces *keyspaces, const char *path);
void acl_free(struct acl *acl); /* NULL is fine */

const struct acl_set *acl_users(const struct acl *acl);
struct acl_log *acl_refusals(struct acl *acl);
const char *acl_path(const struct acl *acl);

/* acl_generation grows with each change: what the gate allowed under another one must be asked again. */
uint64_t acl_generation(const struct acl *acl);

/* acl_load takes the file's users, all or none. */
MUST_CHECK enum err acl_load(struct acl *acl, struct acl_faults *faults);
/*
 * acl_set_user makes or changes a user. ERR_INVALID: nothing changed, and `error` says why in Redis's words, without the code.
 */
MUST_CHECK enum err acl_set_user(struct acl *acl, struct slice name, const struct slice *rules,
                                 size_t count, struct buf *error);
/* acl_delete_users deletes those of the names that there are, in one change; returns how many. */
size_t acl_delete_users(struct acl *acl, const struct slice *names, size_t count);

#endif
