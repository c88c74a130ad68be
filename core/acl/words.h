/*
 * acl_words: a line of an ACL file as words, and words as a line. As Redis reads its configuration: words stand between
 * spaces; "…" with \" \\ \n \r \t \a \b \xHH inside and '…' with \' inside hold spaces too. Pure.
 */
#ifndef COFRE_ACL_WORDS_H
#define COFRE_ACL_WORDS_H

#include "base/buf.h"

struct acl_words {
    struct slice *items; /* owned, as the bytes that they point to */
    size_t count;
    uint8_t *bytes;
};

/* acl_words_split: ERR_INVALID when quotes are not balanced, or a closing one is not followed by a space. */
MUST_CHECK enum err acl_words_split(struct slice line, struct acl_words *out);
/*
 * acl_words_merge makes one word of what stands between a word that begins with "(" and the next that ends with ")".
 * ERR_INVALID when one is missing: *unmatched is the word with the open one.
 */
MUST_CHECK enum err acl_words_merge(const struct slice *words, size_t count, struct acl_words *out,
                                    struct slice *unmatched);
void acl_words_release(struct acl_words *w);

/* acl_word_write appends a word in quotes if it needs them, so that acl_words_split reads it back. */
void acl_word_write(struct buf *out, struct slice word);
/* acl_rule_write appends the word that `text` makes behind a prefix: "~" and a pattern, "issuer=" and a name. */
void acl_rule_write(struct buf *out, const char *prefix, struct slice text);

/* acl_has_spaces: also a NUL counts, and whatever else isspace(3) takes for one. */
bool acl_has_spaces(struct slice s);

#endif
