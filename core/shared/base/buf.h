/*
 * buf: a growing byte queue with a maximum.
 *
 *     [0, start) consumed · [start, end) filled, unread · [end, cap) free
 *
 * The owner holds the struct; no memory is kept while it is empty and released.
 */
#ifndef COFRE_BASE_BUF_H
#define COFRE_BASE_BUF_H

#include "base/slice.h"

struct buf {
    uint8_t *p;
    size_t start;
    size_t end;
    size_t cap;
    size_t max;    /* most bytes that may be unread at once */
    bool overflow; /* an append went over max; sticky until buf_release */
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b); /* frees the memory; the buf may be used again, empty */
void buf_clear(struct buf *b);   /* empties it, keeps the memory */

static inline size_t buf_len(const struct buf *b) {
    return b->end - b->start;
}

static inline struct slice buf_slice(const struct buf *b) {
    return (struct slice){b->p + b->start, b->end - b->start};
}

/*
 * buf_reserve makes room for n bytes at the end (compacting or growing) and returns where
 * they go, or NULL when that would pass max (then overflow is set). buf_commit says how many
 * of them were filled.
 */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

/* buf_append adds bytes; over max it adds nothing and sets overflow. */
void buf_append(struct buf *b, const void *bytes, size_t n);
void buf_append_slice(struct buf *b, struct slice s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* buf_consume drops n bytes from the front; an emptied buf starts again at 0. */
void buf_consume(struct buf *b, size_t n);

/* buf_truncate drops what was appended after the buf held `len` unread bytes. */
void buf_truncate(struct buf *b, size_t len);

#endif
