/*
 * editor: a line typed on a terminal, through libedit: history in a file, completion on Tab, and the
 * arguments still missing shown at the right while typing.
 */
#ifndef COFRE_CLIENT_EDITOR_H
#define COFRE_CLIENT_EDITOR_H

#include "docs.h"

struct editor;

/*
 * editor_new takes over the terminal's line editing; docs must outlive it. The history is in
 * $HOME/.cofre_history (mode 0600; none without HOME).
 */
struct editor *editor_new(const struct docs *docs);
void editor_free(struct editor *e);

/* editor_read shows the prompt and returns the line without its newline; false at the end of input. */
bool editor_read(struct editor *e, const char *prompt, struct slice *line);

/* editor_remember puts a line into the history and its file, unless it may hold a password. */
void editor_remember(struct editor *e, struct slice line);

/* editor_is_secret says whether a line must not be remembered: AUTH, HELLO … AUTH, ACL SETUSER. */
bool editor_is_secret(struct slice line);

#endif
