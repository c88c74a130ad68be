/*
 * json: what the status writes and the dry run reads of JSON (RFC 8259): texts to write, and lines that
 * are one flat object to read. Pure.
 */
#ifndef COFRE_GATEWAY_JSON_H
#define COFRE_GATEWAY_JSON_H

#include "base/buf.h"

/* json_text appends a string with its quotes. What is not UTF-8 becomes U+FFFD. */
void json_text(struct buf *out, struct slice text);

/* One member of an object. */
struct json_member {
    struct slice name; /* as it is written: a name with an escape in it is an error */
    struct slice text; /* of a string, without escapes; of a number or a word, as it is written */
    bool is_string;
};

/*
 * json_next reads the next member of an object from *line, which is advanced; a string's escapes are
 * undone into `scratch`, which is emptied first and must outlive the use of the member. *first must be
 * true at the beginning of a line. ERR_NOT_FOUND: that was all. ERR_PROTOCOL: not a flat object.
 */
MUST_CHECK enum err json_next(struct slice *line, bool *first, struct buf *scratch,
                              struct json_member *out);

#endif
