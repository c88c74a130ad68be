/*
 * acl_file: an ACL as text and in a file: a line "user NAME RULE…" for each user, empty lines and lines that begin with #.
 * All or nothing: a text with one mistake gives no ACL, and a list of all mistakes.
 */
#ifndef COFRE_ACL_FILE_H
#define COFRE_ACL_FILE_H

#include "acl/set.h"

enum { ACL_FILE_MAX = 64 * 1024 * 1024 };

struct acl_fault {
    size_t line; /* from 1; 0: about the file as a whole */
    char *text;  /* owned; without a dot at its end */
};

struct acl_faults {
    struct acl_fault *items;
    size_t count;
};

void acl_faults_release(struct acl_faults *faults);
void acl_faults_add(struct acl_faults *faults, const char *text); /* about the file as a whole */

/* acl_parse: the default user is off unless a line turns it on. *out is untouched when there are faults. */
MUST_CHECK enum err acl_parse(struct slice text, struct acl_set **out, struct acl_faults *faults);

/* acl_read_file reads and parses; a file that cannot be read is a fault too. */
MUST_CHECK enum err acl_read_file(const char *path, struct acl_set **out,
                                  struct acl_faults *faults);

/*
 * acl_write_file puts a new file in the old one's place: written beside it, synced, renamed, with the old one's mode. On
 * failure the old one is as it was, and why[] says what failed.
 */
MUST_CHECK enum err acl_write_file(const char *path, const struct acl_set *set, char *why,
                                   size_t why_size);

/*
 * acl_apply_rules makes the user that rules make of another (NULL: of a new one). On failure *rule is the offending one and the
 * text why is returned; on success NULL and *out.
 */
const char *acl_apply_rules(const struct acl_user *from, struct slice name,
                            const struct slice *rules, size_t count, struct acl_user **out,
                            struct buf *rule);

#endif
