/*
 * command_docs: rows as COMMAND INFO and COMMAND DOCS show them.
 */
#include "command_docs.h"

#include "command_keys.h"
#include "command_tips.h"

#include <stdio.h>
#include <string.h>

/* --- COMMAND INFO ------------------------------------------------------------------------- */

struct bit_name {
    uint32_t bit;
    const char *name;
};

enum { MOVABLE_KEYS = 1 << 30 }; /* no flag of a row: those with a keys function show it */

/* Only what Redis has too; CMD_LOCAL and the like are dispatch's own. In the order Redis shows them. */
static const struct bit_name flag_rows[] = {
    { CMD_WRITE, "write" },
    { CMD_READONLY, "readonly" },
    { CMD_DENYOOM, "denyoom" },
    { CMD_ADMIN, "admin" },
    { CMD_PUBSUB, "pubsub" },
    { CMD_NOSCRIPT, "noscript" },
    { CMD_BLOCKING, "blocking" },
    { CMD_LOADING, "loading" },
    { CMD_STALE, "stale" },
    { CMD_SKIP_SLOWLOG, "skip_slowlog" },
    { CMD_FAST, "fast" },
    { CMD_NO_AUTH, "no_auth" },
    { CMD_NO_MULTI, "no_multi" },
    { CMD_ALLOW_BUSY, "allow_busy" },
    { MOVABLE_KEYS, "movablekeys" },
};

static const struct bit_name category_rows[] = {
    { CAT_KEYSPACE, "keyspace" },
    { CAT_READ, "read" },
    { CAT_WRITE, "write" },
    { CAT_SET, "set" },
    { CAT_SORTEDSET, "sortedset" },
    { CAT_LIST, "list" },
    { CAT_HASH, "hash" },
    { CAT_STRING, "string" },
    { CAT_BITMAP, "bitmap" },
    { CAT_HYPERLOGLOG, "hyperloglog" },
    { CAT_GEO, "geo" },
    { CAT_STREAM, "stream" },
    { CAT_PUBSUB, "pubsub" },
    { CAT_ADMIN, "admin" },
    { CAT_FAST, "fast" },
    { CAT_SLOW, "slow" },
    { CAT_BLOCKING, "blocking" },
    { CAT_DANGEROUS, "dangerous" },
    { CAT_CONNECTION, "connection" },
    { CAT_TRANSACTION, "transaction" },
    { CAT_SCRIPTING, "scripting" },
};

static void reply_bits(struct resp_writer *w, uint32_t bits, const struct bit_name *rows,
                       size_t count, const char *prefix)
{
    size_t set = 0;
    for (size_t i = 0; i < count; i++) {
        set += (bits & rows[i].bit) != 0;
    }
    resp_set(w, set);
    for (size_t i = 0; i < count; i++) {
        if ((bits & rows[i].bit) != 0) {
            char text[32];
            snprintf(text, sizeof(text), "%s%s", prefix, rows[i].name);
            resp_simple(w, text);
        }
    }
}

uint32_t command_category_flag(struct slice name)
{
    for (size_t i = 0; i < ARRAY_SIZE(category_rows); i++) {
        if (slice_eq_nocase(name, slice_of(category_rows[i].name))) {
            return category_rows[i].bit;
        }
    }
    return 0;
}

size_t command_category_count(void)
{
    return ARRAY_SIZE(category_rows);
}

const char *command_category_at(size_t i, uint32_t *bit)
{
    *bit = category_rows[i].bit;
    return category_rows[i].name;
}

void command_reply_info(struct resp_writer *w, const struct command *command)
{
    resp_array(w, 10);
    resp_bulk_text(w, command->name);
    resp_int(w, command->arity);
    uint32_t flags = command->flags | (command->keys != NULL ? MOVABLE_KEYS : 0);
    reply_bits(w, flags, flag_rows, ARRAY_SIZE(flag_rows), "");
    resp_int(w, command->first);
    resp_int(w, command->last);
    resp_int(w, command->step);
    reply_bits(w, command->categories, category_rows, ARRAY_SIZE(category_rows), "@");
    command_reply_tips(w, command);
    command_reply_key_specs(w, command);
    if (command->subcommand_count == 0) {
        resp_set(w, 0);
        return;
    }
    resp_array(w, command->subcommand_count);
    for (size_t i = 0; i < command->subcommand_count; i++) {
        command_reply_info(w, &command->subcommands[i]);
    }
}

/* --- COMMAND DOCS ------------------------------------------------------------------------- */

static const char *const type_names[] = {
    [SYNTAX_STRING] = "string",         [SYNTAX_INTEGER] = "integer",
    [SYNTAX_DOUBLE] = "double",         [SYNTAX_KEY] = "key",
    [SYNTAX_PATTERN] = "pattern",       [SYNTAX_UNIX_TIME] = "unix-time",
    [SYNTAX_PURE_TOKEN] = "pure-token", [SYNTAX_ONEOF] = "oneof",
    [SYNTAX_BLOCK] = "block",
};

/* What the reply needs to know on its way down the tree. */
struct docs {
    struct resp_writer *w;
    const struct syntax *syntax;
    const struct command *command;
    int keys_seen; /* for key_spec_index */
};

