/* output: a reply as text, in the three forms of redis-cli. It writes to a buf and prints nothing. */
#ifndef COFRE_CLIENT_OUTPUT_H
#define COFRE_CLIENT_OUTPUT_H

#include "base/buf.h"
#include "reply.h"

enum output_form {
    OUTPUT_FORMATTED, /* for people: "value", (integer) 1, (nil), 1) … */
    OUTPUT_RAW,       /* for scripts: the bytes alone, a line for each item */
    OUTPUT_JSON,      /* one JSON value; bytes that are not UTF-8 as {"base64": "…"} */
};

/* output_reply appends the reply and one newline. */
void output_reply(struct buf *out, const struct reply *r, enum output_form form);

/* output_quoted appends the bytes as "text" with escapes, which the prompt reads back as the same bytes. */
void output_quoted(struct buf *out, struct slice bytes);

/*
 * output_visible appends text as it is, but with whatever could steer a terminal as \xHH: for error and
 * status lines, and for values shown in the menu.
 */
void output_visible(struct buf *out, struct slice bytes);

#endif
