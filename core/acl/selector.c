/* Permissions of a selector: the rules that set them, and the questions that the gate asks. */
#include "acl/selector.h"

#include <stdlib.h>

#include "acl/words.h"
#include "command_docs.h"

static const char *const unknown_name = "Unknown command or category name in ACL";
static const char *const bad_syntax = "Syntax error";
static const char *const after_all_keys =
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. "
    "Try 'resetkeys' to start with an empty list of patterns";
static const char *const after_all_channels =
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. "
    "Try 'resetchannels' to start with an empty list of channels";

/* --- patterns ------------------------------------------------------------------------------- */

static void clear_patterns(struct acl_patterns *p, bool all)
{
    for (size_t i = 0; i < p->count; i++) {
        free((void *)p->items[i].text.p);
    }
    free(p->items);
    *p = (struct acl_patterns){ .all = all };
}

/* add_pattern widens the access of one that is there already. */
static void add_pattern(struct acl_patterns *p, struct slice text, uint8_t access)
{
    for (size_t i = 0; i < p->count; i++) {
        if (slice_eq(p->items[i].text, text)) {
            p->items[i].access |= access;
            return;
        }
    }
    p->items = mem_realloc(p->items, (p->count + 1) * sizeof(*p->items));
    p->items[p->count++] = (struct acl_pattern){ slice_dup(text), access };
}

static void copy_patterns(const struct acl_patterns *from, struct acl_patterns *to)
{
    *to = (struct acl_patterns){ .all = from->all };
    for (size_t i = 0; i < from->count; i++) {
        add_pattern(to, from->items[i].text, from->items[i].access);
    }
}

/* --- first arguments ------------------------------------------------------------------------ */

static void add_first_arg(struct acl_selector *s, size_t command, struct slice arg)
{
    for (size_t i = 0; i < s->first_arg_count; i++) {
        if (s->first_args[i].command == command && slice_eq_nocase(s->first_args[i].arg, arg)) {
            return;
        }
    }
    s->first_args = mem_realloc(s->first_args, (s->first_arg_count + 1) * sizeof(*s->first_args));
    s->first_args[s->first_arg_count++] = (struct acl_first_arg){ command, slice_dup(arg) };
}

static void drop_first_args(struct acl_selector *s, size_t command)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->first_arg_count; i++) {
        if (s->first_args[i].command == command) {
            free((void *)s->first_args[i].arg.p);
        } else {
            s->first_args[kept++] = s->first_args[i];
        }
    }
    s->first_arg_count = kept;
}

static void drop_all_first_args(struct acl_selector *s)
{
    for (size_t i = 0; i < s->first_arg_count; i++) {
        free((void *)s->first_args[i].arg.p);
    }
    free(s->first_args);
    s->first_args = NULL;
    s->first_arg_count = 0;
}

/* --- lifetime ------------------------------------------------------------------------------- */

void acl_selector_init(struct acl_selector *s)
{
    *s = (struct acl_selector){ .all_commands = false };
}

void acl_selector_release(struct acl_selector *s)
{
    clear_patterns(&s->keys, false);
    clear_patterns(&s->channels, false);
    drop_all_first_args(s);
}

void acl_selector_copy(const struct acl_selector *from, struct acl_selector *to)
{
    *to = *from;
    copy_patterns(&from->keys, &to->keys);
    copy_patterns(&from->channels, &to->channels);
    to->first_args = NULL;
    to->first_arg_count = 0;
    for (size_t i = 0; i < from->first_arg_count; i++) {
        add_first_arg(to, from->first_args[i].command, from->first_args[i].arg);
    }
}

/* --- commands ------------------------------------------------------------------------------- */

static void set_bit(struct acl_selector *s, const struct command *command, bool allow)
{
    const size_t id = command_id(command);
    const uint64_t bit = UINT64_C(1) << (id % 64);
    if (allow) {
        s->commands[id / 64] |= bit;
    } else {
        s->commands[id / 64] &= ~bit;
        s->all_commands = false;
    }
}

