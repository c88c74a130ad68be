/*
 * command_table: what is done with the rows: lookup by name, the gates that need nothing but the row, and the keys
 * of a call. The rows themselves are in rows/, in order in command_rows.c.
 */
#include "command_table.h"
#include "command_refused.h"

#include <string.h>

enum { NAME_MAX_LENGTH = 32 }; /* longer than any command's name */

/* --- lookup ----------------------------------------------------------------------------- */

/* Compares as strcmp does, where a was lower-cased before: a < 0, equal 0, greater > 0. */
static int compare_name(struct slice lower, const char *name)
{
    for (size_t i = 0; i < lower.len; i++) {
        int diff = lower.p[i] - (unsigned char)name[i];
        if (diff != 0) {
            return diff; /* also where name is the shorter one: its NUL is below any byte of ours but NUL */
        }
        if (name[i] == '\0') {
            return 1; /* outsiders' NUL against the end of the name */
        }
    }
    return name[lower.len] == '\0' ? 0 : -1;
}

static uint8_t lower_byte(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

const struct command *command_find(struct slice name)
{
    uint8_t lower[NAME_MAX_LENGTH];
    if (name.len > sizeof(lower)) {
        return NULL;
    }
    for (size_t i = 0; i < name.len; i++) {
        lower[i] = lower_byte(name.p[i]);
    }
    size_t low = 0;
    size_t high = command_count();
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct command *command = command_at(middle);
        int order = compare_name((struct slice){ lower, name.len }, command->name);
        if (order == 0) {
            return command;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const struct command *command_find_sub(const struct command *container, struct slice name)
{
    size_t prefix = strlen(container->name) + 1; /* "client|" */
    for (size_t i = 0; i < container->subcommand_count; i++) {
        const struct command *sub = &container->subcommands[i];
        if (slice_eq_nocase(name, slice_of(sub->name + prefix))) {
            return sub;
        }
    }
    return NULL;
}

const struct command *command_find_name(struct slice name)
{
    const uint8_t *bar = name.len > 0 ? memchr(name.p, '|', name.len) : NULL;
    if (bar == NULL) {
        return command_find(name);
    }
    size_t n = (size_t)(bar - name.p);
    const struct command *container = command_find((struct slice){ name.p, n });
    if (container == NULL) {
        return NULL;
    }
    return command_find_sub(container, (struct slice){ bar + 1, name.len - n - 1 });
}

/* --- gates ------------------------------------------------------------------------------ */

/* Redis shows no more of what it does not know (commandCheckExistence). */
enum { SHOWN_MOST = 128 };

/* shown_length: as for a C string, since that is how Redis prints it. */
static size_t shown_length(struct slice s, size_t most)
{
    return s.len == 0 ? 0 : strnlen((const char *)s.p, s.len < most ? s.len : most);
}

static void reply_unknown(const struct slice *argv, uint32_t argc, struct resp_writer *reply)
{
    char args[SHOWN_MOST + 3];
    size_t used = 0;
    for (uint32_t i = 1; i < argc && used < SHOWN_MOST; i++) {
        size_t n = shown_length(argv[i], SHOWN_MOST - used);
        args[used] = '\'';
        memcpy(args + used + 1, argv[i].p, n);
        args[used + 1 + n] = '\'';
        args[used + 2 + n] = ' ';
        used += n + 3;
    }
    resp_error(reply, "ERR unknown command '%.*s', with args beginning with: %.*s",
               (int)shown_length(argv[0], SHOWN_MOST), (const char *)argv[0].p, (int)used, args);
}

static void reply_unknown_sub(const struct command *container, struct slice name,
                              struct resp_writer *reply)
{
    char upper[NAME_MAX_LENGTH] = { 0 };
    for (size_t i = 0; i < sizeof(upper) - 1 && container->name[i] != '\0'; i++) {
        char c = container->name[i];
        upper[i] = c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
    }
    resp_error(reply, "ERR unknown subcommand '%.*s'. Try %s HELP.",
               (int)shown_length(name, SHOWN_MOST), (const char *)name.p, upper);
}

bool command_arity_ok(const struct command *command, uint32_t argc)
{
    return command->arity >= 0 ? argc == (uint32_t)command->arity
                               : argc >= (uint32_t)-command->arity;
}

const struct command *command_resolve(const struct slice *argv, uint32_t argc,
                                      struct resp_writer *reply)
{
    const struct command *command = command_find(argv[0]);
    if (command == NULL) {
        if (!command_reply_refused(argv[0], (struct slice){ NULL, 0 }, reply)) {
            reply_unknown(argv, argc, reply);
        }
        return NULL;
    }
    if (command->subcommands != NULL && argc > 1) {
        const struct command *sub = command_find_sub(command, argv[1]);
        if (sub == NULL) {
            if (!command_reply_refused(argv[0], argv[1], reply)) {
                reply_unknown_sub(command, argv[1], reply);
            }
            return NULL;
        }
        command = sub;
    }
    if (!command_arity_ok(command, argc)) {
        reply_wrong_arity(reply, command);
        return NULL;
    }
    return command;
}

/* --- keys ------------------------------------------------------------------------------- */

/* key_end returns the position after the last key; positions below zero count from the end. */
static uint32_t key_end(const struct command *command, uint32_t argc)
{
    int64_t last = command->last < 0 ? (int64_t)argc + command->last : command->last;
    return last < (int64_t)argc ? (uint32_t)(last + 1) : argc;
}

void command_needs(const struct call *call)
{
    const struct command *command = call->command;
    if (command->needs != NULL) {
        command->needs(call);
        return;
    }
    if (command->first == 0) {
        return;
    }
    uint32_t end = key_end(command, call->argc);
    for (uint32_t i = (uint32_t)command->first; i < end; i += (uint32_t)command->step) {
        ws_want(call->ws, call->db, call->argv[i], command->need);
    }
}

/* A shard channel stands where a key would, for clients of a cluster; it is none. */
static bool has_channels_for_keys(const struct command *command)
{
    return (command->flags & CMD_PUBSUB) != 0;
}

size_t command_keys(const struct command *command, const struct slice *argv, uint32_t argc,
                    struct slice *keys, size_t max)
{
    size_t count = 0;
    if (command->keys != NULL) {
        return command->keys(argv, argc, keys, max);
    }
    if (command->first == 0 || has_channels_for_keys(command)) {
        return 0;
    }
    uint32_t end = key_end(command, argc);
    for (uint32_t i = (uint32_t)command->first; i < end; i += (uint32_t)command->step) {
        if (count < max) {
            keys[count] = argv[i];
        }
        count++;
    }
    return count;
}

/* --- what is done with keys --------------------------------------------------------------- */

uint32_t command_key_access(const struct command *command, size_t i)
{
    uint32_t access =
        i > 0 && command->rest_access != 0 ? command->rest_access : command->first_access;
    if (access != 0) {
        return access;
    }
    return (command->flags & CMD_WRITE) != 0 ? KEY_RW | KEY_ACCESS | KEY_UPDATE
                                             : KEY_RO | KEY_ACCESS;
}

/* For KEY_VARIABLE: name; from which argument on; the words that make it the most; what it is without them */
static const struct variable_access {
    const char *name;
    uint32_t from;
    const char *words[6];
    uint32_t less;
} variable_accesses[] = {
    /* Whether a value is as expected can be told from the reply: that is reading. */
    { "set", 3, { "get", "ifeq", "ifne", "ifdeq", "ifdne" }, KEY_OW | KEY_UPDATE },
    { "bitfield", 2, { "set", "incrby" }, KEY_RO | KEY_ACCESS },
    { "delex", 2, { "ifeq", "ifne", "ifdeq", "ifdne" }, KEY_RM | KEY_DELETE },
};

static bool has_word(const struct variable_access *v, const struct slice *argv, uint32_t argc)
{
    for (uint32_t i = v->from; i < argc; i++) {
        for (const char *const *word = v->words; *word != NULL; word++) {
            if (slice_eq_nocase(argv[i], slice_of(*word))) {
                return true;
            }
        }
    }
    return false;
}

uint32_t command_key_access_of(const struct command *command, const struct slice *argv,
                               uint32_t argc, size_t i)
{
    uint32_t most = command_key_access(command, i);
    if ((most & KEY_VARIABLE) == 0) {
        return most;
    }
    for (size_t v = 0; v < ARRAY_SIZE(variable_accesses); v++) {
        if (strcmp(variable_accesses[v].name, command->name) == 0 &&
            !has_word(&variable_accesses[v], argv, argc)) {
            return variable_accesses[v].less;
        }
    }
    return most;
}

/* --- shared by many commands ------------------------------------------------------------ */

void reply_wrong_arity(struct resp_writer *reply, const struct command *command)
{
    /* Redis throws the transaction away when EXEC itself is malformed, and says so even without one. */
    const char *code =
        (command->flags & CMD_EXEC) != 0 ? "EXECABORT Transaction discarded because of:" : "ERR";
    resp_error(reply, "%s wrong number of arguments for '%s' command", code, command->name);
}

void reply_syntax_error(struct call *call)
{
    resp_error(call->reply, "ERR syntax error");
}

void reply_not_integer(struct call *call)
{
    resp_error(call->reply, "ERR value is not an integer or out of range");
}

bool call_i64(struct call *call, uint32_t i, int64_t *out)
{
    if (slice_to_i64(call->argv[i], out) != ERR_OK) {
        reply_not_integer(call);
        return false;
    }
    return true;
}

bool call_arg_is(const struct call *call, uint32_t i, const char *word)
{
    return slice_eq_nocase(call->argv[i], slice_of(word));
}
