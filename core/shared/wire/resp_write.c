/*
 * resp_write: RESP2 and RESP3 replies, appended to a buf. Each reply element is one reservation and
 * is written whole or not at all. It knows no command and no session.
 */
#include "wire/resp_write.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    DIGITS_MAX = 20, /* of an int64_t with its sign, or a uint64_t */
    HEADER_MAX = 1 + DIGITS_MAX + 2,
};

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

static unsigned count_digits(uint64_t n)
{
    unsigned digits = 1;
    for (; n >= 10000; n /= 10000) {
        digits += 4;
    }
    return digits + (n >= 10) + (n >= 100) + (n >= 1000);
}

static uint8_t *put_u64(uint8_t *p, uint64_t n)
{
    if (n < 10) {
        *p = (uint8_t)('0' + n);
        return p + 1;
    }
    uint8_t *end = p + count_digits(n);
    uint8_t *at = end;
    for (; n >= 100; n /= 100) {
        at -= 2;
        memcpy(at, digit_pairs + 2 * (n % 100), 2);
    }
    if (n >= 10) {
        memcpy(at - 2, digit_pairs + 2 * n, 2);
    } else {
        at[-1] = (uint8_t)('0' + n);
    }
    return end;
}

static uint8_t *put_i64(uint8_t *p, int64_t n)
{
    if (n >= 0) {
        return put_u64(p, (uint64_t)n);
    }
    *p++ = '-';
    return put_u64(p, 0 - (uint64_t)n);
}

static uint8_t *put_crlf(uint8_t *p)
{
    memcpy(p, "\r\n", 2);
    return p + 2;
}

static uint8_t *put_header(uint8_t *p, char type, size_t n)
{
    *p++ = (uint8_t)type;
    return put_crlf(put_u64(p, n));
}

static void commit_to(struct buf *b, const uint8_t *end)
{
    buf_commit(b, (size_t)(end - (b->p + b->end)));
}

/* write_header writes "<type><n>\r\n". */
static void write_header(struct resp_writer *w, char type, size_t n)
{
    uint8_t *p = buf_reserve(w->out, HEADER_MAX);
    if (p != NULL) {
        commit_to(w->out, put_header(p, type, n));
    }
}

/* write_fixed writes one of two constants, by protocol. */
static void write_fixed(struct resp_writer *w, struct slice resp2, struct slice resp3)
{
    buf_append_slice(w->out, w->protocol >= 3 ? resp3 : resp2);
}

void resp_simple(struct resp_writer *w, const char *text)
{
    size_t len = strlen(text);
    uint8_t *p = buf_reserve(w->out, len + 3);
    if (p != NULL) {
        *p++ = '+';
        memcpy(p, text, len);
        commit_to(w->out, put_crlf(p + len));
    }
}

void resp_ok(struct resp_writer *w)
{
    buf_append_slice(w->out, SLICE("+OK\r\n"));
}

/* replace_breaks keeps a text to one line: an error that quotes a client must not forge a reply. */
static void replace_breaks(uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] == '\r' || p[i] == '\n' || p[i] == 0) {
            p[i] = ' ';
        }
    }
}

void resp_error(struct resp_writer *w, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int formatted = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    size_t len = formatted < 0 ? 0 : (size_t)formatted;
    uint8_t *p = buf_reserve(w->out, len + 3); /* '-' and CRLF; a NUL stands where the CR will */
    if (p == NULL) {
        return;
    }
    *p++ = '-';
    va_start(args, fmt);
    vsnprintf((char *)p, len + 1, fmt, args);
    va_end(args);
    replace_breaks(p, len);
    commit_to(w->out, put_crlf(p + len));
}

void resp_int(struct resp_writer *w, int64_t n)
{
    uint8_t *p = buf_reserve(w->out, HEADER_MAX);
    if (p != NULL) {
        *p++ = ':';
        commit_to(w->out, put_crlf(put_i64(p, n)));
    }
}

void resp_bulk(struct resp_writer *w, struct slice s)
{
    uint8_t *p = buf_reserve(w->out, HEADER_MAX + s.len + 2);
    if (p == NULL) {
        return;
    }
    p = put_header(p, '$', s.len);
    if (s.len > 0) {
        memcpy(p, s.p, s.len);
    }
    commit_to(w->out, put_crlf(p + s.len));
}

void resp_bulk_text(struct resp_writer *w, const char *text)
{
    resp_bulk(w, slice_of(text));
}

void resp_bulk_int(struct resp_writer *w, int64_t n)
{
    uint8_t digits[DIGITS_MAX];
    const uint8_t *end = put_i64(digits, n);
    resp_bulk(w, (struct slice){ digits, (size_t)(end - digits) });
}

void resp_null(struct resp_writer *w)
{
    write_fixed(w, SLICE("$-1\r\n"), SLICE("_\r\n"));
}

void resp_null_array(struct resp_writer *w)
{
    write_fixed(w, SLICE("*-1\r\n"), SLICE("_\r\n"));
}

void resp_array(struct resp_writer *w, size_t n)
{
    write_header(w, '*', n);
}

void resp_map(struct resp_writer *w, size_t pairs)
{
    if (w->protocol >= 3) {
        write_header(w, '%', pairs);
    } else {
        write_header(w, '*', pairs * 2);
    }
}

void resp_set(struct resp_writer *w, size_t n)
{
    write_header(w, w->protocol >= 3 ? '~' : '*', n);
}

void resp_push(struct resp_writer *w, size_t n)
{
    write_header(w, w->protocol >= 3 ? '>' : '*', n);
}

void resp_bool(struct resp_writer *w, bool b)
{
    if (b) {
        write_fixed(w, SLICE(":1\r\n"), SLICE("#t\r\n"));
    } else {
        write_fixed(w, SLICE(":0\r\n"), SLICE("#f\r\n"));
    }
}

void resp_double(struct resp_writer *w, double d)
{
    char text[32];
    int len;
    if (isnan(d)) {
        len = snprintf(text, sizeof(text), "nan"); /* printf may say -nan */
    } else {
        len = snprintf(text, sizeof(text), "%.17g", d); /* inf and -inf come out as in Redis */
    }
    if (w->protocol >= 3) {
        buf_printf(w->out, ",%s\r\n", text);
    } else {
        resp_bulk(w, (struct slice){ (const uint8_t *)text, (size_t)len });
    }
}

void resp_verbatim(struct resp_writer *w, const char *kind, struct slice s)
{
    if (w->protocol < 3) {
        resp_bulk(w, s);
        return;
    }
    uint8_t *p = buf_reserve(w->out, HEADER_MAX + 4 + s.len + 2);
    if (p == NULL) {
        return;
    }
    p = put_header(p, '=', s.len + 4);
    memcpy(p, kind, 3); /* three letters, by the protocol: "txt", "mkd" */
    p[3] = ':';
    if (s.len > 0) {
        memcpy(p + 4, s.p, s.len);
    }
    commit_to(w->out, put_crlf(p + 4 + s.len));
}
