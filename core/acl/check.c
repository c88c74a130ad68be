/* The gate's question, selector by selector. */
#include "acl/check.h"

#include <inttypes.h>
#include <stdlib.h>

enum { FEW_KEYS = 16 };

/* --- keys ----------------------------------------------------------------------------------- */

/* The keys of a call, found once for all selectors. */
struct call_keys {
    bool known;
    size_t count;
    struct slice *keys; /* few, or allocated */
    struct slice few[FEW_KEYS];
};

static void find_keys(struct call_keys *k, const struct command *command, const struct slice *argv,
                      uint32_t argc)
{
    if (k->known) {
        return;
    }
    k->known = true;
    k->keys = k->few;
    k->count = command_keys(command, argv, argc, k->few, FEW_KEYS);
    if (k->count > FEW_KEYS) {
        k->keys = mem_alloc(k->count * sizeof(*k->keys));
        command_keys(command, argv, argc, k->keys, k->count);
    }
}

static void release_keys(struct call_keys *k)
{
    if (k->known && k->keys != k->few) {
        free(k->keys);
    }
}

static uint8_t needed_access(uint32_t key_access)
{
    return (uint8_t)(((key_access & KEY_ACCESS) != 0 ? ACL_READ : 0) |
                     ((key_access & (KEY_UPDATE | KEY_INSERT | KEY_DELETE)) != 0 ? ACL_WRITE : 0));
}

/* --- channels ------------------------------------------------------------------------------- */

/* Commands that name channels: first and last argument (as key positions are given); whether they are patterns */
static const struct channel_row {
    const char *name;
    uint32_t first;
    bool to_the_end;
    bool patterns;
} channel_rows[] = {
    { "publish", 1, false, false },  { "spublish", 1, false, false },
    { "subscribe", 1, true, false }, { "ssubscribe", 1, true, false },
    { "psubscribe", 1, true, true },
};

static const struct channel_row *find_channels(const struct command *command)
{
    for (size_t i = 0; (command->flags & CMD_PUBSUB) != 0 && i < ARRAY_SIZE(channel_rows); i++) {
        if (strcmp(channel_rows[i].name, command->name) == 0) {
            return &channel_rows[i];
        }
    }
    return NULL;
}

/* --- a selector ----------------------------------------------------------------------------- */

/* One question, and the best answer so far: how far a selector came, and at which of the keys or channels it stopped. */
struct question {
    const struct command *command;
    const struct slice *argv;
    uint32_t argc;
    struct call_keys keys;
    struct acl_verdict verdict;
    size_t position;
};

static void deny(struct question *q, enum acl_denial denial, size_t position, struct slice object)
{
    if (denial > q->verdict.denial || (denial == q->verdict.denial && position > q->position)) {
        q->verdict = (struct acl_verdict){ .denial = denial, .object = object };
        q->position = position;
    }
}

static bool keys_allowed(struct question *q, const struct acl_selector *s)
{
    if (s->keys.all || (q->command->flags & CMD_PUBSUB) != 0) {
        return true; /* where a shard channel stands as a key, it is a channel all the same */
    }
    find_keys(&q->keys, q->command, q->argv, q->argc);
    for (size_t i = 0; i < q->keys.count; i++) {
        const uint32_t access = command_key_access_of(q->command, q->argv, q->argc, i);
        if (!acl_selector_allows_key(s, q->keys.keys[i], needed_access(access))) {
            deny(q, ACL_DENIED_KEY, i, q->keys.keys[i]);
            return false;
        }
    }
    return true;
}

static bool channels_allowed(struct question *q, const struct acl_selector *s)
{
    const struct channel_row *row = s->channels.all ? NULL : find_channels(q->command);
    if (row == NULL) {
        return true;
    }
    const uint32_t end = row->to_the_end ? q->argc : row->first + 1;
    for (uint32_t i = row->first; i < end && i < q->argc; i++) {
        if (!acl_selector_allows_channel(s, q->argv[i], row->patterns)) {
            deny(q, ACL_DENIED_CHANNEL, i, q->argv[i]);
            return false;
        }
    }
    return true;
}

static bool selector_allows(struct question *q, const struct acl_selector *s)
{
    if (!acl_selector_allows_command(s, q->command, q->argv, q->argc)) {
        deny(q, ACL_DENIED_COMMAND, 0, slice_of(q->command->name));
        return false;
    }
    return keys_allowed(q, s) && channels_allowed(q, s);
}

/* --- databases -------------------------------------------------------------------------------- */

/*
 * Commands that reach other databases than the selected one: arguments that are numbers; the word before one; or all of
 * them. A number that is none is the command's own error.
 */
static const struct database_row {
    const char *name;
    uint32_t args[2];
    const char *word;
    bool all;
} database_rows[] = {
    { "copy", { 0, 0 }, "db", false },   { "flushall", { 0, 0 }, NULL, true },
    { "move", { 2, 0 }, NULL, false },   { "select", { 1, 0 }, NULL, false },
    { "swapdb", { 1, 2 }, NULL, false },
};

