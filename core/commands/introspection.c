/*
 * introspection: COMMAND and its subcommands, all read from the one table.
 */
#include "commands/commands.h"
#include "command_docs.h"
#include "command_keys.h"

#include <stdlib.h>
#include <string.h>

/* --- COMMAND, COMMAND INFO, COMMAND DOCS ------------------------------------------------------ */

void run_command(struct call *call)
{
    resp_array(call->reply, command_count());
    for (size_t i = 0; i < command_count(); i++) {
        command_reply_info(call->reply, command_at(i));
    }
}

void run_command_info(struct call *call)
{
    if (call->argc == 2) {
        run_command(call);
        return;
    }
    resp_array(call->reply, call->argc - 2);
    for (uint32_t i = 2; i < call->argc; i++) {
        const struct command *command = command_find_name(call->argv[i]);
        if (command != NULL) {
            command_reply_info(call->reply, command);
        } else {
            resp_null(call->reply);
        }
    }
}

static void reply_all_docs(struct call *call)
{
    resp_map(call->reply, command_count());
    for (size_t i = 0; i < command_count(); i++) {
        command_reply_docs(call->reply, command_at(i));
    }
}

/* run_command_docs leaves unknown names out. */
void run_command_docs(struct call *call)
{
    if (call->argc == 2) {
        reply_all_docs(call);
        return;
    }
    size_t known = 0;
    for (uint32_t i = 2; i < call->argc; i++) {
        known += command_find_name(call->argv[i]) != NULL;
    }
    resp_map(call->reply, known);
    for (uint32_t i = 2; i < call->argc; i++) {
        const struct command *command = command_find_name(call->argv[i]);
        if (command != NULL) {
            command_reply_docs(call->reply, command);
        }
    }
}

void run_command_count(struct call *call)
{
    resp_int(call->reply, (int64_t)command_count());
}

/* --- COMMAND LIST ----------------------------------------------------------------------------- */

enum list_filter { LIST_ALL, LIST_MODULE, LIST_CATEGORY, LIST_PATTERN };

struct filter {
    enum list_filter kind;
    struct slice pattern;
    uint32_t category;
};

static bool passes(const struct filter *filter, const struct command *command)
{
    switch (filter->kind) {
    case LIST_ALL:
        return true;
    case LIST_MODULE:
        return false;
    case LIST_CATEGORY:
        return (command->categories & filter->category) != 0;
    case LIST_PATTERN:
        return slice_glob(filter->pattern, slice_of(command->name), true);
    }
    return false;
}

static bool parse_filter(const struct call *call, struct filter *out)
{
    if (call->argc == 2) {
        return true;
    }
    if (call->argc != 5 || !call_arg_is(call, 2, "filterby")) {
        return false;
    }
    out->pattern = call->argv[4];
    if (call_arg_is(call, 3, "module")) {
        out->kind = LIST_MODULE;
    } else if (call_arg_is(call, 3, "aclcat")) {
        out->kind = LIST_CATEGORY;
        out->category = command_category_flag(call->argv[4]);
    } else if (call_arg_is(call, 3, "pattern")) {
        out->kind = LIST_PATTERN;
    } else {
        return false;
    }
    return true;
}

static size_t count_sub_passes(const struct filter *filter, const struct command *command)
{
    size_t count = 0;
    for (size_t i = 0; i < command->subcommand_count; i++) {
        count += passes(filter, &command->subcommands[i]);
    }
    return count;
}

static void reply_sub_passes(struct call *call, const struct filter *filter,
                             const struct command *command)
{
    for (size_t i = 0; i < command->subcommand_count; i++) {
        if (passes(filter, &command->subcommands[i])) {
            resp_bulk_text(call->reply, command->subcommands[i].name);
        }
    }
}

/* run_command_list: subcommands are listed as commands are, while COMMAND COUNT counts containers alone; as in Redis. */
void run_command_list(struct call *call)
{
    struct filter filter = { .kind = LIST_ALL };
    if (!parse_filter(call, &filter)) {
        reply_syntax_error(call);
        return;
    }
    size_t count = 0;
    for (size_t i = 0; i < command_count(); i++) {
        count += passes(&filter, command_at(i)) + count_sub_passes(&filter, command_at(i));
    }
    resp_array(call->reply, count);
    for (size_t i = 0; i < command_count(); i++) {
        if (passes(&filter, command_at(i))) {
            resp_bulk_text(call->reply, command_at(i)->name);
        }
        reply_sub_passes(call, &filter, command_at(i));
    }
}

/* --- COMMAND GETKEYS, COMMAND HELP -------------------------------------------------------------- */

/* resolve_inner finds the row of the command that starts at argv[2]; NULL after an error reply. */
static const struct command *resolve_inner(struct call *call)
{
    const struct slice *argv = call->argv + 2;
    uint32_t argc = call->argc - 2;
    const struct command *command = command_find(argv[0]);
    if (command != NULL && command->subcommands != NULL && argc > 1) {
        command = command_find_sub(command, argv[1]);
    }
    if (command == NULL) {
        resp_error(call->reply, "ERR Invalid command specified");
    } else if (command->first == 0 && command->keys == NULL) {
        resp_error(call->reply, "ERR The command has no key arguments");
        command = NULL;
    } else if (!command_arity_ok(command, argc)) {
        resp_error(call->reply, "ERR Invalid number of arguments specified for command");
        command = NULL;
    }
    return command;
}

/* The keys of the command behind the first two arguments, and what it does with them if that is asked. */
static void reply_keys(struct call *call, bool with_flags)
{
    const struct command *command = resolve_inner(call);
    if (command == NULL) {
        return;
    }
    const struct slice *argv = call->argv + 2;
    uint32_t argc = call->argc - 2;
    size_t count = command_keys(command, argv, argc, NULL, 0);
    if (count == 0) {
        resp_error(call->reply, "ERR Invalid arguments specified for command");
        return;
    }
    struct slice *keys = mem_alloc(count * sizeof(*keys));
    command_keys(command, argv, argc, keys, count);
    resp_array(call->reply, count);
    for (size_t i = 0; i < count; i++) {
        if (with_flags) {
            resp_array(call->reply, 2);
        }
        resp_bulk(call->reply, keys[i]);
        if (with_flags) {
            const uint32_t access = command_key_access_of(command, argv, argc, i);
            command_reply_key_access(call->reply, access & ~(uint32_t)KEY_VARIABLE);
        }
    }
    free(keys);
}

void run_command_getkeys(struct call *call)
{
    reply_keys(call, false);
}

void run_command_getkeysandflags(struct call *call)
{
    reply_keys(call, true);
}

void run_command_help(struct call *call)
{
    static const char *const lines[] = {
        "(no subcommand)",
        "    Return details about all commands.",
        "COUNT",
        "    Return the total number of commands in this server.",
        "LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]",
        "    Return a list of all commands in this server.",
        "INFO [<command-name> ...]",
        "    Return details about multiple commands.",
        "    If no command names are given, details for all commands are returned.",
        "DOCS [<command-name> ...]",
        "    Return documentation details about multiple commands.",
        "    If no command names are given, documentation details for all",
        "    commands are returned.",
        "GETKEYS <full-command>",
        "    Return the keys from a full command.",
        "GETKEYSANDFLAGS <full-command>",
        "    Return the keys and the access flags from a full command.",
    };
    reply_help(call, "COMMAND", lines, ARRAY_SIZE(lines));
}