static void append_name(const struct syntax *syntax, int index, char *out, size_t *used,
                        size_t size)
{
    const struct syntax_arg *arg = &syntax->args[index];
    for (int i = arg->first_child; i >= 0; i = syntax->args[i].next) {
        append_name(syntax, i, out, used, size);
    }
    if (arg->name.len > 0 && *used + arg->name.len + 1 < size) {
        if (*used > 0) {
            out[(*used)++] = '_';
        }
        for (size_t i = 0; i < arg->name.len; i++) {
            uint8_t c = arg->name.p[i];
            out[(*used)++] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        }
    }
}

/* A choice has no name in our notation: its first option's token; what Redis calls it. */
static const struct {
    const char *token;
    const char *name;
} choice_rows[] = {
    { "NX", "condition" },  { "IFEQ", "condition" },     { "EX", "expiration" },
    { "ASYNC", "async" },   { "MODULE", "filterby" },    { "BYTE", "index_unit" },
    { "GET", "operation" }, { "WRAP", "wrap_sat_fail" }, { "SET", "write_operation" },
};

static const char *choice_name(const struct syntax *syntax, const struct syntax_arg *choice)
{
    struct slice token = syntax->args[choice->first_child].token;
    for (size_t i = 0; i < ARRAY_SIZE(choice_rows); i++) {
        if (slice_eq(token, slice_of(choice_rows[i].token))) {
            return choice_rows[i].name;
        }
    }
    return "option";
}

/* reply_name: a block is called after what it holds, as in Redis. */
static void reply_name(struct docs *d, int index)
{
    const struct syntax_arg *arg = &d->syntax->args[index];
    if (arg->type == SYNTAX_ONEOF) {
        resp_bulk_text(d->w, choice_name(d->syntax, arg));
        return;
    }
    char name[80];
    size_t used = 0;
    append_name(d->syntax, index, name, &used, sizeof(name));
    resp_bulk(d->w, (struct slice){ (const uint8_t *)name, used });
}

static void reply_args(struct docs *d, int first);

static void reply_arg_flags(struct docs *d, const struct syntax_arg *arg)
{
    resp_bulk_text(d->w, "flags");
    resp_set(d->w, (size_t)arg->optional + (size_t)arg->multiple);
    if (arg->optional) {
        resp_simple(d->w, "optional");
    }
    if (arg->multiple) {
        resp_simple(d->w, "multiple");
    }
}

static void reply_arg(struct docs *d, int index)
{
    const struct syntax_arg *arg = &d->syntax->args[index];
    bool key = arg->type == SYNTAX_KEY && d->command->first != 0;
    bool flags = arg->optional || arg->multiple;
    size_t pairs = 2 + (size_t)key + (arg->token.len > 0) + (size_t)flags + (arg->first_child >= 0);
    resp_map(d->w, pairs);
    resp_bulk_text(d->w, "name");
    reply_name(d, index);
    resp_bulk_text(d->w, "type");
    resp_bulk_text(d->w, type_names[arg->type]);
    if (key) {
        resp_bulk_text(d->w, "key_spec_index");
        resp_int(d->w, d->keys_seen++);
    }
    if (arg->token.len > 0) {
        resp_bulk_text(d->w, "token");
        resp_bulk(d->w, arg->token);
    }
    if (flags) {
        reply_arg_flags(d, arg);
    }
    if (arg->first_child >= 0) {
        resp_bulk_text(d->w, "arguments");
        reply_args(d, arg->first_child);
    }
}

static void reply_args(struct docs *d, int first)
{
    size_t count = 0;
    for (int i = first; i >= 0; i = d->syntax->args[i].next) {
        count++;
    }
    resp_array(d->w, count);
    for (int i = first; i >= 0; i = d->syntax->args[i].next) {
        reply_arg(d, i);
    }
}

static void reply_text_pair(struct resp_writer *w, const char *name, const char *text)
{
    resp_bulk_text(w, name);
    resp_bulk_text(w, text);
}

void command_reply_docs(struct resp_writer *w, const struct command *command)
{
    struct syntax syntax;
    if (syntax_parse(command->syntax, &syntax) != ERR_OK) {
        syntax.first = -1; /* a test parses every row: this is not reached */
    }
    bool args = syntax.first >= 0;
    bool subs = command->subcommand_count > 0;
    resp_bulk_text(w, command->name);
    resp_map(w, 4 + (size_t)args + (size_t)subs);
    reply_text_pair(w, "summary", command->summary);
    reply_text_pair(w, "since", command->since);
    reply_text_pair(w, "group", command->group);
    reply_text_pair(w, "complexity", command->complexity);
    if (args) {
        struct docs d = { .w = w, .syntax = &syntax, .command = command };
        resp_bulk_text(w, "arguments");
        reply_args(&d, syntax.first);
    }
    if (subs) {
        resp_bulk_text(w, "subcommands");
        resp_map(w, command->subcommand_count);
        for (size_t i = 0; i < command->subcommand_count; i++) {
            command_reply_docs(w, &command->subcommands[i]);
        }
    }
}
