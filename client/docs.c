/*
 * docs: walks the tree of COMMAND DOCS. A map is a RESP3 map or, in RESP2, an array of pairs: reply_lookup
 * reads both. Syntax is written as redis-cli and redis.io write it: [optional], a | b, key [key ...].
 * https://redis.io/docs/latest/commands/command-docs/
 */
#include "docs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One command: its name in upper case ("CONFIG", not "CONFIG|GET") and the map beside it. */
struct doc {
    struct slice name; /* owned */
    const struct reply *map;
};

struct docs {
    struct reply *reply;
    struct doc *v; /* sorted by name */
    size_t count;
};

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct doc *)a)->name, ((const struct doc *)b)->name);
}

static struct slice upper(struct slice name)
{
    struct slice copy = slice_dup(name);
    for (size_t i = 0; i < copy.len; i++) {
        ((uint8_t *)copy.p)[i] = (uint8_t)toupper(copy.p[i]);
    }
    return copy;
}

struct docs *docs_new(struct reply *reply)
{
    struct docs *d = mem_zalloc(sizeof(*d));

    d->reply = reply;
    if (reply == NULL || !reply_is_list(reply)) {
        return d;
    }
    d->v = mem_zalloc((reply->count / 2 + 1) * sizeof(*d->v));
    for (size_t i = 0; i + 1 < reply->count; i += 2) {
        if (reply->items[i].text != NULL && reply_is_list(&reply->items[i + 1])) {
            d->v[d->count++] =
                (struct doc){ upper(reply_text(&reply->items[i])), &reply->items[i + 1] };
        }
    }
    qsort(d->v, d->count, sizeof(*d->v), by_name);
    return d;
}

void docs_free(struct docs *d)
{
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < d->count; i++) {
        free((void *)d->v[i].name.p);
    }
    free(d->v);
    reply_free(d->reply);
    free(d);
}

size_t docs_count(const struct docs *d)
{
    return d->count;
}

/* reading the maps */

static struct slice text_of(const struct reply *map, const char *key)
{
    const struct reply *r = reply_lookup(map, key);
    return r != NULL && r->text != NULL ? reply_text(r) : (struct slice){ 0 };
}

static bool has_flag(const struct reply *arg, const char *flag)
{
    const struct reply *flags = reply_lookup(arg, "flags");
    for (size_t i = 0; flags != NULL && i < flags->count; i++) {
        if (flags->items[i].text != NULL &&
            slice_eq(reply_text(&flags->items[i]), slice_of(flag))) {
            return true;
        }
    }
    return false;
}

static bool is_type(const struct reply *arg, const char *type)
{
    return slice_eq(text_of(arg, "type"), slice_of(type));
}

static const struct reply *list_of(const struct reply *map, const char *key)
{
    const struct reply *r = reply_lookup(map, key);
    return r != NULL && reply_is_list(r) ? r : NULL;
}

/* "config|get" is listed under its parent with that name: what counts is behind the bar. */
static struct slice last_part(struct slice name)
{
    const uint8_t *bar = name.len == 0 ? NULL : memchr(name.p, '|', name.len);
    return bar == NULL ? name : (struct slice){ bar + 1, name.len - (size_t)(bar + 1 - name.p) };
}

static const struct reply *find_subcommand(const struct reply *map, struct slice word)
{
    const struct reply *subs = list_of(map, "subcommands");
    for (size_t i = 0; subs != NULL && i + 1 < subs->count; i += 2) {
        if (subs->items[i].text != NULL &&
            slice_eq_nocase(last_part(reply_text(&subs->items[i])), word)) {
            return &subs->items[i + 1];
        }
    }
    return NULL;
}

static const struct doc *find_doc(const struct docs *d, struct slice word)
{
    for (size_t i = 0; i < d->count; i++) {
        if (slice_eq_nocase(d->v[i].name, word)) {
            return &d->v[i];
        }
    }
    return NULL;
}

/* find_map finds the command or subcommand that the words begin with; *taken is how many words name it. */
static const struct reply *find_map(const struct docs *d, const struct slice *words, size_t count,
                                    size_t *taken)
{
    const struct doc *doc = count > 0 ? find_doc(d, words[0]) : NULL;
    const struct reply *sub = doc != NULL && count > 1 ? find_subcommand(doc->map, words[1]) : NULL;

    *taken = sub != NULL ? 2 : 1;
    return sub != NULL ? sub : doc != NULL ? doc->map : NULL;
}

