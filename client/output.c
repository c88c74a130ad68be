/*
 * output: replies as text. Formatted and raw follow redis-cli's cliFormatReplyTTY and cliFormatReplyRaw;
 * one difference: readable UTF-8 is shown as it is where the terminal is UTF-8 ("olá", not "ol\xc3\xa1").
 */
#include "output.h"

#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* utf8_length returns the length of the valid sequence at the front (2 to 4), 0 for anything else. */
static size_t utf8_length(struct slice s, wchar_t *code)
{
    uint8_t lead = s.p[0];
    size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
    if (len == 0 || len > s.len || !slice_is_text((struct slice){ s.p, len })) {
        return 0;
    }
    uint32_t value = lead & (0xffU >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        value = value << 6 | (s.p[i] & 0x3fU);
    }
    *code = (wchar_t)value;
    return len;
}

/* wcwidth() is 0 or less for combining, direction-changing and unassigned characters: those are escaped. */
static size_t readable_utf8(struct slice s)
{
    wchar_t code = 0;
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        return 0;
    }
    size_t len = utf8_length(s, &code);
    return len > 0 && wcwidth(code) > 0 ? len : 0;
}

static void escaped_byte(struct buf *out, uint8_t c, bool quoted)
{
    static const char from[] = "\n\r\t\a\b";
    static const char to[] = "nrtab";
    const char *known = c == 0 ? NULL : strchr(from, c);

    if (known != NULL) {
        buf_printf(out, "\\%c", to[known - from]);
    } else if (quoted && (c == '"' || c == '\\')) {
        buf_printf(out, "\\%c", c);
    } else if (c >= 0x20 && c < 0x7f) {
        buf_append(out, &c, 1);
    } else {
        buf_printf(out, "\\x%02x", c);
    }
}

static void escaped(struct buf *out, struct slice s, bool quoted)
{
    for (size_t i = 0; i < s.len;) {
        struct slice rest = { s.p + i, s.len - i };
        size_t len = readable_utf8(rest);
        if (len > 0) {
            buf_append(out, rest.p, len);
        } else {
            escaped_byte(out, rest.p[0], quoted);
            len = 1;
        }
        i += len;
    }
}

void output_quoted(struct buf *out, struct slice bytes)
{
    buf_printf(out, "\"");
    escaped(out, bytes, true);
    buf_printf(out, "\"");
}

void output_visible(struct buf *out, struct slice bytes)
{
    escaped(out, bytes, false);
}

/* formatted */

static void format(struct buf *out, const struct reply *r, size_t indent);

static void spaces(struct buf *out, size_t n)
{
    buf_printf(out, "%*s", (int)n, "");
}

/* The mark behind an item's number, and what an empty one is called. */
static char list_mark(enum reply_type type)
{
    return type == REPLY_SET ? '~' : type == REPLY_MAP ? '#' : ')';
}

static const char *list_empty(enum reply_type type)
{
    return type == REPLY_SET ? "(empty set)" : type == REPLY_MAP ? "(empty hash)" : "(empty array)";
}

/* A list's first item follows its number on the same line, the others are indented under it. */
static void format_list(struct buf *out, const struct reply *r, size_t indent)
{
    size_t step = r->type == REPLY_MAP ? 2 : 1;
    char number[24];

    if (r->count == 0) {
        buf_printf(out, "%s\n", list_empty(r->type));
        return;
    }
    size_t width = (size_t)snprintf(number, sizeof(number), "%zu", r->count / step);
    for (size_t i = 0; i < r->count; i += step) {
        spaces(out, i == 0 ? 0 : indent);
        buf_printf(out, "%*zu%c ", (int)width, i / step + 1, list_mark(r->type));
        format(out, &r->items[i], indent + width + 2);
        if (step == 2) {
            buf_truncate(out, buf_len(out) - 1); /* the key's newline */
            buf_printf(out, " => ");
            format(out, &r->items[i + 1], indent + width + 2);
        }
    }
}

static void format(struct buf *out, const struct reply *r, size_t indent)
{
    switch (r->type) {
    case REPLY_STATUS:
        output_visible(out, reply_text(r));
        break;
    case REPLY_ERROR:
        buf_printf(out, "(error) ");
        output_visible(out, reply_text(r));
        break;
    case REPLY_INTEGER:
        buf_printf(out, "(integer) %lld", (long long)r->integer);
        break;
    case REPLY_BULK:
        output_quoted(out, reply_text(r));
        break;
    case REPLY_NIL:
        buf_printf(out, "(nil)");
        break;
    case REPLY_DOUBLE:
        buf_printf(out, "(double) ");
        output_visible(out, reply_text(r));
        break;
    case REPLY_BOOLEAN:
        buf_printf(out, r->integer != 0 ? "(true)" : "(false)");
        break;
    case REPLY_BIGNUM:
        buf_printf(out, "(big number) ");
        output_visible(out, reply_text(r));
        break;
    case REPLY_VERBATIM: /* text meant for people, line breaks and all */
        buf_append_slice(out, reply_text(r));
        break;
    case REPLY_ARRAY:
    case REPLY_MAP:
    case REPLY_SET:
    case REPLY_PUSH:
        format_list(out, r, indent);
        return;
    }
    buf_printf(out, "\n");
}

/* raw */

