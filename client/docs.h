/*
 * docs: what COMMAND DOCS says about the commands, made into syntax, hints, completion and help. It keeps
 * the server's reply and reads it as it is; whatever is missing in there is simply not shown.
 */
#ifndef COFRE_CLIENT_DOCS_H
#define COFRE_CLIENT_DOCS_H

#include "base/buf.h"
#include "reply.h"
#include "words.h"

struct docs;

/* docs_new takes over the reply; NULL, an error reply or nonsense makes empty docs. Never NULL. */
struct docs *docs_new(struct reply *reply);
void docs_free(struct docs *d);

/* docs_count is 0 when the server told nothing. */
size_t docs_count(const struct docs *d);

/* docs_hint appends the arguments that may still follow the words typed so far: "value [NX | XX] [GET]". */
void docs_hint(const struct docs *d, const struct words *typed, struct buf *out);

/*
 * docs_complete calls `each` with every word that the last of the typed ones can become (upper case, without
 * NUL in it); when the last word is finished, with every word that can follow.
 */
void docs_complete(const struct docs *d, const struct words *typed,
                   void (*each)(struct slice candidate, void *arg), void *arg);

/* docs_help appends a few lines about the command that the words name; ERR_NOT_FOUND: it is not known. */
MUST_CHECK enum err docs_help(const struct docs *d, const struct slice *words, size_t count,
                              struct buf *out);

/* docs_list appends all commands with their summaries, sorted, a line each. */
void docs_list(const struct docs *d, struct buf *out);

#endif
