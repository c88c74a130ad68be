/*
 * set_options: one table for the words of SET, GETEX and MSETEX.
 */
#include "commands/set_options.h"

/* word; what it sets; what must not have been given beside it; who takes it; what its argument is */
static const struct set_word {
    const char *word;
    unsigned flag;
    unsigned excludes;
    unsigned commands;
    struct expiry_unit unit;   /* SET_EXPIRY */
    enum compare_kind compare; /* SET_COMPARE */
} set_words[] = {
    { "nx", SET_NX, SET_CONDITION, FOR_SET | FOR_MSETEX, { 0 }, 0 },
    { "xx", SET_XX, SET_CONDITION, FOR_SET | FOR_MSETEX, { 0 }, 0 },
    { "get", SET_GET, 0, FOR_SET, { 0 }, 0 },
    { "keepttl", SET_KEEPTTL, SET_LIFETIME, FOR_SET | FOR_MSETEX, { 0 }, 0 },
    { "persist", SET_PERSIST, SET_LIFETIME, FOR_GETEX, { 0 }, 0 },
    { "ex", SET_EX, SET_LIFETIME, FOR_ALL, { .seconds = true }, 0 },
    { "px", SET_PX, SET_LIFETIME, FOR_ALL, { 0 }, 0 },
    { "exat", SET_EXAT, SET_LIFETIME, FOR_ALL, { .seconds = true, .absolute = true }, 0 },
    { "pxat", SET_PXAT, SET_LIFETIME, FOR_ALL, { .absolute = true }, 0 },
    { "ifeq", SET_IFEQ, SET_CONDITION, FOR_SET, { 0 }, COMPARE_EQUAL },
    { "ifne", SET_IFNE, SET_CONDITION, FOR_SET, { 0 }, COMPARE_NOT_EQUAL },
    { "ifdeq", SET_IFDEQ, SET_CONDITION, FOR_SET, { 0 }, COMPARE_DIGEST },
    { "ifdne", SET_IFDNE, SET_CONDITION, FOR_SET, { 0 }, COMPARE_NOT_DIGEST },
    { "ifrev", SET_IFREV, SET_CONDITION, FOR_SET, { 0 }, COMPARE_REVISION },
};

static const struct set_word *find_word(const struct call *call, uint32_t i,
                                        enum set_command command)
{
    for (size_t k = 0; k < ARRAY_SIZE(set_words); k++) {
        if ((set_words[k].commands & command) != 0 && call_arg_is(call, i, set_words[k].word)) {
            return &set_words[k];
        }
    }
    return NULL;
}

static void note_argument(const struct set_word *word, uint32_t i, struct set_options *out)
{
    if ((word->flag & SET_EXPIRY) != 0) {
        out->expiry_arg = i;
        out->unit = word->unit;
    } else {
        out->compare_arg = i;
        out->compare = word->compare;
    }
}

bool set_options_parse(const struct call *call, uint32_t first, enum set_command command,
                       struct set_options *out)
{
    for (uint32_t i = first; i < call->argc; i++) {
        const struct set_word *word = find_word(call, i, command);
        if (word == NULL || (out->flags & word->excludes & ~word->flag) != 0) {
            return false;
        }
        out->flags |= word->flag;
        if ((word->flag & (SET_EXPIRY | SET_COMPARE)) != 0) {
            if (++i == call->argc) {
                return false;
            }
            note_argument(word, i, out);
        }
    }
    return true;
}

bool set_options_expiry(struct call *call, const struct set_options *options, int64_t *expires_at)
{
    *expires_at = 0;
    return (options->flags & SET_EXPIRY) == 0 ||
           expiry_positive(call, options->expiry_arg, options->unit, expires_at);
}
