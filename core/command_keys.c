/*
 * command_keys: the meaning of keys. One table by name; commands that are not in it do what their flags say. It is looked
 * through from the front, which is good enough for COMMAND.
 */
#include "command_keys.h"

#include <string.h>

#define READ     (KEY_RO | KEY_ACCESS)
#define EXISTS   KEY_RO /* or its type, its length: nothing of the value itself */
#define CHANGE   (KEY_RW | KEY_ACCESS | KEY_UPDATE)
#define TOUCH_UP (KEY_RW | KEY_UPDATE) /* changed without a look */
#define REPLACE  (KEY_OW | KEY_UPDATE)
#define CREATE   (KEY_OW | KEY_INSERT)
#define ADD      (KEY_RW | KEY_INSERT)
#define TAKE     (KEY_RW | KEY_ACCESS | KEY_DELETE)
#define REMOVE   (KEY_RM | KEY_DELETE)
#define VARIABLE (CHANGE | KEY_VARIABLE_FLAGS)

/*
 * name        of the row
 * first, rest what is done with the first key, and with the others
 * elsewhere   of keys that no position tells (SORT's BY, GET and STORE), as Redis lists them; 0: none
 */
struct key_meaning {
    const char *name;
    uint32_t first;
    uint32_t rest;
    uint32_t elsewhere[2];
};

static const struct key_meaning meanings[] = {
    { "append", ADD, ADD, { 0 } },
    { "bitfield", VARIABLE, VARIABLE, { 0 } },
    { "bitop", REPLACE, READ, { 0 } },
    { "copy", READ, REPLACE, { 0 } },
    { "del", REMOVE, REMOVE, { 0 } },
    { "delex", TAKE, TAKE, { 0 } },
    { "delifeq", TAKE, TAKE, { 0 } },
    { "delifrev", REMOVE, REMOVE, { 0 } },
    { "exists", EXISTS, EXISTS, { 0 } },
    { "expire", TOUCH_UP, TOUCH_UP, { 0 } },
    { "expireat", TOUCH_UP, TOUCH_UP, { 0 } },
    { "getdel", TAKE, TAKE, { 0 } },
    { "keyinfo", EXISTS, EXISTS, { 0 } },
    { "memory|usage", EXISTS, EXISTS, { 0 } },
    { "mset", REPLACE, REPLACE, { 0 } },
    { "msetex", REPLACE, REPLACE, { 0 } },
    { "msetnx", CREATE, CREATE, { 0 } },
    { "object|encoding", EXISTS, EXISTS, { 0 } },
    { "object|freq", EXISTS, EXISTS, { 0 } },
    { "object|idletime", EXISTS, EXISTS, { 0 } },
    { "object|refcount", EXISTS, EXISTS, { 0 } },
    { "persist", TOUCH_UP, TOUCH_UP, { 0 } },
    { "pexpire", TOUCH_UP, TOUCH_UP, { 0 } },
    { "pexpireat", TOUCH_UP, TOUCH_UP, { 0 } },
    { "pfadd", ADD, ADD, { 0 } },
    { "pfcount", KEY_RW | KEY_ACCESS, KEY_RW | KEY_ACCESS, { 0 } },
    { "pfdebug", KEY_RW | KEY_ACCESS, KEY_RW | KEY_ACCESS, { 0 } },
    { "pfmerge", KEY_RW | KEY_ACCESS | KEY_INSERT, READ, { 0 } },
    { "psetex", REPLACE, REPLACE, { 0 } },
    { "rename", TAKE, REPLACE, { 0 } },
    { "renamenx", TAKE, CREATE, { 0 } },
    { "restore", REPLACE, REPLACE, { 0 } },
    { "set", VARIABLE, VARIABLE, { 0 } },
    { "setex", REPLACE, REPLACE, { 0 } },
    { "setnx", CREATE, CREATE, { 0 } },
    { "setrange", TOUCH_UP, TOUCH_UP, { 0 } },
    { "sort", READ, REPLACE, { READ, REPLACE } },
    { "sort_ro", READ, READ, { READ } },
    { "spublish", KEY_NOT_KEY, KEY_NOT_KEY, { 0 } },
    { "ssubscribe", KEY_NOT_KEY, KEY_NOT_KEY, { 0 } },
    { "strlen", EXISTS, EXISTS, { 0 } },
    { "sunsubscribe", KEY_NOT_KEY, KEY_NOT_KEY, { 0 } },
    { "touch", EXISTS, EXISTS, { 0 } },
    { "type", EXISTS, EXISTS, { 0 } },
    { "unlink", REMOVE, REMOVE, { 0 } },
    { "watch", EXISTS, EXISTS, { 0 } },
};

static struct key_meaning meaning_of(const struct command *command)
{
    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
        if (strcmp(meanings[i].name, command->name) == 0) {
            return meanings[i];
        }
    }
    const uint32_t by_flags = (command->flags & CMD_WRITE) != 0 ? CHANGE : READ;
    return (struct key_meaning){ command->name, by_flags, by_flags, { 0 } };
}

/* --- of one call ------------------------------------------------------------------------------- */

