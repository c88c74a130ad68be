/* repl: commands typed at a prompt, or read from a pipe, one a line. */
#ifndef COFRE_CLIENT_REPL_H
#define COFRE_CLIENT_REPL_H

#include "shell.h"

/* repl_prompt works on a terminal until its end of input; errors in between do not end it. */
enum exit_code repl_prompt(const struct shell *shell);

/* repl_batch reads standard input; the exit code is the first that was not EXIT_DONE. */
enum exit_code repl_batch(const struct shell *shell);

/* repl_help explains the command that the words name, or lists all. */
enum exit_code repl_help(const struct shell *shell, char **words, size_t count);

#endif