void acl_selector_set_command(struct acl_selector *s, const struct command *command, bool allow)
{
    set_bit(s, command, allow);
    drop_first_args(s, command_id(command));
    for (size_t i = 0; i < command->subcommand_count; i++) {
        set_bit(s, &command->subcommands[i], allow);
    }
}

void acl_selector_set_category(struct acl_selector *s, uint32_t category, bool allow)
{
    for (size_t id = 0; id < command_id_count(); id++) {
        if ((command_by_id(id)->categories & category) != 0) {
            acl_selector_set_command(s, command_by_id(id), allow);
        }
    }
}

static void set_all_commands(struct acl_selector *s, bool allow)
{
    memset(s->commands, allow ? 0xff : 0, sizeof(s->commands));
    s->all_commands = s->from_all = allow;
    drop_all_first_args(s);
}

static const char *apply_category(struct acl_selector *s, struct slice name, bool allow)
{
    const uint32_t category = command_category_flag(name);
    if (category == 0) {
        return unknown_name;
    }
    acl_selector_set_category(s, category, allow);
    return NULL;
}

/* allow_part reads "config|get" or "select|0": all but the last part are a name that must be there. */
static const char *allow_part(struct acl_selector *s, struct slice rule, size_t bar)
{
    const struct command *command = command_find_name((struct slice){ rule.p, bar });
    const struct slice part = { rule.p + bar + 1, rule.len - bar - 1 };
    if (command == NULL) {
        return unknown_name;
    }
    if (command_id(command) >= command_count()) {
        return "Allowing first-arg of a subcommand is not supported";
    }
    if (part.len == 0) {
        return bad_syntax;
    }
    if (command->subcommands == NULL) {
        add_first_arg(s, command_id(command), part);
        return NULL;
    }
    const struct command *sub = command_find_sub(command, part);
    if (sub == NULL) {
        return unknown_name;
    }
    acl_selector_set_command(s, sub, true);
    return NULL;
}

static const char *apply_command(struct acl_selector *s, struct slice name, bool allow)
{
    if (name.len > 0 && name.p[0] == '@') {
        return apply_category(s, (struct slice){ name.p + 1, name.len - 1 }, allow);
    }
    size_t bar = name.len;
    while (bar > 0 && name.p[bar - 1] != '|') {
        bar--;
    }
    if (allow && bar > 0) {
        return allow_part(s, name, bar - 1);
    }
    const struct command *command = command_find_name(name);
    if (command == NULL) {
        return unknown_name;
    }
    acl_selector_set_command(s, command, allow);
    return NULL;
}

/* --- keys and channels ------------------------------------------------------------------------ */

/* key_access reads the letters of "%RW~"; returns where the pattern starts, 0 when they are wrong. */
static size_t key_access(struct slice rule, uint8_t *access)
{
    *access = rule.p[0] == '~' ? ACL_READ_WRITE : 0;
    for (size_t i = 1; rule.p[0] == '%' && i < rule.len; i++) {
        const uint8_t c = rule.p[i];
        const uint8_t bit = c == 'r' || c == 'R' ? ACL_READ : c == 'w' || c == 'W' ? ACL_WRITE : 0;
        if (c == '~') {
            return *access != 0 ? i + 1 : 0;
        }
        if (bit == 0 || (*access & bit) != 0) {
            return 0;
        }
        *access |= bit;
    }
    return rule.p[0] == '~' ? 1 : 0;
}

static const char *apply_key(struct acl_selector *s, struct slice rule)
{
    uint8_t access;
    if (s->keys.all) {
        return after_all_keys;
    }
    const size_t start = key_access(rule, &access);
    const struct slice pattern = { rule.p + start, rule.len - start };
    if (start == 0 || acl_has_spaces(pattern)) {
        return bad_syntax;
    }
    add_pattern(&s->keys, pattern, access);
    return NULL;
}

