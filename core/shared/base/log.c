/*
 * log: builds one line in a fixed buffer and hands it to write(2). What does not fit is cut, marked
 * with "...", and the line still ends properly. No locks: the level, format and program are set
 * before threads start, and one write of one line is all that threads share.
 */
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_SIZE = 8192,
    LINE_TAIL = 16, /* kept free for "...", a quote, "}" and the newline */
    LONGEST_WORD = 256,
};

static struct {
    const char *program;
    enum log_level level;
    enum log_format format;
} log_config = { "cofre", LOG_INFO, LOG_TEXT };

static const char *const level_names[] = { "debug", "info", "warning", "error" };
static const char *const format_names[] = { "text", "json" };

void log_setup(const char *program, enum log_level level, enum log_format format)
{
    log_config.program = program;
    log_config.level = level;
    log_config.format = format;
}

static int find_name(const char *const *names, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0) {
            return (int)i;
        }
    }
    return -1;
}

enum err log_level_parse(const char *text, enum log_level *out)
{
    int i = find_name(level_names, ARRAY_SIZE(level_names), text);
    if (i < 0) {
        return ERR_INVALID;
    }
    *out = (enum log_level)i;
    return ERR_OK;
}

enum err log_format_parse(const char *text, enum log_format *out)
{
    int i = find_name(format_names, ARRAY_SIZE(format_names), text);
    if (i < 0) {
        return ERR_INVALID;
    }
    *out = (enum log_format)i;
    return ERR_OK;
}

bool log_enabled(enum log_level level)
{
    return level >= log_config.level;
}

enum log_level log_level(void)
{
    return log_config.level;
}

void log_set_level(enum log_level level)
{
    log_config.level = level;
}

/* ---- the line ---- */

struct line {
    char text[LINE_SIZE];
    size_t len;
    bool cut;
};

/* put adds bytes whole or not at all, so that a cut never splits an escape or a character. */
static void put(struct line *l, const void *bytes, size_t n)
{
    if (l->cut || n > sizeof(l->text) - LINE_TAIL - l->len) {
        l->cut = true;
        return;
    }
    memcpy(l->text + l->len, bytes, n);
    l->len += n;
}

static void put_text(struct line *l, const char *text)
{
    put(l, text, strlen(text));
}

/* put_tail is for what closes a line that may be cut already; LINE_TAIL has the room. */
static void put_tail(struct line *l, const char *text)
{
    size_t n = strlen(text);
    memcpy(l->text + l->len, text, n);
    l->len += n;
}

/*
 * shown_raw says whether a character may stand in a log line as it is: no control characters (C1
 * ones drive terminals too), no line separators and nothing that turns the reading direction
 * around.
 */
static bool shown_raw(uint32_t code)
{
    return code >= 0x20 && code != '"' && code != '\\' && !(code >= 0x7f && code < 0xa0) &&
           !(code >= 0x2028 && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069);
}

static void put_escaped(struct line *l, struct slice s)
{
    const char *hex = log_config.format == LOG_JSON ? "\\\\x%02x" : "\\x%02x";
    for (size_t i = 0; i < s.len && !l->cut;) {
        uint32_t code = 0;
        size_t n = slice_utf8_at(s, i, &code);
        if (n > 0 && shown_raw(code)) {
            put(l, s.p + i, n);
            i += n;
        } else if (s.p[i] == '"' || s.p[i] == '\\') {
            put(l, (const char[]){ '\\', (char)s.p[i] }, 2);
            i++;
        } else {
            char escape[8];
            int len = snprintf(escape, sizeof(escape), hex, s.p[i]);
            put(l, escape, (size_t)len);
            i++;
        }
    }
}

static void put_quoted(struct line *l, struct slice s)
{
    put_text(l, "\"");
    put_escaped(l, s);
    if (l->cut) {
        put_tail(l, "...\"");
    } else {
        put_text(l, "\"");
    }
}

/* is_word says whether a text value needs no quotes; what is so long that it may be cut does. */
static bool is_word(struct slice s)
{
    if (s.len > LONGEST_WORD) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '"' || s.p[i] == '\\' || s.p[i] == '=') {
            return false;
        }
    }
    return s.len > 0;
}

static void put_int(struct line *l, int64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRId64, n);
    put(l, digits, (size_t)len);
}

static void put_value(struct line *l, const struct log_field *field)
{
    if (field->kind == LOG_FIELD_INT) {
        put_int(l, field->number);
        return;
    }
    struct slice s = field->bytes;
    if (field->kind == LOG_FIELD_TEXT) {
        s = slice_of(field->text != NULL ? field->text : "");
    }
    if (log_config.format == LOG_TEXT && is_word(s)) {
        put(l, s.p, s.len);
    } else {
        put_quoted(l, s);
    }
}

static void put_time(struct line *l)
{
    struct timespec now;
    struct tm tm;
    char text[40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    int m = snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(now.tv_nsec / 1000000));
    put(l, text, n + (size_t)m);
}

static void put_text_line(struct line *l, enum log_level level, const char *message,
                          const struct log_field *fields, size_t count)
{
    put_time(l);
    put_text(l, " ");
    put_text(l, level_names[level]);
    put_text(l, " ");
    put_text(l, log_config.program);
    put_text(l, ": ");
    put_escaped(l, slice_of(message));
    for (size_t i = 0; i < count && !l->cut; i++) {
        if (fields[i].name != NULL) {
            put_text(l, " ");
            put_text(l, fields[i].name);
            put_text(l, "=");
            put_value(l, &fields[i]);
        }
    }
}

static void put_json_member(struct line *l, const char *name, const struct log_field *value)
{
    /* A member is written whole or cut inside its quoted value: both leave valid JSON. */
    if (strlen(name) + 32 > sizeof(l->text) - LINE_TAIL - l->len) {
        l->cut = true;
        return;
    }
    put_text(l, l->len > 1 ? ",\"" : "\"");
    put_text(l, name);
    put_text(l, "\":");
    put_value(l, value);
}

static void put_json_line(struct line *l, enum log_level level, const char *message,
                          const struct log_field *fields, size_t count)
{
    put_text(l, "{\"time\":\"");
    put_time(l);
    put_text(l, "\"");
    put_json_member(l, "level", &LF_STR("", level_names[level]));
    put_json_member(l, "program", &LF_STR("", log_config.program));
    put_json_member(l, "message", &LF_STR("", message));
    for (size_t i = 0; i < count && !l->cut; i++) {
        if (fields[i].name != NULL) {
            put_json_member(l, fields[i].name, &fields[i]);
        }
    }
}

void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count)
{
    if (!log_enabled(level)) {
        return;
    }
    struct line line;
    line.len = 0;
    line.cut = false;
    if (log_config.format == LOG_JSON) {
        put_json_line(&line, level, message, fields, count);
        put_tail(&line, "}\n");
    } else {
        put_text_line(&line, level, message, fields, count);
        put_tail(&line, "\n");
    }
    /* A failure has nowhere to be reported. */
    ssize_t ignored = write(STDERR_FILENO, line.text, line.len);
    (void)ignored;
}
