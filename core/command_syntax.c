/*
 * command_syntax: reads the argument notation of redis.io that rows have in `syntax`:
 *
 *     key value [key value ...] [NX | XX] [EX seconds | PX milliseconds] <A | B> [TYPE <X | Y>]
 *
 * Lower-case words are arguments, upper-case ones tokens; a token belongs to the word, block or choice behind it.
 * [ ] may be left out, < > is a choice that must be made, "x [x ...]" is x once or more.
 */
#include "command_docs.h"

#include <string.h>

/* The text being read, and where the arguments go. */
struct reader {
    struct slice rest;
    struct syntax *out;
    bool bad;
};

/* A run of siblings under construction: `last` is -1 while it is empty. */
struct siblings {
    int first;
    int last;
    int count;
};

static struct siblings parse_choice(struct reader *r, char end);

/* --- words ------------------------------------------------------------------------------- */

static char peek(struct reader *r)
{
    while (r->rest.len > 0 && r->rest.p[0] == ' ') {
        r->rest.p++;
        r->rest.len--;
    }
    return r->rest.len > 0 ? (char)r->rest.p[0] : '\0';
}

static void skip(struct reader *r, size_t n)
{
    r->rest.p += n;
    r->rest.len -= n;
}

static struct slice read_word(struct reader *r)
{
    size_t n = 0;
    while (n < r->rest.len && memchr(" []<>|", r->rest.p[n], 6) == NULL) {
        n++;
    }
    struct slice word = { r->rest.p, n };
    skip(r, n);
    r->bad |= n == 0;
    return word;
}

static bool is_token(struct slice word)
{
    return word.len > 0 && word.p[0] >= 'A' && word.p[0] <= 'Z';
}

/* word; the type that an argument of that name has; all others are strings */
static const struct {
    const char *word;
    enum syntax_type type;
} type_rows[] = {
    { "key", SYNTAX_KEY },
    { "newkey", SYNTAX_KEY },
    { "key1", SYNTAX_KEY },
    { "key2", SYNTAX_KEY },
    { "destkey", SYNTAX_KEY },
    { "sourcekey", SYNTAX_KEY },
    { "source", SYNTAX_KEY },
    { "destination", SYNTAX_KEY },
    { "pattern", SYNTAX_PATTERN },
    { "glob", SYNTAX_PATTERN },
    { "get-pattern", SYNTAX_PATTERN },
    { "by-pattern", SYNTAX_PATTERN },
    { "unix-time-seconds", SYNTAX_UNIX_TIME },
    { "unix-time-milliseconds", SYNTAX_UNIX_TIME },
    { "seconds", SYNTAX_INTEGER },
    { "milliseconds", SYNTAX_INTEGER },
    { "count", SYNTAX_INTEGER },
    { "cursor", SYNTAX_INTEGER },
    { "decrement", SYNTAX_INTEGER },
    { "increment", SYNTAX_INTEGER },
    { "offset", SYNTAX_INTEGER },
    { "bit", SYNTAX_INTEGER },
    { "len", SYNTAX_INTEGER },
    { "start", SYNTAX_INTEGER },
    { "end", SYNTAX_INTEGER },
    { "index", SYNTAX_INTEGER },
    { "destination-db", SYNTAX_INTEGER },
    { "protover", SYNTAX_INTEGER },
    { "client-id", SYNTAX_INTEGER },
    { "numkeys", SYNTAX_INTEGER },
    { "version", SYNTAX_INTEGER },
    { "index2", SYNTAX_INTEGER },
    { "index1", SYNTAX_INTEGER },
    { "timeout", SYNTAX_INTEGER },
    { "numlocal", SYNTAX_INTEGER },
    { "numreplicas", SYNTAX_INTEGER },
    { "db", SYNTAX_INTEGER },
    { "frequency", SYNTAX_INTEGER },
    { "ttl", SYNTAX_INTEGER },
    { "revision", SYNTAX_INTEGER },
};

static enum syntax_type type_of(struct slice word)
{
    for (size_t i = 0; i < ARRAY_SIZE(type_rows); i++) {
        if (slice_eq(word, slice_of(type_rows[i].word))) {
            return type_rows[i].type;
        }
    }
    return SYNTAX_STRING;
}

/* --- arguments --------------------------------------------------------------------------- */

static int add_arg(struct reader *r, enum syntax_type type, struct slice name)
{
    if (r->out->count == SYNTAX_ARGS_MAX) {
        r->bad = true;
        return 0;
    }
    int index = r->out->count++;
    r->out->args[index] =
        (struct syntax_arg){ .type = type, .name = name, .first_child = -1, .next = -1 };
    return index;
}

static void append(struct reader *r, struct siblings *list, int index)
{
    if (list->last < 0) {
        list->first = index;
    } else {
        r->out->args[list->last].next = index;
    }
    list->last = index;
    list->count++;
}

