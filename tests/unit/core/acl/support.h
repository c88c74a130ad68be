/*
 * support: users and sets from one line of text, for the ACL's tests.
 */
#ifndef COFRE_TEST_ACL_SUPPORT_H
#define COFRE_TEST_ACL_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "acl/file.h"
#include "acl/words.h"

/* user_of makes a user of a name and its rules, which must be good; sealed, as in use. */
static inline struct acl_user *user_of(const char *name, const char *rules)
{
    struct acl_words words;
    struct acl_words merged;
    struct slice unmatched;
    struct acl_user *user = NULL;
    struct buf rule;
    buf_init(&rule, SIZE_MAX / 2);
    assert_int_equal(acl_words_split(slice_of(rules), &words), ERR_OK);
    assert_int_equal(acl_words_merge(words.items, words.count, &merged, &unmatched), ERR_OK);
    const char *error =
        acl_apply_rules(NULL, slice_of(name), merged.items, merged.count, &user, &rule);
    if (error != NULL) {
        fail_msg("%s: %s: %s", name, rules, error);
    }
    acl_user_seal(user, 0);
    acl_words_release(&words);
    acl_words_release(&merged);
    buf_release(&rule);
    return user;
}

/* text_of gives what is in a buf as a C string, valid until the buf changes. */
static inline const char *text_of(struct buf *b)
{
    buf_append(b, "", 1);
    return (const char *)buf_slice(b).p;
}

#endif
