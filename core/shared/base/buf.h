/*
 * buf: a growing byte queue with a maximum.
 *
 *     [0, start) consumed · [start, end) filled, unread · [end, cap) free
 *
 * The owner holds the struct; no memory is kept while it is empty and released.
 */
#ifndef COFRE_BASE_BUF_H
#define COFRE_BASE_BUF_H

#include <string.h>

#include "base/slice.h"

struct buf {
    uint8_t *p;
    size_t start;
    size_t end;
    size_t cap; /* never above max */
    size_t max; /* most bytes that may be unread at once */
    /*
     * An append went over max. While it is set nothing more is appended, so that what is there
     * is never a stream with a hole; buf_truncate, buf_clear and buf_release take it back.
     */
    bool overflow;
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b); /* frees the memory; the buf may be used again, empty */
void buf_clear(struct buf *b);   /* empties it, keeps the memory */

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){ b->p == NULL ? NULL : b->p + b->start, b->end - b->start };
}

/* buf_make_room is buf_reserve's slow half: it compacts or grows. Call buf_reserve. */
uint8_t *buf_make_room(struct buf *b, size_t n);

/*
 * buf_reserve makes room for n bytes at the end (compacting or growing) and returns where
 * they go, or NULL when that would pass max (then overflow is set). buf_commit says how many
 * of them were filled.
 */
static inline uint8_t *buf_reserve(struct buf *b, size_t n)
{
    /* cap <= max, so what fits is allowed. '>' sends a buf without memory the slow way. */
    if (b->cap - b->end > n && !b->overflow) {
        return b->p + b->end;
    }
    return buf_make_room(b, n);
}

static inline void buf_commit(struct buf *b, size_t n)
{
    b->end += n;
}

/* buf_append adds bytes; over max it adds nothing and sets overflow. */
static inline void buf_append(struct buf *b, const void *bytes, size_t n)
{
    uint8_t *to = n == 0 ? NULL : buf_reserve(b, n);
    if (to != NULL) {
        memcpy(to, bytes, n);
        b->end += n;
    }
}

static inline void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.p, s.len);
}

void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* buf_consume drops n bytes from the front; an emptied buf starts again at 0. */
static inline void buf_consume(struct buf *b, size_t n)
{
    b->start += n;
    if (b->start == b->end) {
        b->start = 0;
        b->end = 0;
    }
}

/* buf_truncate keeps the first `len` unread bytes, and forgets an overflow. */
void buf_truncate(struct buf *b, size_t len);

#endif
