/*
 * acl_user: what one identity, or each identity that a pattern matches, may do. Counted references; once it is in use
 * (acl_set) it never changes: whoever changes a user makes another one. Pure.
 */
#ifndef COFRE_ACL_USER_H
#define COFRE_ACL_USER_H

#include "acl/name.h"
#include "acl/selector.h"

enum {
    ACL_DATABASES_MAX = 1024, /* databases that db= can name */
    ACL_KEYSPACE_MAX = 128,   /* bytes */
};

enum acl_sanitize { ACL_SANITIZE_UNSAID, ACL_SANITIZE, ACL_SANITIZE_SKIP };

struct acl_user {
    uint32_t refs;
    struct slice name; /* owned, as the other texts */
    enum acl_name_kind kind;
    size_t literal; /* of a pattern: characters before the first that stands for others */
    bool on;
    bool nopass; /* kept for Redis's files, as the next; neither means anything here */
    enum acl_sanitize sanitize;
    struct slice issuer;   /* empty: any */
    struct slice keyspace; /* empty: the common one */
    bool all_databases;
    uint64_t databases[ACL_DATABASES_MAX / 64];
    struct acl_selector *selectors; /* the first is the user's own, and always there */
    size_t selector_count;

    /* set when it is put into use */
    uint32_t keyspace_index;
    bool unlimited; /* the gate has nothing to look for */
};

struct acl_user *acl_user_new(struct slice name,
                              enum acl_name_kind kind); /* off, without permissions */
struct acl_user *acl_user_copy(const struct acl_user *u);
struct acl_user *acl_user_ref(struct acl_user *u);
void acl_user_unref(struct acl_user *u); /* NULL is fine */

/* acl_user_apply applies one rule; returns NULL, or why it cannot. */
MUST_CHECK const char *acl_user_apply(struct acl_user *u, struct slice rule);
/* acl_user_seal looks at what the rules came to, so that the gate need not. */
void acl_user_seal(struct acl_user *u, uint32_t keyspace_index);

/* acl_user_describe appends the rules that make such a user: "on ~* &* +@all"; with quotes where they are needed. */
void acl_user_describe(const struct acl_user *u, struct buf *out);
void acl_user_describe_databases(const struct acl_user *u, struct buf *out); /* "0,2-4" */
/* acl_user_line appends "user NAME RULES": a line of ACL LIST and of the file. */
void acl_user_line(const struct acl_user *u, struct buf *out);
/* acl_user_flags gives "on", "nopass", …: the name of flag i, NULL past the last. */
const char *acl_user_flag(const struct acl_user *u, size_t i);

static inline bool acl_user_has_database(const struct acl_user *u, uint32_t number)
{
    return u->all_databases ||
           (number < ACL_DATABASES_MAX && (u->databases[number / 64] >> (number % 64) & 1) != 0);
}

/* acl_user_matches: the certificate of this identity, from this issuer, is one of the user's. */
bool acl_user_matches(const struct acl_user *u, struct slice identity, struct slice issuer);
/* acl_user_precedes: of two patterns that match, the more specific one wins: longer literal start, then longer, then first by bytes. */
bool acl_user_precedes(const struct acl_user *a, const struct acl_user *b);

#endif
