/*
 * resp_read: turns a client's bytes into argument lists, one request at a time, as redis-server
 * does (networking.c: processMultibulkBuffer, processInlineBuffer, sds.c: sdssplitargs). It is
 * stricter in one thing: every line and every argument must end with CR LF, where Redis skips two
 * bytes without looking.
 */
#include "wire/resp_read.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void resp_reader_init(struct resp_reader *r, const struct resp_limits *limits)
{
    *r = (struct resp_reader){ .limits = limits, .argv_cap = RESP_FEW_ARGS };
    r->argv = r->few;
}

static void free_tables(struct resp_reader *r)
{
    if (r->argv != r->few) {
        free(r->argv);
        r->argv = r->few;
        r->argv_cap = RESP_FEW_ARGS;
    }
    free(r->inline_copy);
    r->inline_copy = NULL;
    r->argc = 0;
}

void resp_reader_idle(struct resp_reader *r)
{
    if (r->phase == RESP_AT_START || r->phase == RESP_AT_END) {
        free_tables(r);
    }
}

void resp_reader_release(struct resp_reader *r)
{
    free_tables(r);
    free(r->error);
    resp_reader_init(r, r->limits);
}

static enum resp_status PRINTF_LIKE(2, 3) fail(struct resp_reader *r, const char *fmt, ...)
{
    char text[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    r->error = mem_strdup(text);
    r->phase = RESP_FAILED;
    return RESP_ERROR;
}

static enum resp_status fail_request_size(struct resp_reader *r)
{
    return fail(r, "Protocol error: request is over max-request, %zu bytes",
                r->limits->max_request);
}

static enum resp_status fail_args(struct resp_reader *r)
{
    return fail(r, "Protocol error: request is over the limit of %u arguments",
                r->limits->max_args);
}

/* add_arg takes the next place in the table, which grows with what came, not what was announced. */
static void add_arg(struct resp_reader *r, struct slice arg)
{
    if (r->parsed == r->argv_cap) {
        uint32_t max = r->limits->max_args; /* over r->parsed: that was checked */
        uint32_t cap = r->argv_cap > max / 4 ? max : r->argv_cap * 4;
        struct slice *few = r->argv == r->few ? r->few : NULL;
        r->argv = mem_realloc(few != NULL ? NULL : r->argv, sizeof(*r->argv) * (size_t)cap);
        if (few != NULL) {
            memcpy(r->argv, few, sizeof(r->few));
        }
        r->argv_cap = cap;
    }
    r->argv[r->parsed++] = arg;
}

/* ---- lines ---- */

/*
 * find_line_end looks for `mark` in the line at r->pos. READY: *at is its place. A line that is
 * longer than max_inline is an error whether or not its end has arrived, so that how bytes are
 * split changes nothing.
 */
static enum resp_status find_line_end(struct resp_reader *r, struct slice bytes, char mark,
                                      const char *too_big, size_t *at)
{
    size_t from = r->scanned > r->pos ? r->scanned : r->pos;
    size_t stop =
        bytes.len - r->pos > r->limits->max_inline ? r->pos + r->limits->max_inline + 1 : bytes.len;
    const uint8_t *found = from < stop ? memchr(bytes.p + from, mark, stop - from) : NULL;
    if (found != NULL) {
        *at = (size_t)(found - bytes.p);
        r->scanned = *at;
        return RESP_READY;
    }
    r->scanned = stop;
    if (stop - r->pos > r->limits->max_inline) {
        return fail(r, "Protocol error: too big %s", too_big);
    }
    return RESP_NEED_MORE;
}

/*
 * quick_length reads "<type><1 to 9 digits>\r\n" at p, which nearly every header line is. It
 * returns the bytes taken, or 0 when the line is incomplete or in any way unusual: then read_length
 * looks at it closely.
 */
static inline size_t quick_length(const uint8_t *p, size_t len, char type, size_t *out)
{
    if (len < 4 || p[0] != type) {
        return 0;
    }
    size_t n = (size_t)p[1] - '0';
    if (n > 9) {
        return 0;
    }
    size_t i = 2;
    size_t stop = n == 0 ? 2 : len < 10 ? len : 10; /* a number that starts with 0 is 0 */
    for (; i < stop; i++) {
        size_t digit = (size_t)p[i] - '0';
        if (digit > 9) {
            break;
        }
        n = n * 10 + digit;
    }
    if (len - i < 2 || p[i] != '\r' || p[i + 1] != '\n') {
        return 0;
    }
    *out = n;
    return i + 2;
}

/* read_length reads any header line at r->pos. READY: *out is its number, r->pos is behind it. */
static enum resp_status read_length(struct resp_reader *r, struct slice bytes, const char *too_big,
                                    const char *invalid, int64_t *out)
{
    size_t cr = 0;
    enum resp_status status = find_line_end(r, bytes, '\r', too_big, &cr);
    if (status != RESP_READY) {
        return status;
    }
    if (cr + 1 == bytes.len) {
        return RESP_NEED_MORE;
    }
    struct slice digits = { bytes.p + r->pos + 1, cr - r->pos - 1 };
    if (bytes.p[cr + 1] != '\n' || slice_to_i64(digits, out) != ERR_OK) {
        return fail(r, "Protocol error: %s", invalid);
    }
    r->pos = cr + 2;
    return RESP_READY;
}

/* ---- arrays ---- */

static enum resp_status read_array_header(struct resp_reader *r, struct slice bytes)
{
    size_t n = 0;
    size_t taken = quick_length(bytes.p, bytes.len, '*', &n);
    if (taken == 0) {
        int64_t count = 0;
        enum resp_status status =
            read_length(r, bytes, "mbulk count string", "invalid multibulk length", &count);
        if (status != RESP_READY) {
            return status;
        }
        if (count > INT_MAX) {
            return fail(r, "Protocol error: invalid multibulk length");
        }
        n = count > 0 ? (size_t)count : 0; /* *0 and *-1 are empty requests */
    }
    if (n > r->limits->max_args) {
        return fail_args(r);
    }
    r->pos += taken;
    r->argc = (uint32_t)n;
    r->phase = RESP_AT_BULK;
    return RESP_READY;
}

/* fail_type words what came instead of '$'. What could upset a UTF-8 decoder is shown as '?'. */
static enum resp_status fail_type(struct resp_reader *r, uint8_t got)
{
    if (got == '\r' || got == '\n') {
        got = ' '; /* as Redis does in all its errors */
    } else if (got < 0x20 || got >= 0x7f) {
        got = '?';
    }
    return fail(r, "Protocol error: expected '$', got '%c'", got);
}

static enum resp_status read_bulk_header(struct resp_reader *r, struct slice bytes)
{
    if (r->pos == bytes.len) {
        return RESP_NEED_MORE;
    }
    if (bytes.p[r->pos] != '$') {
        return fail_type(r, bytes.p[r->pos]);
    }
    size_t n = 0;
    size_t taken = quick_length(bytes.p + r->pos, bytes.len - r->pos, '$', &n);
    if (taken == 0) {
        int64_t len = 0;
        enum resp_status status =
            read_length(r, bytes, "bulk count string", "invalid bulk length", &len);
        if (status != RESP_READY) {
            return status;
        }
        n = len < 0 ? SIZE_MAX : (size_t)len;
    }
    r->pos += taken;
    if (n > r->limits->max_bulk) {
        return fail(r, "Protocol error: invalid bulk length");
    }
    if (r->pos > r->limits->max_request || n > r->limits->max_request - r->pos) {
        return fail_request_size(r);
    }
    r->bulk_len = n;
    r->phase = RESP_IN_BULK;
    return RESP_READY;
}

static enum resp_status read_bulk(struct resp_reader *r, struct slice bytes)
{
    size_t len = r->bulk_len;
    size_t have = bytes.len - r->pos;
    if (have < len || have - len < 2) {
        return RESP_NEED_MORE;
    }
    const uint8_t *end = bytes.p + r->pos + len;
    if (end[0] != '\r' || end[1] != '\n') {
        return fail(r, "Protocol error: expected CRLF after a bulk of %zu bytes", len);
    }
    add_arg(r, (struct slice){ (const uint8_t *)(uintptr_t)r->pos, len });
    r->pos += len + 2;
    r->phase = RESP_AT_BULK;
    return RESP_READY;
}

static enum resp_status read_array(struct resp_reader *r, struct slice bytes)
{
    while (r->parsed < r->argc) {
        enum resp_status status = RESP_READY;
        if (r->phase == RESP_AT_BULK) {
            status = read_bulk_header(r, bytes);
        }
        if (status == RESP_READY) {
            status = read_bulk(r, bytes);
        }
        if (status != RESP_READY) {
            return status;
        }
    }
    /* The bytes are where they will be read now: offsets become pointers. */
    for (uint32_t i = 0; i < r->argc; i++) {
        r->argv[i].p = bytes.p + (uintptr_t)r->argv[i].p;
    }
    return RESP_READY;
}

/* ---- inline requests ---- */

/* One argument's progress: bytes are read at `at` and written to `to`, never ahead of reading. */
struct splitter {
    struct slice line;
    size_t at;
    uint8_t *to;
};

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint8_t unescaped(uint8_t c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

/* hex_pair reads two hexadecimal digits. */
static bool hex_pair(const uint8_t *p, uint8_t *out)
{
    int high = hex_digit(p[0]);
    int low = hex_digit(p[1]);
    if (high < 0 || low < 0) {
        return false;
    }
    *out = (uint8_t)(high * 16 + low);
    return true;
}

/* take_escape reads the backslash sequence at s->at, as inside double quotes. */
static void take_escape(struct splitter *s)
{
    const uint8_t *p = s->line.p + s->at;
    if (s->line.len - s->at >= 4 && p[1] == 'x' && hex_pair(p + 2, s->to)) {
        s->at += 4;
    } else {
        *s->to = unescaped(p[1]);
        s->at += 2;
    }
    s->to++;
}

/* take_quoted reads on behind an opening quote to the closing one, which must end the argument. */
static enum err take_quoted(struct splitter *s, uint8_t quote)
{
    while (s->at < s->line.len) {
        const uint8_t *p = s->line.p + s->at;
        bool escape = *p == '\\' && s->at + 1 < s->line.len;
        if (quote == '"' && escape) {
            take_escape(s);
        } else if (quote == '\'' && escape && p[1] == '\'') {
            *s->to++ = '\'';
            s->at += 2;
        } else if (*p == quote) {
            s->at++;
            return s->at == s->line.len || is_space(p[1]) ? ERR_OK : ERR_PROTOCOL;
        } else {
            *s->to++ = *p;
            s->at++;
        }
    }
    return ERR_PROTOCOL;
}

static enum err take_arg(struct splitter *s)
{
    while (s->at < s->line.len && !is_space(s->line.p[s->at])) {
        uint8_t c = s->line.p[s->at++];
        if (c == '"' || c == '\'') {
            return take_quoted(s, c);
        }
        *s->to++ = c;
    }
    return ERR_OK;
}

static enum resp_status split_line(struct resp_reader *r, struct slice line)
{
    r->inline_copy = mem_alloc(line.len);
    struct splitter s = { .line = line, .to = r->inline_copy };
    for (;;) {
        while (s.at < line.len && is_space(line.p[s.at])) {
            s.at++;
        }
        if (s.at == line.len) {
            r->argc = r->parsed;
            return RESP_READY;
        }
        if (r->parsed == r->limits->max_args) {
            return fail_args(r);
        }
        const uint8_t *start = s.to;
        if (take_arg(&s) != ERR_OK) {
            return fail(r, "Protocol error: unbalanced quotes in request");
        }
        add_arg(r, (struct slice){ start, (size_t)(s.to - start) });
    }
}

static enum resp_status read_inline(struct resp_reader *r, struct slice bytes)
{
    size_t lf = 0;
    enum resp_status status = find_line_end(r, bytes, '\n', "inline request", &lf);
    if (status != RESP_READY) {
        return status;
    }
    if (lf + 1 > r->limits->max_request) {
        return fail_request_size(r);
    }
    size_t len = lf > 0 && bytes.p[lf - 1] == '\r' ? lf - 1 : lf;
    r->pos = lf + 1;
    if (len == 0) {
        return RESP_READY; /* an empty line: argc is 0 */
    }
    return split_line(r, (struct slice){ bytes.p, len });
}

/* ---- the reader ---- */

static void begin_request(struct resp_reader *r)
{
    r->argc = 0;
    r->parsed = 0;
    r->pos = 0;
    r->scanned = 0;
    r->phase = RESP_AT_START;
    if (r->inline_copy != NULL) {
        free(r->inline_copy);
        r->inline_copy = NULL;
    }
}

static enum resp_status read_start(struct resp_reader *r, struct slice bytes)
{
    if (bytes.len == 0) {
        return RESP_NEED_MORE;
    }
    if (bytes.p[0] == '*') {
        return read_array_header(r, bytes);
    }
    r->phase = RESP_IN_INLINE;
    return RESP_READY;
}

enum resp_status resp_read(struct resp_reader *r, struct slice bytes, size_t *used)
{
    enum resp_status status = RESP_READY;
    if (r->phase == RESP_FAILED) {
        return RESP_ERROR;
    }
    if (r->phase == RESP_AT_END) {
        begin_request(r);
    }
    if (r->phase == RESP_AT_START) {
        status = read_start(r, bytes);
    }
    if (status == RESP_READY) {
        status = r->phase == RESP_IN_INLINE ? read_inline(r, bytes) : read_array(r, bytes);
    }
    if (status == RESP_READY) {
        r->phase = RESP_AT_END;
        *used = r->pos;
    }
    return status;
}

size_t resp_reader_wants(const struct resp_reader *r, size_t have)
{
    if (r->phase != RESP_IN_BULK || have < r->pos) {
        return 1;
    }
    size_t need = r->pos + r->bulk_len + 2;
    return need > have ? need - have : 1;
}
