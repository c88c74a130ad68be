/* Notices to bytes and back. What comes in may be anything that someone with access to the database sends. */
#include "parcel.h"

#include <inttypes.h>

/* --- records ---------------------------------------------------------------------------------- */

static void put(struct buf *out, uint64_t v, size_t bytes)
{
    uint8_t p[8];
    for (size_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
    buf_append(out, p, bytes);
}

static void put_bytes(struct buf *out, struct slice s)
{
    put(out, s.len, 4);
    buf_append_slice(out, s);
}

void parcel_write(struct buf *out, const struct notice *n, struct slice keyspace)
{
    put(out, n->kind, 1);
    put(out, n->db_number, 4);
    put(out, (uint64_t)n->a, 8);
    put(out, (uint64_t)n->b, 8);
    put_bytes(out, keyspace);
    put_bytes(out, n->subject);
    put_bytes(out, n->body);
}

/* What is left to read; `bad` sticks. */
struct reader {
    struct slice rest;
    bool bad;
};

static struct slice take(struct reader *r, size_t n)
{
    const struct slice taken = { r->rest.p, n };
    if (r->bad || n > r->rest.len) {
        r->bad = true;
        return (struct slice){ NULL, 0 };
    }
    r->rest = (struct slice){ r->rest.p + n, r->rest.len - n };
    return taken;
}

static uint64_t get(struct reader *r, size_t bytes)
{
    const struct slice s = take(r, bytes);
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++)
        v |= (uint64_t)s.p[i] << 8 * i;
    return v;
}

static struct slice get_bytes(struct reader *r)
{
    return take(r, (size_t)get(r, 4));
}

enum err parcel_read(struct slice *records, struct notice *n, struct slice *keyspace)
{
    struct reader r = { *records, false };
    struct notice read = { .kind = NOTICE_KINDS };
    const uint64_t kind = get(&r, 1);
    if (kind > 0 && kind < NOTICE_KINDS)
        read.kind = (enum notice_kind)kind;
    read.db_number = (uint32_t)get(&r, 4);
    read.a = (int64_t)get(&r, 8);
    read.b = (int64_t)get(&r, 8);
    const struct slice name = get_bytes(&r);
    read.subject = get_bytes(&r);
    read.body = get_bytes(&r);
    if (r.bad)
        return ERR_PROTOCOL;
    *n = read;
    *keyspace = name;
    *records = r.rest;
    return ERR_OK;
}

/* --- base64, RFC 4648 --------------------------------------------------------------------------- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i += 3) {
        const size_t n = s.len - i < 3 ? s.len - i : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < n ? s.p[i + k] : 0u);
        char text[4] = { '=', '=', '=', '=' };
        for (size_t k = 0; k <= n; k++)
            text[k] = digits[v >> (18 - 6 * k) & 63];
        buf_append(out, text, sizeof(text));
    }
}

static int digit(uint8_t c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

static enum err decode(struct buf *out, struct slice s)
{
    if (s.len % 4 != 0)
        return ERR_PROTOCOL;
    for (size_t i = 0; i < s.len; i += 4) {
        const bool last = i + 4 == s.len;
        const size_t n = last && s.p[i + 3] == '=' ? (s.p[i + 2] == '=' ? 1 : 2) : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            const int d = k <= n ? digit(s.p[i + k]) : 0;
            if (d < 0)
                return ERR_PROTOCOL;
            v = v << 6 | (uint32_t)d;
        }
        const uint8_t bytes[3] = { (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
        buf_append(out, bytes, n);
    }
    return ERR_OK;
}

/* --- payloads ------------------------------------------------------------------------------------ */

static void write_head(struct buf *out, const struct payload *p, char kind)
{
    buf_printf(out, "1 %" PRId64 " %" PRId64 " %c ", p->sender, p->number, kind);
}

void payload_write(struct buf *out, const struct payload *p, struct slice records)
{
    write_head(out, p, 'b');
    encode(out, records);
}

void payload_write_row(struct buf *out, const struct payload *p)
{
    write_head(out, p, 'r');
}

/* word takes what is before the next space, or all of it. */
static struct slice word(struct slice *text)
{
    const uint8_t *space = text->len ? memchr(text->p, ' ', text->len) : NULL;
    const struct slice first = { text->p, space ? (size_t)(space - text->p) : text->len };
    const size_t step = space ? first.len + 1 : first.len;
    *text = (struct slice){ text->p + step, text->len - step };
    return first;
}

enum err payload_read(struct slice text, struct payload *p, struct buf *records)
{
    struct payload read = { 0 };
    if (!slice_eq(word(&text), SLICE("1")) || slice_to_i64(word(&text), &read.sender) != ERR_OK ||
        slice_to_i64(word(&text), &read.number) != ERR_OK)
        return ERR_PROTOCOL;
    const struct slice kind = word(&text);
    enum err err = ERR_PROTOCOL;
    if (slice_eq(kind, SLICE("r")))
        err = slice_to_i64(text, &read.row) == ERR_OK && read.row > 0 ? ERR_OK : ERR_PROTOCOL;
    else if (slice_eq(kind, SLICE("b")))
        err = decode(records, text);
    if (err == ERR_OK)
        *p = read;
    return err;
}
