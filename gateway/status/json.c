/*
 * json: a writer of strings, and a reader of flat objects that stops at the first byte that does not
 * belong. The lines come from a process that we trust, by way of a path that we were told: so they are
 * read as if they came from anybody.
 */
#include "status/json.h"

void json_text(struct buf *out, struct slice text)
{
    buf_append(out, "\"", 1);
    for (size_t i = 0; i < text.len;) {
        uint32_t code;
        size_t n = slice_utf8_at(text, i, &code);
        if (n == 0) {
            buf_append_slice(out, SLICE("\\ufffd"));
        } else if (code < 0x20 || code == 0x7f) {
            buf_printf(out, "\\u%04x", (unsigned)code);
        } else if (code == '"' || code == '\\') {
            buf_printf(out, "\\%c", (char)code);
        } else {
            buf_append(out, text.p + i, n);
        }
        i += n == 0 ? 1 : n;
    }
    buf_append(out, "\"", 1);
}

/* Reading. `take` functions advance `in` past what they found, or return false and have found nothing. */

static void skip_space(struct slice *in)
{
    while (in->len > 0 && memchr(" \t\r", in->p[0], 3) != NULL) {
        *in = (struct slice){ in->p + 1, in->len - 1 };
    }
}

static bool take(struct slice *in, uint8_t c)
{
    skip_space(in);
    if (in->len == 0 || in->p[0] != c) {
        return false;
    }
    *in = (struct slice){ in->p + 1, in->len - 1 };
    return true;
}

/* take_raw gives what stands between two quotes, escapes and all. */
static bool take_raw(struct slice *in, struct slice *out)
{
    struct slice rest = *in;
    if (!take(&rest, '"')) {
        return false;
    }
    for (size_t i = 0; i < rest.len && rest.p[i] >= 0x20; i++) {
        if (rest.p[i] == '"') {
            *out = (struct slice){ rest.p, i };
            *in = (struct slice){ rest.p + i + 1, rest.len - i - 1 };
            return true;
        }
        i += rest.p[i] == '\\';
    }
    return false;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex(struct slice raw, size_t at, uint32_t *code)
{
    *code = 0;
    for (size_t i = at; i < at + 4; i++) {
        int digit = i < raw.len ? hex_digit(raw.p[i]) : -1;
        if (digit < 0) {
            return false;
        }
        *code = *code << 4 | (uint32_t)digit;
    }
    return true;
}

/* Only the basic plane: what is above it we write as it is, and a surrogate is refused. */
static bool put_code(struct buf *out, uint32_t code)
{
    uint8_t utf8[3];
    size_t n = 0;
    if (code >= 0xd800 && code <= 0xdfff) {
        return false;
    }
    if (code >= 0x800) {
        utf8[n++] = (uint8_t)(0xe0 | code >> 12);
    }
    if (code >= 0x80) {
        utf8[n] = (uint8_t)(n == 0 ? 0xc0 | code >> 6 : 0x80 | (code >> 6 & 0x3f));
        n++;
    }
    utf8[n] = (uint8_t)(n == 0 ? code : 0x80 | (code & 0x3f));
    buf_append(out, utf8, n + 1);
    return true;
}

/* put_escape undoes the escape after the backslash at raw.p[at]; 0: there is none such, else its length. */
static size_t put_escape(struct slice raw, size_t at, struct buf *out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    uint32_t code;
    if (at + 1 >= raw.len) {
        return 0;
    }
    if (raw.p[at + 1] == 'u') {
        return take_hex(raw, at + 2, &code) && put_code(out, code) ? 6 : 0;
    }
    const char *found = memchr(names, raw.p[at + 1], sizeof(names) - 1);
    if (found == NULL) {
        return 0;
    }
    buf_append(out, &meant[found - names], 1);
    return 2;
}

static bool unescape(struct slice raw, struct buf *scratch, struct slice *out)
{
    if (raw.len == 0 || memchr(raw.p, '\\', raw.len) == NULL) {
        *out = raw;
        return true;
    }
    buf_clear(scratch);
    for (size_t i = 0; i < raw.len;) {
        size_t n = 1;
        if (raw.p[i] == '\\') {
            n = put_escape(raw, i, scratch);
        } else {
            buf_append(scratch, raw.p + i, 1);
        }
        if (n == 0 || scratch->overflow) {
            return false;
        }
        i += n;
    }
    *out = buf_slice(scratch);
    return true;
}

static bool is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' ||
           c == 'E';
}

static bool take_word(struct slice *in, struct slice *out)
{
    size_t n = 0;
    skip_space(in);
    while (n < in->len && is_word(in->p[n])) {
        n++;
    }
    *out = (struct slice){ in->p, n };
    *in = (struct slice){ in->p + n, in->len - n };
    return n > 0;
}

static bool take_member(struct slice *in, struct buf *scratch, struct json_member *m)
{
    struct slice raw;
    if (!take_raw(in, &m->name) ||
        (m->name.len > 0 && memchr(m->name.p, '\\', m->name.len) != NULL) || !take(in, ':')) {
        return false;
    }
    m->is_string = take_raw(in, &raw);
    return m->is_string ? unescape(raw, scratch, &m->text) : take_word(in, &m->text);
}

enum err json_next(struct slice *line, bool *first, struct buf *scratch, struct json_member *out)
{
    struct slice in = *line;
    struct json_member m;
    if (*first && !take(&in, '{')) {
        return ERR_PROTOCOL;
    }
    if (take(&in, '}')) {
        skip_space(&in);
        return in.len == 0 ? ERR_NOT_FOUND : ERR_PROTOCOL;
    }
    if ((!*first && !take(&in, ',')) || !take_member(&in, scratch, &m)) {
        return ERR_PROTOCOL;
    }
    *first = false;
    *line = in;
    *out = m;
    return ERR_OK;
}
