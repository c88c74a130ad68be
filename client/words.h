/*
 * words: a line typed at the prompt, split as redis-cli splits it. "Double quotes" know
 * \n \r \t \b \a \\ \" and \xHH; 'single quotes' know \' alone; a closing quote must be followed by
 * a space or the end.
 */
#ifndef COFRE_CLIENT_WORDS_H
#define COFRE_CLIENT_WORDS_H

#include "base/slice.h"

struct words {
    struct slice *v; /* each owned, with a NUL behind it */
    size_t count;
    bool open; /* the last word is being typed: no space behind it yet (or a quote is open) */
};

/*
 * words_split fills *out, which words_release frees. ERR_INVALID: unbalanced quotes; *out is empty.
 */
MUST_CHECK enum err words_split(struct slice line, struct words *out);

/* words_split_partial never fails: for completion, an open quote counts as closed at the end. */
void words_split_partial(struct slice line, struct words *out);
void words_release(struct words *w);

#endif
