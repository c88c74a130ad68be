/* Records: JSON as RFC 8259 has it, all in UTF-8, times in UTC. */
#include "audit_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static void put_name(struct buf *out, const char *name)
{
    buf_printf(out, ",\"%s\":", name);
}

/* put_char writes a character of valid UTF-8, escaped where JSON or a terminal wants it. */
static void put_char(struct buf *out, const uint8_t *p, size_t n, uint32_t code)
{
    if (code == '"' || code == '\\')
        buf_printf(out, "\\%c", (char)code);
    else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029)
        buf_printf(out, "\\u%04" PRIx32, code);
    else
        buf_append(out, p, n);
}

/* put_string: bytes that are no UTF-8 are written as the four characters \xNN. */
static void put_string(struct buf *out, struct slice s)
{
    buf_append(out, "\"", 1);
    for (size_t i = 0; i < s.len;) {
        uint32_t code = 0;
        const size_t n = slice_utf8_at(s, i, &code);
        if (n > 0 && code != 0)
            put_char(out, s.p + i, n, code);
        else
            buf_printf(out, "\\\\x%02x", s.p[i]);
        i += n > 0 ? n : 1;
    }
    buf_append(out, "\"", 1);
}

static void put_time(struct buf *out, int64_t ms)
{
    const time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[40] = "";
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(out, "\"%s.%03dZ\"", text, (int)(ms % 1000));
}

void record_begin(struct buf *out, const char *event, int64_t at_ms)
{
    buf_printf(out, "{\"time\":");
    put_time(out, at_ms);
    buf_printf(out, ",\"event\":\"%s\"", event);
}

void record_end(struct buf *out)
{
    buf_append(out, "}\n", 2);
}

void record_number(struct buf *out, const char *name, int64_t n)
{
    put_name(out, name);
    buf_printf(out, "%" PRId64, n);
}

void record_bool(struct buf *out, const char *name, bool b)
{
    put_name(out, name);
    buf_printf(out, "%s", b ? "true" : "false");
}

void record_time(struct buf *out, const char *name, int64_t ms)
{
    put_name(out, name);
    put_time(out, ms);
}

void record_hex(struct buf *out, const char *name, struct slice bytes)
{
    put_name(out, name);
    buf_append(out, "\"", 1);
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(out, "%02x", bytes.p[i]);
    buf_append(out, "\"", 1);
}

void record_text(struct buf *out, const char *name, struct slice text)
{
    char hex_name[64];
    if (slice_is_text(text)) {
        put_name(out, name);
        put_string(out, text);
        return;
    }
    snprintf(hex_name, sizeof(hex_name), "%s_hex", name);
    record_hex(out, hex_name, text);
}

void record_list_begin(struct buf *out, const char *name)
{
    put_name(out, name);
    buf_append(out, "[", 1);
}

void record_list_text(struct buf *out, struct slice text)
{
    const struct slice so_far = buf_slice(out);
    if (so_far.len > 0 && so_far.p != NULL && so_far.p[so_far.len - 1] != '[')
        buf_append(out, ",", 1);
    put_string(out, text);
}

void record_list_end(struct buf *out)
{
    buf_append(out, "]", 1);
}
