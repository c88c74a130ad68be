/*
 * buf: the slow halves of the byte queue; the fast ones are inline in buf.h. Not thread-safe, and
 * no ring: unread bytes are always contiguous, which is what the parsers need.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SMALLEST = 256 };

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){ .max = max };
}

void buf_release(struct buf *b)
{
    free(b->p);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
    b->start = 0;
    b->end = 0;
    b->overflow = false;
}

void buf_truncate(struct buf *b, size_t len)
{
    b->end = b->start + len;
    b->overflow = false;
    buf_consume(b, 0);
}

static void compact(struct buf *b)
{
    size_t len = buf_len(b);
    if (len > 0) {
        memmove(b->p, b->p + b->start, len);
    }
    b->start = 0;
    b->end = len;
}

static size_t grown_cap(const struct buf *b, size_t need)
{
    size_t cap = b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2;
    if (cap < SMALLEST) {
        cap = SMALLEST;
    }
    if (cap < need) {
        cap = need;
    }
    return cap < b->max ? cap : b->max;
}

static void grow(struct buf *b, size_t need)
{
    size_t cap = grown_cap(b, need);
    if (b->start > 0) { /* a fresh block: realloc would copy the consumed bytes as well */
        uint8_t *p = mem_alloc(cap);
        size_t len = buf_len(b);
        memcpy(p, b->p + b->start, len);
        free(b->p);
        *b = (struct buf){ .p = p, .end = len, .cap = cap, .max = b->max };
        return;
    }
    b->p = mem_realloc(b->p, cap);
    b->cap = cap;
}

uint8_t *buf_make_room(struct buf *b, size_t n)
{
    size_t len = buf_len(b);
    if (b->overflow || len > b->max || n > b->max - len) {
        b->overflow = true;
        return NULL;
    }
    size_t need = len + n;
    if (b->p == NULL || b->cap - b->end < n) {
        /* Moving no more bytes than were consumed is cheap; otherwise growing is, in the end. */
        if (b->p != NULL && need <= b->cap && (b->start >= len || b->cap == b->max)) {
            compact(b);
        } else {
            grow(b, need);
        }
    }
    return b->p + b->end;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    uint8_t *to = len < 0 ? NULL : buf_reserve(b, (size_t)len + 1); /* room for vsnprintf's NUL */
    if (to == NULL) {
        return;
    }
    va_start(args, fmt);
    vsnprintf((char *)to, (size_t)len + 1, fmt, args);
    va_end(args);
    buf_commit(b, (size_t)len);
}