static void raw(struct buf *out, const struct reply *r)
{
    if (r->type == REPLY_INTEGER) {
        buf_printf(out, "%lld", (long long)r->integer);
    } else if (r->type == REPLY_BOOLEAN) {
        buf_printf(out, r->integer != 0 ? "(true)" : "(false)");
    } else if (r->text != NULL) {
        buf_append_slice(out, reply_text(r));
    }
    for (size_t i = 0; i < r->count; i++) {
        if (i > 0) {
            buf_printf(out, r->type == REPLY_MAP && i % 2 == 1 ? " " : "\n");
        }
        raw(out, &r->items[i]);
    }
}

/* JSON */

static void json(struct buf *out, const struct reply *r);

static void json_text(struct buf *out, struct slice s)
{
    static const char from[] = "\"\\\n\r\t\b\f";
    static const char to[] = "\"\\nrtbf";

    buf_printf(out, "\"");
    for (size_t i = 0; s.p != NULL && i < s.len; i++) {
        const char *known = s.p[i] == 0 ? NULL : strchr(from, s.p[i]);
        if (known != NULL) {
            buf_printf(out, "\\%c", to[known - from]);
        } else if (s.p[i] < 0x20 || s.p[i] == 0x7f) {
            buf_printf(out, "\\u%04x", s.p[i]);
        } else {
            buf_append(out, &s.p[i], 1);
        }
    }
    buf_printf(out, "\"");
}

static void base64(struct buf *out, struct slice s)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < s.len; i += 3) {
        size_t n = s.len - i < 3 ? s.len - i : 3;
        uint32_t bits = (uint32_t)s.p[i] << 16;
        bits |= n > 1 ? (uint32_t)s.p[i + 1] << 8 : 0;
        bits |= n > 2 ? (uint32_t)s.p[i + 2] : 0;
        char four[4] = { alphabet[bits >> 18], alphabet[bits >> 12 & 63],
                         n > 1 ? alphabet[bits >> 6 & 63] : '=',
                         n > 2 ? alphabet[bits & 63] : '=' };
        buf_append(out, four, sizeof(four));
    }
}

/* slice_is_text refuses NUL because PostgreSQL does; JSON can write it, but it travels as base64 all the same. */
static void json_bytes(struct buf *out, struct slice s)
{
    if (slice_is_text(s)) {
        json_text(out, s);
        return;
    }
    buf_printf(out, "{\"base64\":\"");
    base64(out, s);
    buf_printf(out, "\"}");
}

/* An object's key must be a string: a key of another kind is its own JSON text, as a string. */
static void json_key(struct buf *out, const struct reply *r)
{
    struct buf text;

    if (r->text != NULL && slice_is_text(reply_text(r))) {
        json_text(out, reply_text(r));
        return;
    }
    buf_init(&text, out->max);
    json(&text, r);
    json_text(out, buf_slice(&text));
    buf_release(&text);
}

static void json_map(struct buf *out, const struct reply *r)
{
    buf_printf(out, "{");
    for (size_t i = 0; i + 1 < r->count; i += 2) {
        buf_printf(out, i > 0 ? "," : "");
        json_key(out, &r->items[i]);
        buf_printf(out, ":");
        json(out, &r->items[i + 1]);
    }
    buf_printf(out, "}");
}

static void json_list(struct buf *out, const struct reply *r)
{
    buf_printf(out, "[");
    for (size_t i = 0; i < r->count; i++) {
        buf_printf(out, i > 0 ? "," : "");
        json(out, &r->items[i]);
    }
    buf_printf(out, "]");
}

/* json_number passes on what is a JSON number; inf, nan and the like become strings. */
static void json_number(struct buf *out, const struct reply *r)
{
    char *end = NULL;
    double value = strtod((const char *)r->text, &end);
    bool digits =
        r->text_len > 0 && strspn((const char *)r->text, "-0123456789.eE+") == r->text_len;

    if (digits && isfinite(value) && *end == '\0' && r->text[0] != '+' && r->text[0] != '.' &&
        r->text[r->text_len - 1] != '.') {
        buf_append_slice(out, reply_text(r));
    } else {
        json_bytes(out, reply_text(r));
    }
}

static void json(struct buf *out, const struct reply *r)
{
    switch (r->type) {
    case REPLY_NIL:
        buf_printf(out, "null");
        break;
    case REPLY_INTEGER:
        buf_printf(out, "%lld", (long long)r->integer);
        break;
    case REPLY_BOOLEAN:
        buf_printf(out, r->integer != 0 ? "true" : "false");
        break;
    case REPLY_DOUBLE:
    case REPLY_BIGNUM:
        json_number(out, r);
        break;
    case REPLY_ERROR:
        buf_printf(out, "{\"error\":");
        json_bytes(out, reply_text(r));
        buf_printf(out, "}");
        break;
    case REPLY_STATUS:
    case REPLY_BULK:
    case REPLY_VERBATIM:
        json_bytes(out, reply_text(r));
        break;
    case REPLY_MAP:
        json_map(out, r);
        break;
    case REPLY_ARRAY:
    case REPLY_SET:
    case REPLY_PUSH:
        json_list(out, r);
        break;
    }
}

void output_reply(struct buf *out, const struct reply *r, enum output_form form)
{
    switch (form) {
    case OUTPUT_FORMATTED:
        format(out, r, 0);
        return; /* ends with its newline */
    case OUTPUT_RAW:
        raw(out, r);
        break;
    case OUTPUT_JSON:
        json(out, r);
        break;
    }
    buf_printf(out, "\n");
}