static bool is_denied_number(const struct acl_user *user, struct slice arg,
                             struct acl_verdict *verdict)
{
    int64_t number;
    if (slice_to_i64(arg, &number) != ERR_OK || number < 0 || number > UINT16_MAX ||
        acl_user_has_database(user, (uint32_t)number)) {
        return false;
    }
    *verdict = (struct acl_verdict){ .denial = ACL_DENIED_DATABASE, .database = (uint32_t)number };
    return true;
}

static bool is_denied_row(const struct acl_user *user, const struct database_row *row,
                          const struct slice *argv, uint32_t argc, struct acl_verdict *verdict)
{
    for (size_t i = 0; i < ARRAY_SIZE(row->args); i++) {
        if (row->args[i] != 0 && row->args[i] < argc &&
            is_denied_number(user, argv[row->args[i]], verdict)) {
            return true;
        }
    }
    for (uint32_t i = 1; row->word != NULL && i + 1 < argc; i++) {
        if (slice_eq_nocase(argv[i], slice_of(row->word)) &&
            is_denied_number(user, argv[i + 1], verdict)) {
            return true;
        }
    }
    for (uint32_t number = 0; row->all; number++) {
        if (!acl_user_has_database(user, number)) {
            *verdict = (struct acl_verdict){ .denial = ACL_DENIED_DATABASE, .database = number };
            return true;
        }
    }
    return false;
}

/* What touches no entry may run anywhere; EXEC's commands have been asked about one by one. */
static bool databases_allowed(const struct acl_user *user, const struct command *command,
                              const struct slice *argv, uint32_t argc, uint32_t number,
                              struct acl_verdict *verdict)
{
    for (size_t i = 0; i < ARRAY_SIZE(database_rows); i++) {
        if (strcmp(database_rows[i].name, command->name) == 0 &&
            is_denied_row(user, &database_rows[i], argv, argc, verdict)) {
            return false;
        }
    }
    if ((command->flags & (CMD_LOCAL | CMD_EXEC)) != 0 || acl_user_has_database(user, number)) {
        return true;
    }
    *verdict = (struct acl_verdict){ .denial = ACL_DENIED_DATABASE, .database = number };
    return false;
}

/* --- questions -------------------------------------------------------------------------------- */

static struct acl_verdict ask_selectors(const struct acl_user *user, const struct command *command,
                                        const struct slice *argv, uint32_t argc)
{
    struct question q = { .command = command, .argv = argv, .argc = argc };
    size_t i = 0;
    while (i < user->selector_count && !selector_allows(&q, &user->selectors[i])) {
        i++;
    }
    release_keys(&q.keys);
    if (i < user->selector_count) {
        q.verdict = (struct acl_verdict){ .denial = ACL_ALLOWED };
    }
    return q.verdict;
}

struct acl_verdict acl_check(const struct acl_user *user, const struct command *command,
                             const struct slice *argv, uint32_t argc, uint32_t number)
{
    if (user->unlimited) {
        return (struct acl_verdict){ .denial = ACL_ALLOWED };
    }
    struct acl_verdict verdict = ask_selectors(user, command, argv, argc);
    if (verdict.denial != ACL_DENIED_COMMAND && !user->all_databases) {
        databases_allowed(user, command, argv, argc, number, &verdict);
    }
    return verdict;
}

bool acl_may_read(const struct acl_user *user, const struct command *command, struct slice key)
{
    for (size_t i = 0; i < user->selector_count; i++) {
        const struct acl_selector *s = &user->selectors[i];
        if (acl_selector_allows_command(s, command, NULL, 0) &&
            acl_selector_allows_key(s, key, ACL_READ)) {
            return true;
        }
    }
    return false;
}

bool acl_channel_allowed(const struct acl_user *user, struct slice channel, bool is_pattern)
{
    for (size_t i = 0; i < user->selector_count; i++) {
        if (acl_selector_allows_channel(&user->selectors[i], channel, is_pattern)) {
            return true;
        }
    }
    return false;
}

/* --- words ------------------------------------------------------------------------------------ */

const char *acl_denial_name(enum acl_denial denial)
{
    static const char *const names[] = {
        [ACL_ALLOWED] = "allowed",          [ACL_DENIED_COMMAND] = "command",
        [ACL_DENIED_KEY] = "key",           [ACL_DENIED_CHANNEL] = "channel",
        [ACL_DENIED_DATABASE] = "database",
    };
    return names[denial];
}

void acl_denial_text(const struct acl_verdict *verdict, struct buf *out)
{
    static const struct {
        const char *before;
        const char *after;
    } texts[] = {
        [ACL_ALLOWED] = { "", "" },
        [ACL_DENIED_COMMAND] = { "has no permissions to run the '", "' command" },
        [ACL_DENIED_KEY] = { "has no permissions to access the '", "' key" },
        [ACL_DENIED_CHANNEL] = { "has no permissions to access the '", "' channel" },
        [ACL_DENIED_DATABASE] = { "has no permissions to access database ", "" },
    };
    buf_append_slice(out, slice_of(texts[verdict->denial].before));
    if (verdict->denial == ACL_DENIED_DATABASE) {
        buf_printf(out, "%" PRIu32, verdict->database);
    } else {
        buf_append_slice(out, verdict->object);
    }
    buf_append_slice(out, slice_of(texts[verdict->denial].after));
}
