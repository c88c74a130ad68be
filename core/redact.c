/* Which arguments may hold a password: a row for each such command. */
#include "redact.h"

#include <string.h>

/* words after which the next argument is hidden, or two */
static const struct secret_word {
    const char *command;
    const char *word;
    uint32_t count;
} words[] = {
    { "hello", "auth", 2 },
    { "config|set", "masterauth", 1 },
    { "config|set", "masteruser", 1 },
    { "config|set", "requirepass", 1 },
    { "config|set", "tls-client-key-file-pass", 1 },
    { "config|set", "tls-key-file-pass", 1 },
};

/* commands whose arguments are all hidden, from the one that is named */
static const struct secret_rest {
    const char *command;
    uint32_t from;
} rests[] = {
    { "auth", 1 },
    { "acl|deluser", 2 },
    { "acl|setuser", 2 },
};

bool redact_hides(const struct command *command, const struct slice *argv, uint32_t argc,
                  uint32_t i)
{
    for (size_t r = 0; r < ARRAY_SIZE(rests); r++) {
        if (i >= rests[r].from && strcmp(command->name, rests[r].command) == 0) {
            return true;
        }
    }
    for (size_t w = 0; w < ARRAY_SIZE(words); w++) {
        for (uint32_t back = 1; back <= words[w].count && back < i; back++) {
            if (i < argc && slice_eq_nocase(argv[i - back], slice_of(words[w].word)) &&
                strcmp(command->name, words[w].command) == 0) {
                return true;
            }
        }
    }
    return false;
}
