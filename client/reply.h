/*
 * reply: one server's answer as a tree, and the reader that makes it from bytes. RESP2 and RESP3.
 * (Debian 12's hiredis is 0.14, whose reader knows no RESP3, hence our own.)
 */
#ifndef COFRE_CLIENT_REPLY_H
#define COFRE_CLIENT_REPLY_H

#include "base/slice.h"

enum reply_type {
    REPLY_STATUS,
    REPLY_ERROR,
    REPLY_INTEGER,
    REPLY_BULK,
    REPLY_NIL,
    REPLY_ARRAY,
    REPLY_DOUBLE,   /* .text is how the server wrote it */
    REPLY_BOOLEAN,  /* .integer is 0 or 1 */
    REPLY_BIGNUM,   /* .text */
    REPLY_VERBATIM, /* .text without the "txt:" in front */
    REPLY_MAP,      /* items: key, value, key, value … */
    REPLY_SET,
    REPLY_PUSH,
};

struct reply {
    enum reply_type type;
    int64_t integer;
    uint8_t *text; /* text_len bytes plus a NUL that is not counted; NULL for other types */
    size_t text_len;
    struct reply *items;
    size_t count;
};

static inline struct slice reply_text(const struct reply *r)
{
    return (struct slice){ r->text, r->text != NULL ? r->text_len : 0 };
}

/* reply_is_list says whether the reply has items: array, map, set, push. */
bool reply_is_list(const struct reply *r);

/*
 * reply_lookup finds the value beside a key, in a map or in an array of pairs (RESP2's maps);
 * NULL when there is none.
 */
const struct reply *reply_lookup(const struct reply *r, const char *key);

/* reply_free frees a tree made by the reader; NULL is fine. */
void reply_free(struct reply *r);

/*
 * The reader: pure and resumable. It consumes what it can of the bytes given and keeps the unfinished
 * tree, so the caller never has to hold more than one line; memory grows with what has arrived, not
 * with what a header announces. Owned by the caller; one thread.
 */
struct reply_reader;

enum reply_status {
    REPLY_NEED_MORE,
    REPLY_READY,
    REPLY_BROKEN, /* not RESP; sticks */
};

struct reply_reader *reply_reader_new(void);
void reply_reader_free(struct reply_reader *r);

/* reply_read takes *used of the bytes; with REPLY_READY, *out is the caller's to reply_free. */
enum reply_status reply_read(struct reply_reader *r, struct slice bytes, size_t *used,
                             struct reply **out);

#endif
