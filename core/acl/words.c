/* Words of an ACL line, with Redis's quoting. */
#include "acl/words.h"

#include <stdlib.h>

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool acl_has_spaces(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_space(s.p[i]) || s.p[i] == '\0') {
            return true;
        }
    }
    return false;
}

/* --- reading -------------------------------------------------------------------------------- */

/* A line being read: [at, line.len) is unread, [word, fill) of out->bytes is the word so far. */
struct reader {
    struct slice line;
    size_t at;
    struct acl_words *out;
    size_t fill;
};

static void put(struct reader *r, uint8_t c)
{
    r->out->bytes[r->fill++] = c;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* read_escape reads what follows a backslash inside "…"; an unknown one stands for the character itself. */
static void read_escape(struct reader *r)
{
    static const char from[] = "nrtba";
    static const char to[] = "\n\r\t\b\a";
    const struct slice rest = { r->line.p + r->at, r->line.len - r->at };
    if (rest.len >= 3 && rest.p[0] == 'x' && hex_digit(rest.p[1]) >= 0 &&
        hex_digit(rest.p[2]) >= 0) {
        put(r, (uint8_t)(hex_digit(rest.p[1]) << 4 | hex_digit(rest.p[2])));
        r->at += 3;
        return;
    }
    const char *known = rest.p[0] != '\0' ? strchr(from, rest.p[0]) : NULL;
    put(r, known != NULL ? (uint8_t)to[known - from] : rest.p[0]);
    r->at++;
}

/* read_quoted reads up to the closing quote, which must end the word. */
static enum err read_quoted(struct reader *r, uint8_t quote)
{
    while (r->at < r->line.len) {
        const uint8_t c = r->line.p[r->at++];
        if (c == quote) {
            return r->at == r->line.len || is_space(r->line.p[r->at]) ? ERR_OK : ERR_INVALID;
        }
        if (c != '\\' || r->at == r->line.len) {
            put(r, c);
        } else if (quote == '"') {
            read_escape(r);
        } else if (r->line.p[r->at] == '\'') {
            put(r, '\'');
            r->at++;
        } else {
            put(r, c);
        }
    }
    return ERR_INVALID;
}

static enum err read_word(struct reader *r)
{
    const size_t start = r->fill;
    enum err err = ERR_OK;
    while (err == ERR_OK && r->at < r->line.len && !is_space(r->line.p[r->at])) {
        const uint8_t c = r->line.p[r->at++];
        if (c == '"' || c == '\'') {
            err = read_quoted(r, c);
        } else {
            put(r, c);
        }
    }
    r->out->items[r->out->count++] = (struct slice){ r->out->bytes + start, r->fill - start };
    return err;
}

/* No line has more words than half of its bytes, and none of them is longer than it was with its quotes. */
enum err acl_words_split(struct slice line, struct acl_words *out)
{
    struct acl_words words = {
        .items = mem_alloc((line.len / 2 + 1) * sizeof(struct slice)),
        .bytes = mem_alloc(line.len + 1),
    };
    struct reader r = { .line = line, .out = &words };
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        while (r.at < line.len && is_space(line.p[r.at])) {
            r.at++;
        }
        if (r.at == line.len) {
            break;
        }
        err = read_word(&r);
    }
    if (err == ERR_OK) {
        *out = words;
    } else {
        acl_words_release(&words);
    }
    return err;
}

void acl_words_release(struct acl_words *w)
{
    free(w->items);
    free(w->bytes);
    *w = (struct acl_words){ NULL, 0, NULL };
}

/* --- parentheses ---------------------------------------------------------------------------- */

static bool ends_with(struct slice s, uint8_t c)
{
    return s.len > 0 && s.p[s.len - 1] == c;
}

static void append(uint8_t *bytes, size_t *fill, struct slice s)
{
    if (s.len > 0) {
        memcpy(bytes + *fill, s.p, s.len);
    }
    *fill += s.len;
}

enum err acl_words_merge(const struct slice *words, size_t count, struct acl_words *out,
                         struct slice *unmatched)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += words[i].len + 1;
    }
    struct acl_words merged = {
        .items = mem_alloc((count + 1) * sizeof(struct slice)),
        .bytes = mem_alloc(total + 1),
    };
    size_t fill = 0;
    const struct slice *open = NULL;
    for (size_t i = 0; i < count; i++) {
        struct slice *last = open != NULL ? &merged.items[merged.count - 1] : NULL;
        if (last == NULL) {
            last = &merged.items[merged.count++];
            *last = (struct slice){ merged.bytes + fill, 0 };
            open = words[i].len > 0 && words[i].p[0] == '(' ? &words[i] : NULL;
        } else {
            append(merged.bytes, &fill, SLICE(" "));
        }
        append(merged.bytes, &fill, words[i]);
        last->len = (size_t)(merged.bytes + fill - last->p);
        if (ends_with(words[i], ')')) {
            open = NULL;
        }
    }
    if (open != NULL) {
        *unmatched = *open;
        acl_words_release(&merged);
        return ERR_INVALID;
    }
    *out = merged;
    return ERR_OK;
}

/* --- writing -------------------------------------------------------------------------------- */

static bool needs_quotes(struct slice word)
{
    for (size_t i = 0; word.p != NULL && i < word.len; i++) {
        if (word.p[i] <= ' ' || word.p[i] == 0x7f || word.p[i] == '"' || word.p[i] == '\'') {
            return true;
        }
    }
    return word.len == 0;
}

void acl_word_write(struct buf *out, struct slice word)
{
    if (!needs_quotes(word)) {
        buf_append_slice(out, word);
        return;
    }
    buf_append(out, "\"", 1);
    for (size_t i = 0; word.p != NULL && i < word.len; i++) {
        const uint8_t c = word.p[i];
        if (c == '"' || c == '\\') {
            buf_printf(out, "\\%c", c);
        } else if (c < ' ' || c == 0x7f) {
            buf_printf(out, "\\x%02x", c);
        } else {
            buf_append(out, &c, 1);
        }
    }
    buf_append(out, "\"", 1);
}

void acl_rule_write(struct buf *out, const char *prefix, struct slice text)
{
    struct buf rule;
    buf_init(&rule, SIZE_MAX / 2);
    buf_append_slice(&rule, slice_of(prefix));
    buf_append_slice(&rule, text);
    acl_word_write(out, buf_slice(&rule));
    buf_release(&rule);
}