static const char *apply_channel(struct acl_selector *s, struct slice rule)
{
    const struct slice pattern = { rule.p + 1, rule.len - 1 };
    if (s->channels.all) {
        return after_all_channels;
    }
    if (acl_has_spaces(pattern)) {
        return bad_syntax;
    }
    add_pattern(&s->channels, pattern, 0);
    return NULL;
}

/* --- rules ---------------------------------------------------------------------------------- */

enum word_effect { KEYS_ALL, KEYS_NONE, CHANNELS_ALL, CHANNELS_NONE, COMMANDS_ALL, COMMANDS_NONE };

static const struct {
    const char *word;
    enum word_effect effect;
} word_rows[] = {
    { "allkeys", KEYS_ALL },         { "~*", KEYS_ALL },        { "resetkeys", KEYS_NONE },
    { "allchannels", CHANNELS_ALL }, { "&*", CHANNELS_ALL },    { "resetchannels", CHANNELS_NONE },
    { "allcommands", COMMANDS_ALL }, { "+@all", COMMANDS_ALL }, { "nocommands", COMMANDS_NONE },
    { "-@all", COMMANDS_NONE },
};

static bool apply_word(struct acl_selector *s, struct slice rule)
{
    size_t i = 0;
    while (i < ARRAY_SIZE(word_rows) && !slice_eq_nocase(rule, slice_of(word_rows[i].word))) {
        i++;
    }
    if (i == ARRAY_SIZE(word_rows)) {
        return false;
    }
    switch (word_rows[i].effect) {
    case KEYS_ALL:
    case KEYS_NONE:
        clear_patterns(&s->keys, word_rows[i].effect == KEYS_ALL);
        break;
    case CHANNELS_ALL:
    case CHANNELS_NONE:
        clear_patterns(&s->channels, word_rows[i].effect == CHANNELS_ALL);
        break;
    case COMMANDS_ALL:
    case COMMANDS_NONE:
        set_all_commands(s, word_rows[i].effect == COMMANDS_ALL);
        break;
    }
    return true;
}

const char *acl_selector_apply(struct acl_selector *s, struct slice rule)
{
    if (rule.len == 0 || apply_word(s, rule)) {
        return NULL;
    }
    const struct slice rest = { rule.p + 1, rule.len - 1 };
    switch (rule.p[0]) {
    case '~':
    case '%':
        return apply_key(s, rule);
    case '&':
        return apply_channel(s, rule);
    case '+':
        return apply_command(s, rest, true);
    case '-':
        return apply_command(s, rest, false);
    default:
        return bad_syntax;
    }
}

/* --- questions -------------------------------------------------------------------------------- */

static bool allows_first_arg(const struct acl_selector *s, size_t command, struct slice arg)
{
    for (size_t i = 0; i < s->first_arg_count; i++) {
        if (s->first_args[i].command == command && slice_eq_nocase(s->first_args[i].arg, arg)) {
            return true;
        }
    }
    return false;
}

bool acl_selector_allows_command(const struct acl_selector *s, const struct command *command,
                                 const struct slice *argv, uint32_t argc)
{
    const size_t id = command_id(command);
    return s->all_commands || acl_selector_bit(s, id) || (command->flags & CMD_NO_AUTH) != 0 ||
           (argc > 1 && allows_first_arg(s, id, argv[1]));
}

bool acl_selector_allows_key(const struct acl_selector *s, struct slice key, uint8_t need)
{
    for (size_t i = 0; !s->keys.all && i < s->keys.count; i++) {
        if ((s->keys.items[i].access & need) == need &&
            slice_glob(s->keys.items[i].text, key, false)) {
            return true;
        }
    }
    return s->keys.all;
}

bool acl_selector_allows_channel(const struct acl_selector *s, struct slice channel,
                                 bool is_pattern)
{
    for (size_t i = 0; !s->channels.all && i < s->channels.count; i++) {
        const struct slice text = s->channels.items[i].text;
        if (is_pattern ? slice_eq(text, channel) : slice_glob(text, channel, false)) {
            return true;
        }
    }
    return s->channels.all;
}
