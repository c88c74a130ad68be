/*
 * shell: what the one-shot command, the prompt and the menu have in common: a session, the form of the
 * output, and a command carried out and shown.
 */
#ifndef COFRE_CLIENT_SHELL_H
#define COFRE_CLIENT_SHELL_H

#include <stdio.h>

#include "output.h"
#include "problem.h"
#include "session.h"

struct shell {
    struct session *session;
    enum output_form form;
    bool prompt; /* somebody types commands: Ctrl-C ends what is followed, not the program */
};

/* shell_push shows a message that the server sent by itself; it is the session's on_push, arg is the shell. */
void shell_push(const struct reply *push, void *arg);

/* shell_show prints a reply: an error to standard error, anything else to standard output. */
enum exit_code shell_show(const struct shell *shell, const struct reply *reply);

/*
 * shell_run carries out one command and shows what came of it, connecting first if need be. SUBSCRIBE and MONITOR it
 * follows until they are interrupted or the connection ends.
 */
enum exit_code shell_run(const struct shell *shell, const struct slice *argv, size_t argc);

/*
 * shell_ask carries out a command and hands the reply to the caller; NULL when there is none, after
 * printing why.
 */
struct reply *shell_ask(const struct shell *shell, const struct slice *argv, size_t argc);

/* shell_print writes and flushes; output that cannot be written ends the program, as nothing is left to say. */
void shell_print(FILE *to, struct slice text);

#endif