/* syntax */

static void write_arg(const struct reply *arg, struct buf *out);

static void write_args(const struct reply *args, const char *between, struct buf *out)
{
    for (size_t i = 0; args != NULL && i < args->count; i++) {
        buf_printf(out, "%s", i > 0 ? between : "");
        write_arg(&args->items[i], out);
    }
}

static void write_value(const struct reply *arg, struct buf *out)
{
    if (is_type(arg, "pure-token")) {
        buf_append_slice(out, text_of(arg, "token"));
    } else if (is_type(arg, "oneof")) {
        bool brackets = !has_flag(arg, "optional");
        buf_printf(out, brackets ? "<" : "");
        write_args(list_of(arg, "arguments"), " | ", out);
        buf_printf(out, brackets ? ">" : "");
    } else if (is_type(arg, "block")) {
        write_args(list_of(arg, "arguments"), " ", out);
    } else {
        struct slice shown = text_of(arg, "display_text");
        buf_append_slice(out, shown.len > 0 ? shown : text_of(arg, "name"));
    }
}

static void write_token(const struct reply *arg, struct buf *out)
{
    struct slice token = text_of(arg, "token");
    if (token.len > 0 && !is_type(arg, "pure-token")) {
        buf_append_slice(out, token);
        buf_printf(out, " ");
    }
}

static void write_arg(const struct reply *arg, struct buf *out)
{
    bool optional = has_flag(arg, "optional");

    buf_printf(out, optional ? "[" : "");
    write_token(arg, out);
    write_value(arg, out);
    if (has_flag(arg, "multiple")) {
        buf_printf(out, " [");
        if (has_flag(arg, "multiple_token")) {
            write_token(arg, out);
        }
        write_value(arg, out);
        buf_printf(out, " ...]");
    }
    buf_printf(out, optional ? "]" : "");
}

/* hints */

/* words_needed is how many words a plain argument takes at least. */
static size_t words_needed(const struct reply *arg)
{
    const struct reply *parts = list_of(arg, "arguments");
    size_t n = 0;

    if (parts == NULL || is_type(arg, "oneof")) {
        return 1;
    }
    for (size_t i = 0; i < parts->count; i++) {
        n += words_needed(&parts->items[i]);
    }
    return n;
}

/* starts_with_token says whether the argument, or one of its parts, begins with this word as its token. */
static bool starts_with_token(const struct reply *arg, struct slice word)
{
    const struct reply *parts = list_of(arg, "arguments");
    struct slice token = text_of(arg, "token");

    if (token.len > 0) {
        return slice_eq_nocase(token, word);
    }
    for (size_t i = 0; parts != NULL && i < parts->count; i++) {
        if (starts_with_token(&parts->items[i], word)) {
            return true;
        }
    }
    return false;
}

static bool is_typed(const struct reply *arg, const struct slice *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (starts_with_token(arg, words[i])) {
            return true;
        }
    }
    return false;
}

/*
 * Required arguments are used up in their order; optional ones drop out once their token has been typed.
 * A guess that is right for nearly every command, and harmless where it is not.
 */
static void write_missing(const struct reply *args, const struct slice *words, size_t count,
                          struct buf *out)
{
    size_t pos = 0;

    for (size_t i = 0; args != NULL && i < args->count; i++) {
        const struct reply *arg = &args->items[i];
        bool optional = has_flag(arg, "optional");
        if (optional ? is_typed(arg, words + pos, count - pos) : pos < count) {
            if (!optional) {
                size_t n = words_needed(arg) + (text_of(arg, "token").len > 0);
                pos = has_flag(arg, "multiple") || n > count - pos ? count : pos + n;
            }
            if (!has_flag(arg, "multiple")) {
                continue;
            }
        }
        buf_printf(out, "%s", buf_len(out) > 0 ? " " : "");
        write_arg(arg, out);
    }
}

void docs_hint(const struct docs *d, const struct words *typed, struct buf *out)
{
    size_t taken = 0;
    const struct reply *map = find_map(d, typed->v, typed->count, &taken);

    if (map == NULL || (typed->open && typed->count <= taken)) {
        return;
    }
    const struct reply *subs = list_of(map, "subcommands");
    if (subs != NULL && taken == 1) {
        buf_printf(out, typed->count == 1 ? "subcommand" : "");
        return;
    }
    write_missing(list_of(map, "arguments"), typed->v + taken, typed->count - taken, out);
}

