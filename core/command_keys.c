/*
 * command_keys: key specs. Where keys are and what is done with them, the rows say (command_key_access); here is how Redis
 * writes that down.
 */
#include "command_keys.h"

#include <string.h>

enum { NOT_KEY = 1 << 16 }; /* beside enum key_access: a channel */

/* Keys that no position tells (SORT's BY, GET and STORE), as Redis lists them; 0: none. */
static const struct key_elsewhere {
    const char *name;
    uint32_t access[2];
} keys_elsewhere[] = {
    { "sort", { KEY_RO | KEY_ACCESS, KEY_OW | KEY_UPDATE } },
    { "sort_ro", { KEY_RO | KEY_ACCESS } },
};

static const struct key_elsewhere *elsewhere_of(const struct command *command)
{
    static const struct key_elsewhere none = { "", { 0 } };
    for (size_t i = 0; i < ARRAY_SIZE(keys_elsewhere); i++) {
        if (strcmp(keys_elsewhere[i].name, command->name) == 0) {
            return &keys_elsewhere[i];
        }
    }
    return &none;
}

static uint32_t access_of(const struct command *command, size_t i)
{
    return (command->flags & CMD_PUBSUB) != 0 ? NOT_KEY : command_key_access(command, i);
}

/* --- COMMAND INFO ------------------------------------------------------------------------------- */

static const struct {
    uint32_t bit;
    const char *name;
} access_names[] = {
    { KEY_RO, "RO" },         { KEY_RW, "RW" },
    { KEY_OW, "OW" },         { KEY_RM, "RM" },
    { KEY_ACCESS, "access" }, { KEY_UPDATE, "update" },
    { KEY_INSERT, "insert" }, { KEY_DELETE, "delete" },
    { NOT_KEY, "not_key" },   { KEY_VARIABLE, "variable_flags" },
};

void command_reply_key_access(struct resp_writer *w, uint32_t access)
{
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(access_names); i++) {
        count += (access & access_names[i].bit) != 0;
    }
    resp_set(w, count);
    for (size_t i = 0; i < ARRAY_SIZE(access_names); i++) {
        if ((access & access_names[i].bit) != 0) {
            resp_simple(w, access_names[i].name);
        }
    }
}

static void begin_spec(struct resp_writer *w, uint32_t access)
{
    resp_map(w, 3);
    resp_bulk_text(w, "flags");
    command_reply_key_access(w, access);
}

static void reply_kind(struct resp_writer *w, const char *what, const char *type, size_t pairs)
{
    resp_bulk_text(w, what);
    resp_map(w, 2);
    resp_bulk_text(w, "type");
    resp_bulk_text(w, type);
    resp_bulk_text(w, "spec");
    resp_map(w, pairs);
}

static void reply_pair(struct resp_writer *w, const char *name, int value)
{
    resp_bulk_text(w, name);
    resp_int(w, value);
}

/* `last` counts from the first key of the spec; below zero: from the end of the arguments. */
static void reply_range(struct resp_writer *w, uint32_t access, int begin, int last, int step)
{
    begin_spec(w, access);
    reply_kind(w, "begin_search", "index", 1);
    reply_pair(w, "index", begin);
    reply_kind(w, "find_keys", "range", 3);
    reply_pair(w, "lastkey", last);
    reply_pair(w, "keystep", step);
    reply_pair(w, "limit", 0);
}

/* MSETEX: a number says how many keys follow it, each with its value. */
static void reply_counted(struct resp_writer *w, uint32_t access)
{
    begin_spec(w, access);
    reply_kind(w, "begin_search", "index", 1);
    reply_pair(w, "index", 1);
    reply_kind(w, "find_keys", "keynum", 3);
    reply_pair(w, "keynumidx", 0);
    reply_pair(w, "firstkey", 1);
    reply_pair(w, "keystep", 2);
}

static void reply_unknown(struct resp_writer *w, uint32_t access)
{
    begin_spec(w, access);
    reply_kind(w, "begin_search", "unknown", 0);
    reply_kind(w, "find_keys", "unknown", 0);
}

/* reply_positions: keys that mean the same are one spec; else the first is one, and the others are another. */
static void reply_positions(struct resp_writer *w, const struct command *command)
{
    const int first = command->first;
    const int span = command->last < 0 ? command->last : command->last - first;
    if (span == 0 || access_of(command, 0) == access_of(command, 1)) {
        reply_range(w, access_of(command, 0), first, span, command->step);
        return;
    }
    reply_range(w, access_of(command, 0), first, 0, 1);
    reply_range(w, access_of(command, 1), first + 1, span < 0 ? span : span - 1, command->step);
}

static size_t count_positions(const struct command *command)
{
    if (command->first == 0) {
        return 0;
    }
    return command->last == command->first || access_of(command, 0) == access_of(command, 1) ? 1
                                                                                             : 2;
}

void command_reply_key_specs(struct resp_writer *w, const struct command *command)
{
    const struct key_elsewhere *elsewhere = elsewhere_of(command);
    const bool counted = strcmp(command->name, "msetex") == 0;
    size_t count = count_positions(command) + (size_t)counted;
    for (size_t i = 0; i < ARRAY_SIZE(elsewhere->access); i++) {
        count += elsewhere->access[i] != 0;
    }
    resp_set(w, count);
    if (counted) {
        reply_counted(w, access_of(command, 0));
    }
    if (command->first != 0) {
        reply_positions(w, command);
    }
    for (size_t i = 0; i < ARRAY_SIZE(elsewhere->access) && elsewhere->access[i] != 0; i++) {
        reply_unknown(w, elsewhere->access[i]);
    }
}
