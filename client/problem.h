/*
 * problem: why something did not work, as one plain sentence for the user, and the exit code that
 * goes with it. Filled where the reason is known, printed once, by whoever talks to the user.
 */
#ifndef COFRE_CLIENT_PROBLEM_H
#define COFRE_CLIENT_PROBLEM_H

#include "base/err.h"

/* The exit codes, as --help promises them. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_ERROR_REPLY = 1, /* the server answered an error */
    EXIT_USAGE = 2,       /* options or files */
    EXIT_CONNECTION = 3,  /* could not connect, verify, or stay connected */
};

struct problem {
    enum exit_code exit_code;
    char text[1024];
};

/*
 * problem_set writes the sentence. Bytes from outside (a name in a certificate) may be among the
 * arguments: control characters become '?', so that they cannot steer the terminal.
 */
void problem_set(struct problem *p, enum exit_code exit_code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* problem_print writes "cofre: <sentence>" to standard error. */
void problem_print(const struct problem *p);

#endif
