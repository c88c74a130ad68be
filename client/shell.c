/* shell: see shell.h. Words come from repl, menu or main; bytes go to standard output here alone. */
#include "shell.h"

#include "wait.h"

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

/* --- what has no end ---------------------------------------------------------------------- */

static bool has_no_end(const struct shell *shell, struct slice command)
{
    static const char *const names[] = { "MONITOR", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE" };

    for (size_t i = 0; i < ARRAY_SIZE(names) && !session_in_transaction(shell->session); i++) {
        if (slice_eq_nocase(command, slice_of(names[i]))) {
            return true;
        }
    }
    return false;
}

/* show_all shows what comes until it ends, in one way or another; *refused: with an error reply, and nothing follows it. */
static enum err show_all(const struct shell *shell, bool *refused, struct problem *problem)
{
    struct reply *reply = NULL;
    enum err err = ERR_OK;

    *refused = false;
    while (!*refused && (err = session_next(shell->session, &reply, problem)) == ERR_OK) {
        *refused = shell_show(shell, reply) == EXIT_ERROR_REPLY;
        reply_free(reply);
    }
    return err;
}

static enum exit_code follow(const struct shell *shell, const struct slice *argv, size_t argc)
{
    struct problem problem = { 0 };
    bool refused = false;
    enum err err = session_follow(shell->session, argv, argc, &problem);

    wait_interrupts(shell->prompt);
    if (err == ERR_OK) {
        err = show_all(shell, &refused, &problem);
    }
    wait_interrupts(false);
    if (refused) {
        return EXIT_ERROR_REPLY;
    }
    session_disconnect(shell->session);
    if (err == ERR_INTERRUPTED) {
        shell_print(stdout, SLICE("\n"));
        err = session_connect(shell->session, &problem);
    }
    if (err != ERR_OK) {
        problem_print(&problem);
        return problem.exit_code;
    }
    return EXIT_DONE;
}

/* --- commands ----------------------------------------------------------------------------- */

enum exit_code shell_run(const struct shell *shell, const struct slice *argv, size_t argc)
{
    struct problem problem = { 0 };
    struct reply *reply = NULL;

    if (has_no_end(shell, argv[0])) {
        if (session_connect(shell->session, &problem) == ERR_OK) {
            return follow(shell, argv, argc);
        }
        problem_print(&problem);
        return problem.exit_code;
    }
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
