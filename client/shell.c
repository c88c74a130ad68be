/* shell: see shell.h. Words come from repl, menu or main; bytes go to standard output here alone. */
#include "shell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void shell_print(FILE *to, struct slice text)
{
    if (fwrite(text.p, 1, text.len, to) == text.len && fflush(to) == 0) {
        return;
    }
    if (errno != EPIPE) { /* `cofre … | head` is no error */
        (void)fprintf(stderr, "cofre: cannot write the output: %s\n", strerror(errno));
    }
    _Exit(EXIT_USAGE);
}

static void show(FILE *to, const struct reply *reply, enum output_form form)
{
    struct buf text;

    buf_init(&text, SIZE_MAX / 2);
    output_reply(&text, reply, form);
    shell_print(to, buf_slice(&text));
    buf_release(&text);
}

void shell_push(const struct reply *push, void *arg)
{
    const struct shell *shell = arg;
    show(stdout, push, shell->form);
}

enum exit_code shell_show(const struct shell *shell, const struct reply *reply)
{
    bool failed = reply->type == REPLY_ERROR;
    show(failed ? stderr : stdout, reply, shell->form);
    return failed ? EXIT_ERROR_REPLY : EXIT_DONE;
}

enum exit_code shell_run(const struct shell *shell, const struct slice *argv, size_t argc)
{
    struct problem problem = { 0 };
    struct reply *reply = NULL;

    if (session_connect(shell->session, &problem) != ERR_OK ||
        session_command(shell->session, argv, argc, &reply, &problem) != ERR_OK) {
        problem_print(&problem);
        return problem.exit_code;
    }
    enum exit_code code = shell_show(shell, reply);
    reply_free(reply);
    return code;
}

struct reply *shell_ask(const struct shell *shell, const struct slice *argv, size_t argc)
{
    struct problem problem = { 0 };
    struct reply *reply = NULL;

    if (session_connect(shell->session, &problem) != ERR_OK ||
        session_command(shell->session, argv, argc, &reply, &problem) != ERR_OK) {
        problem_print(&problem);
        return NULL;
    }
    return reply;
}
