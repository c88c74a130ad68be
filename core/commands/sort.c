/*
 * sort: SORT and SORT_RO where no key can hold what they sort: a key that is there has the wrong type, one that is not is an
 * empty list. The options are read as Redis reads them, since what is wrong with them comes first.
 */
#include "commands/commands.h"

/* word; how many arguments it has */
static const struct sort_word {
    const char *word;
    uint32_t arguments;
} sort_words[] = {
    { "asc", 0 }, { "desc", 0 }, { "alpha", 0 }, { "limit", 2 },
    { "by", 1 },  { "get", 1 },  { "store", 1 },
};

static const struct sort_word *find_word(const struct slice *argv, uint32_t argc, uint32_t i)
{
    for (size_t k = 0; k < ARRAY_SIZE(sort_words); k++) {
        if (slice_eq_nocase(argv[i], slice_of(sort_words[k].word))) {
            return argc - i - 1 >= sort_words[k].arguments ? &sort_words[k] : NULL;
        }
    }
    return NULL;
}

/* store_arg returns the position of the last STORE's argument, 0 where there is none or the options are bad. */
static uint32_t store_arg(const struct slice *argv, uint32_t argc)
{
    uint32_t found = 0;
    for (uint32_t i = 2; i < argc; i++) {
        const struct sort_word *word = find_word(argv, argc, i);
        if (word == NULL) {
            return 0;
        }
        if (word->word[0] == 's') {
            found = i + 1;
        }
        i += word->arguments;
    }
    return found;
}

/* options_ok is false after an error reply. */
static bool options_ok(struct call *call, bool may_store)
{
    for (uint32_t i = 2; i < call->argc; i++) {
        const struct sort_word *word = find_word(call->argv, call->argc, i);
        if (word == NULL || (!may_store && word->word[0] == 's')) {
            reply_syntax_error(call);
            return false;
        }
        int64_t n = 0;
        if (word->word[0] == 'l' && (!call_i64(call, i + 1, &n) || !call_i64(call, i + 2, &n))) {
            return false;
        }
        i += word->arguments;
    }
    return true;
}

size_t keys_sort(const struct slice *argv, uint32_t argc, struct slice *keys, size_t max)
{
    const uint32_t positions[] = { 1, store_arg(argv, argc) };
    size_t count = positions[1] != 0 ? 2 : 1;
    for (size_t k = 0; k < count && k < max; k++) {
        keys[k] = argv[positions[k]];
    }
    return count;
}

/* keys_sort_ro: GET and BY name keys by what the list holds; none of them is ever read here. */
size_t keys_sort_ro(const struct slice *argv, uint32_t argc, struct slice *keys, size_t max)
{
    (void)argc;
    if (max > 0) {
        keys[0] = argv[1];
    }
    return 1;
}

void needs_sort(const struct call *call)
{
    struct slice keys[2];
    size_t count = command_keys(call->command, call->argv, call->argc, keys, ARRAY_SIZE(keys));
    for (size_t k = 0; k < count; k++) {
        ws_want(call->ws, call->db, keys[k], NEED_META);
    }
}

static bool wrong_type(struct call *call)
{
    if (call_read(call, 1) == NULL) {
        return false;
    }
    resp_error(call->reply, "WRONGTYPE Operation against a key holding the wrong kind of value");
    return true;
}

/* run_sort: an empty result that is to be stored leaves no key. */
void run_sort(struct call *call)
{
    if (!options_ok(call, true) || wrong_type(call)) {
        return;
    }
    uint32_t store = store_arg(call->argv, call->argc);
    if (store == 0) {
        resp_array(call->reply, 0);
        return;
    }
    struct entry *e = call_find(call, store);
    if (e != NULL) {
        call_remove(call, store, e);
    }
    resp_int(call->reply, 0);
}

void run_sort_ro(struct call *call)
{
    if (options_ok(call, false) && !wrong_type(call)) {
        resp_array(call->reply, 0);
    }
}