static bool has_word(const struct slice *argv, uint32_t argc, uint32_t from, const char *word)
{
    for (uint32_t i = from; i < argc; i++) {
        if (slice_eq_nocase(argv[i], slice_of(word))) {
            return true;
        }
    }
    return false;
}

/* SET shows what was there only when asked to; BITFIELD changes something only with these two. */
static uint32_t flags_by_arguments(const struct command *command, const struct slice *argv,
                                   uint32_t argc)
{
    if (strcmp(command->name, "set") == 0) {
        const bool looks = has_word(argv, argc, 3, "get") || has_word(argv, argc, 3, "ifeq");
        return looks ? CHANGE : REPLACE;
    }
    const bool changes = has_word(argv, argc, 2, "set") || has_word(argv, argc, 2, "incrby");
    return changes ? CHANGE : READ;
}

uint32_t command_key_flags(const struct command *command, const struct slice *argv, uint32_t argc,
                           size_t i)
{
    const struct key_meaning meaning = meaning_of(command);
    const uint32_t flags = i == 0 ? meaning.first : meaning.rest;
    return (flags & KEY_VARIABLE_FLAGS) != 0 ? flags_by_arguments(command, argv, argc) : flags;
}

/* --- COMMAND INFO ------------------------------------------------------------------------------- */

static const struct {
    uint32_t flag;
    const char *name;
} flag_names[] = {
    { KEY_RO, "RO" },           { KEY_RW, "RW" },
    { KEY_OW, "OW" },           { KEY_RM, "RM" },
    { KEY_ACCESS, "access" },   { KEY_UPDATE, "update" },
    { KEY_INSERT, "insert" },   { KEY_DELETE, "delete" },
    { KEY_NOT_KEY, "not_key" }, { KEY_VARIABLE_FLAGS, "variable_flags" },
};

void command_reply_key_flags(struct resp_writer *w, uint32_t flags)
{
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++) {
        count += (flags & flag_names[i].flag) != 0;
    }
    resp_set(w, count);
    for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++) {
        if ((flags & flag_names[i].flag) != 0) {
            resp_simple(w, flag_names[i].name);
        }
    }
}

static void begin_spec(struct resp_writer *w, uint32_t flags)
{
    resp_map(w, 3);
    resp_bulk_text(w, "flags");
    command_reply_key_flags(w, flags);
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
static void reply_range(struct resp_writer *w, uint32_t flags, int begin, int last, int step)
{
    begin_spec(w, flags);
    reply_kind(w, "begin_search", "index", 1);
    reply_pair(w, "index", begin);
    reply_kind(w, "find_keys", "range", 3);
    reply_pair(w, "lastkey", last);
    reply_pair(w, "keystep", step);
    reply_pair(w, "limit", 0);
}

/* MSETEX: a number says how many keys follow it, each with its value. */
static void reply_counted(struct resp_writer *w, uint32_t flags)
{
    begin_spec(w, flags);
    reply_kind(w, "begin_search", "index", 1);
    reply_pair(w, "index", 1);
    reply_kind(w, "find_keys", "keynum", 3);
    reply_pair(w, "keynumidx", 0);
    reply_pair(w, "firstkey", 1);
    reply_pair(w, "keystep", 2);
}

static void reply_unknown(struct resp_writer *w, uint32_t flags)
{
    begin_spec(w, flags);
    reply_kind(w, "begin_search", "unknown", 0);
    reply_kind(w, "find_keys", "unknown", 0);
}

/* reply_positions: keys that mean the same are one spec; else the first is one, and the others are another. */
static void reply_positions(struct resp_writer *w, const struct command *command,
                            const struct key_meaning *meaning)
{
    const int first = command->first;
    const int span = command->last < 0 ? command->last : command->last - first;
    if (meaning->first == meaning->rest || span == 0) {
        reply_range(w, meaning->first, first, span, command->step);
        return;
    }
    reply_range(w, meaning->first, first, 0, 1);
    reply_range(w, meaning->rest, first + 1, span < 0 ? span : span - 1, command->step);
}

static size_t count_positions(const struct command *command, const struct key_meaning *meaning)
{
    if (command->first == 0) {
        return 0;
    }
    return meaning->first == meaning->rest || command->last == command->first ? 1 : 2;
}

void command_reply_key_specs(struct resp_writer *w, const struct command *command)
{
    const struct key_meaning meaning = meaning_of(command);
    const bool counted = strcmp(command->name, "msetex") == 0;
    size_t count = count_positions(command, &meaning) + (size_t)counted;
    for (size_t i = 0; i < ARRAY_SIZE(meaning.elsewhere); i++) {
        count += meaning.elsewhere[i] != 0;
    }
    resp_set(w, count);
    if (counted) {
        reply_counted(w, meaning.first);
    }
    if (command->first != 0) {
        reply_positions(w, command, &meaning);
    }
    for (size_t i = 0; i < ARRAY_SIZE(meaning.elsewhere) && meaning.elsewhere[i] != 0; i++) {
        reply_unknown(w, meaning.elsewhere[i]);
    }
}