/* completion */

struct completion {
    struct slice prefix;
    void (*each)(struct slice candidate, void *arg);
    void *arg;
};

static void offer(const struct completion *c, struct slice candidate)
{
    struct slice front = { candidate.p, c->prefix.len };
    if (candidate.len >= c->prefix.len && slice_eq_nocase(front, c->prefix)) {
        c->each(candidate, c->arg);
    }
}

static void offer_tokens(const struct completion *c, const struct reply *args,
                         const struct slice *words, size_t count)
{
    for (size_t i = 0; args != NULL && i < args->count; i++) {
        const struct reply *arg = &args->items[i];
        struct slice token = text_of(arg, "token");
        if (has_flag(arg, "optional") && is_typed(arg, words, count)) {
            continue;
        }
        if (token.len > 0) {
            offer(c, token);
        } else {
            offer_tokens(c, list_of(arg, "arguments"), words, count);
        }
    }
}

static void offer_subcommands(const struct completion *c, const struct reply *subs)
{
    for (size_t i = 0; i + 1 < subs->count; i += 2) {
        if (subs->items[i].text != NULL) {
            struct slice name = upper(last_part(reply_text(&subs->items[i])));
            offer(c, name);
            free((void *)name.p);
        }
    }
}

void docs_complete(const struct docs *d, const struct words *typed,
                   void (*each)(struct slice candidate, void *arg), void *arg)
{
    size_t before = typed->open ? typed->count - 1 : typed->count; /* finished words */
    struct completion c = { .each = each, .arg = arg };
    size_t taken = 0;

    if (typed->open) {
        c.prefix = typed->v[before];
    }
    if (before == 0) {
        for (size_t i = 0; i < d->count; i++) {
            offer(&c, d->v[i].name);
        }
        return;
    }
    const struct reply *map = find_map(d, typed->v, before, &taken);
    const struct reply *subs = list_of(map, "subcommands");
    if (subs != NULL && before == 1) {
        offer_subcommands(&c, subs);
    } else {
        offer_tokens(&c, list_of(map, "arguments"), typed->v + taken, before - taken);
    }
}

/* help */

static void help_line(struct buf *out, const char *label, struct slice text)
{
    if (text.len > 0) {
        buf_printf(out, "  %s: ", label);
        buf_append_slice(out, text);
        buf_printf(out, "\n");
    }
}

static void write_subcommands(const struct reply *subs, struct buf *out)
{
    for (size_t i = 0; subs != NULL && i + 1 < subs->count; i += 2) {
        struct slice name = upper(last_part(reply_text(&subs->items[i])));
        buf_printf(out, "  %-14.*s ", (int)name.len, (const char *)name.p);
        buf_append_slice(out, text_of(&subs->items[i + 1], "summary"));
        buf_printf(out, "\n");
        free((void *)name.p);
    }
}

enum err docs_help(const struct docs *d, const struct slice *words, size_t count, struct buf *out)
{
    size_t taken = 0;
    const struct reply *map = find_map(d, words, count, &taken);

    if (map == NULL) {
        return ERR_NOT_FOUND;
    }
    buf_printf(out, "\n ");
    for (size_t i = 0; i < taken; i++) {
        struct slice name = upper(words[i]);
        buf_printf(out, " ");
        buf_append_slice(out, name);
        free((void *)name.p);
    }
    const struct reply *args = list_of(map, "arguments");
    buf_printf(out, args != NULL && args->count > 0 ? " " : "");
    write_args(args, " ", out);
    buf_printf(out, "\n");
    help_line(out, "summary", text_of(map, "summary"));
    help_line(out, "complexity", text_of(map, "complexity"));
    help_line(out, "since", text_of(map, "since"));
    help_line(out, "group", text_of(map, "group"));
    write_subcommands(list_of(map, "subcommands"), out);
    buf_printf(out, "\n");
    return ERR_OK;
}

void docs_list(const struct docs *d, struct buf *out)
{
    for (size_t i = 0; i < d->count; i++) {
        buf_printf(out, "  %-14.*s ", (int)d->v[i].name.len, (const char *)d->v[i].name.p);
        buf_append_slice(out, text_of(d->v[i].map, "summary"));
        buf_printf(out, "\n");
    }
}
