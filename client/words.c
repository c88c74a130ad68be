/* words: see words.h. The same rules as Redis's sdssplitargs, written as one small state machine. */
#include "words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct splitter {
    struct slice line;
    size_t pos;
    struct buf word;
    struct words *out;
};

static int hex_value(uint8_t c)
{
    return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

static void put(struct splitter *s, uint8_t c)
{
    buf_append(&s->word, &c, 1);
}

static uint8_t at(const struct splitter *s, size_t ahead)
{
    return s->pos + ahead < s->line.len ? s->line.p[s->pos + ahead] : 0;
}

static bool ended(const struct splitter *s)
{
    return s->pos >= s->line.len;
}

/* escape reads what stands behind a backslash inside double quotes. */
static void escape(struct splitter *s)
{
    static const char from[] = "nrtba";
    static const char to[] = "\n\r\t\b\a";

    if (at(s, 1) == 'x' && isxdigit(at(s, 2)) && isxdigit(at(s, 3))) {
        put(s, (uint8_t)(hex_value(at(s, 2)) * 16 + hex_value(at(s, 3))));
        s->pos += 4;
        return;
    }
    const char *known = at(s, 1) == 0 ? NULL : strchr(from, at(s, 1));
    put(s, known != NULL ? (uint8_t)to[known - from] : at(s, 1));
    s->pos += 2;
}

/* quoted reads from an opening quote to behind the closing one; ERR_INVALID when there is none. */
static enum err quoted(struct splitter *s)
{
    uint8_t quote = at(s, 0);

    for (s->pos++; !ended(s);) {
        if (at(s, 0) == quote) {
            s->pos++;
            return ended(s) || isspace(at(s, 0)) ? ERR_OK : ERR_INVALID;
        }
        bool last = s->pos + 1 >= s->line.len;
        if (quote == '"' && at(s, 0) == '\\' && !last) {
            escape(s);
        } else if (quote == '\'' && at(s, 0) == '\\' && at(s, 1) == '\'') {
            put(s, '\'');
            s->pos += 2;
        } else {
            put(s, at(s, 0));
            s->pos++;
        }
    }
    return ERR_INVALID;
}

static enum err one_word(struct splitter *s)
{
    while (!ended(s) && !isspace(at(s, 0))) {
        if (at(s, 0) == '"' || at(s, 0) == '\'') {
            return quoted(s);
        }
        put(s, at(s, 0));
        s->pos++;
    }
    return ERR_OK;
}

static void add_word(struct splitter *s)
{
    struct words *w = s->out;
    w->v = mem_realloc(w->v, (w->count + 1) * sizeof(*w->v));
    w->v[w->count++] = slice_dup(buf_slice(&s->word));
    buf_clear(&s->word);
}

static enum err split(struct slice line, struct words *out, bool partial)
{
    struct splitter s = { .line = line, .out = out };
    enum err err = ERR_OK;

    *out = (struct words){ 0 };
    buf_init(&s.word, SIZE_MAX / 2);
    for (;;) {
        while (!ended(&s) && isspace(at(&s, 0))) {
            s.pos++;
        }
        if (ended(&s)) {
            break;
        }
        err = one_word(&s);
        if (err != ERR_OK && !partial) {
            break;
        }
        add_word(&s);
        out->open = ended(&s) && (err != ERR_OK || !isspace(line.p[line.len - 1]));
    }
    buf_release(&s.word);
    if (err != ERR_OK && !partial) {
        words_release(out);
        return err;
    }
    return ERR_OK;
}

enum err words_split(struct slice line, struct words *out)
{
    return split(line, out, false);
}

void words_split_partial(struct slice line, struct words *out)
{
    (void)!split(line, out, true);
}

void words_release(struct words *w)
{
    for (size_t i = 0; i < w->count; i++) {
        free((void *)w->v[i].p);
    }
    free(w->v);
    *w = (struct words){ 0 };
}