/* as_one makes one argument of a run: itself when it is one, else a block. */
static int as_one(struct reader *r, struct siblings list)
{
    if (list.count == 1) {
        return list.first;
    }
    int block = add_arg(r, SYNTAX_BLOCK, (struct slice){ NULL, 0 });
    r->out->args[block].first_child = list.first;
    return block;
}

/* bind_token gives a run that begins with a token alone to that token: [AUTH username password]. */
static struct siblings bind_token(struct reader *r, struct siblings list)
{
    struct syntax_arg *head = &r->out->args[list.first];
    if (list.count < 2 || head->type != SYNTAX_PURE_TOKEN) {
        return list;
    }
    struct siblings rest = { head->next, list.last, list.count - 1 };
    int one = as_one(r, rest);
    r->out->args[one].token = head->token;
    return (struct siblings){ one, one, 1 };
}

/* repeat_last marks the last n of a run as one that may come again: "key value [key value ...]". */
static void repeat_last(struct reader *r, struct siblings *list, int n)
{
    struct siblings tail = { list->first, list->last, n };
    int before = -1;
    for (int i = 0; i < list->count - n; i++) {
        before = tail.first;
        tail.first = r->out->args[tail.first].next;
    }
    int one = as_one(r, tail);
    r->out->args[one].multiple = true;
    if (before < 0) {
        list->first = one;
    } else {
        r->out->args[before].next = one;
    }
    list->last = one;
    list->count += 1 - n;
}

/* words_of_repeat counts the words of "[key value ...]", or returns 0 for a bracket that repeats nothing. */
static int words_of_repeat(const struct reader *r)
{
    const uint8_t *close = memchr(r->rest.p, ']', r->rest.len);
    size_t n = close != NULL ? (size_t)(close - r->rest.p) : 0;
    if (n < 4 || memcmp(close - 4, " ...", 4) != 0 || memchr(r->rest.p + 1, '[', n - 1) != NULL) {
        return 0;
    }
    int words = 0;
    for (size_t i = 0; i < n; i++) {
        words += r->rest.p[i] == ' ';
    }
    return words;
}

static void parse_bracket(struct reader *r, struct siblings *list)
{
    int words = words_of_repeat(r);
    if (words > 0 && words <= list->count) {
        skip(r, (size_t)((const uint8_t *)memchr(r->rest.p, ']', r->rest.len) - r->rest.p) + 1);
        repeat_last(r, list, words);
        return;
    }
    skip(r, 1);
    int one = as_one(r, parse_choice(r, ']'));
    r->out->args[one].optional = true;
    append(r, list, one);
}

static void parse_word(struct reader *r, struct siblings *list)
{
    struct slice word = read_word(r);
    int index = 0;
    if (is_token(word)) {
        index = add_arg(r, SYNTAX_PURE_TOKEN, word);
        r->out->args[index].token = word;
    } else {
        index = add_arg(r, type_of(word), word);
    }
    append(r, list, index);
}

/* parse_run reads siblings up to |, the end given, or the end of the text. */
static struct siblings parse_run(struct reader *r, char end)
{
    struct siblings list = { -1, -1, 0 };
    for (char c = peek(r); c != '\0' && c != '|' && c != end && !r->bad; c = peek(r)) {
        if (c == '[') {
            parse_bracket(r, &list);
        } else if (c == '<') {
            skip(r, 1);
            append(r, &list, as_one(r, parse_choice(r, '>')));
        } else {
            parse_word(r, &list);
        }
    }
    return list;
}

/* parse_choice reads runs with | between them up to the end given: one run as it is, several as a choice. */
static struct siblings parse_choice(struct reader *r, char end)
{
    struct siblings options = { -1, -1, 0 };
    struct siblings run = { -1, -1, 0 };
    bool more = true;
    while (more && !r->bad) {
        run = parse_run(r, end);
        if (run.count == 0) {
            r->bad = true;
            break;
        }
        run = bind_token(r, run);
        more = peek(r) == '|';
        if (more || options.count > 0) {
            append(r, &options, as_one(r, run));
        }
        if (more) {
            skip(r, 1);
        }
    }
    r->bad |= peek(r) != end;
    if (r->bad) {
        int none = add_arg(r, SYNTAX_STRING, (struct slice){ NULL, 0 });
        return (struct siblings){ none, none, 1 };
    }
    skip(r, 1);
    if (options.count == 0) {
        return run;
    }
    int choice = add_arg(r, SYNTAX_ONEOF, (struct slice){ NULL, 0 });
    r->out->args[choice].first_child = options.first;
    return (struct siblings){ choice, choice, 1 };
}

enum err syntax_parse(const char *text, struct syntax *out)
{
    struct reader r = { .rest = slice_of(text), .out = out };
    out->count = 0;
    out->first = -1;
    struct siblings all = parse_run(&r, '\0');
    if (r.bad || peek(&r) != '\0') {
        return ERR_INVALID;
    }
    out->first = all.first;
    return ERR_OK;
}
