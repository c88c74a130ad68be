/* main: options, files, then one of three ways to work: a command, the prompt, or the menu. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "menu.h"
#include "options.h"
#include "repl.h"
#include "shell.h"
#include "tls_context.h"

enum { STDIN_MAX = 512 << 20 }; /* the largest argument that a server could take */

static enum err read_stdin(struct buf *out)
{
    size_t n = 0;

    do {
        uint8_t *room = buf_reserve(out, 64 << 10);
        if (room == NULL) {
            return ERR_LIMIT;
        }
        n = fread(room, 1, 64 << 10, stdin);
        buf_commit(out, n);
    } while (n > 0);
    return ferror(stdin) != 0 ? ERR_SYSTEM : ERR_OK;
}

/* one_shot runs the command in words, with standard input behind it when -x asks for that. */
static enum exit_code one_shot(const struct shell *shell, char **words, size_t count,
                               bool last_from_stdin)
{
    struct slice *argv = mem_alloc((count + 1) * sizeof(*argv));
    enum exit_code code = EXIT_USAGE;
    struct buf input;

    buf_init(&input, STDIN_MAX);
    for (size_t i = 0; i < count; i++) {
        argv[i] = slice_of(words[i]);
    }
    if (last_from_stdin && read_stdin(&input) != ERR_OK) {
        (void)fprintf(
            stderr,
            "cofre: cannot read the last argument from standard input, or it is over 512 MiB\n");
        goto out;
    }
    argv[count] = buf_slice(&input);
    code = shell_run(shell, argv, count + last_from_stdin);
out:
    buf_release(&input);
    free(argv);
    return code;
}

static enum exit_code run(const struct shell *shell, const struct options *o, char **words,
                          size_t count)
{
    if (count == 0 && o->last_from_stdin) {
        (void)fprintf(stderr, "cofre: -x adds the last argument to a command, so give a COMMAND\n");
        return EXIT_USAGE;
    }
    if (count == 0) {
        return isatty(STDIN_FILENO) ? repl_prompt(shell) : repl_batch(shell);
    }
    if (count == 1 && strcasecmp(words[0], "menu") == 0) {
        return menu_run(shell);
    }
    if (strcasecmp(words[0], "help") == 0) {
        return repl_help(shell, words + 1, count - 1);
    }
    return one_shot(shell, words, count, o->last_from_stdin);
}

int main(int argc, char **argv)
{
    static struct options
        o; /* not on the stack: its texts live as long as the process, and so does it */
    struct problem problem = { 0 };
    int operand = argc;

    (void)setlocale(LC_ALL, "");
    (void)setlocale(LC_NUMERIC, "C"); /* numbers in JSON and in sentences */
    (void)signal(SIGPIPE, SIG_IGN);
    if (options_parse(&o, argc, argv, &operand) != ERR_OK) {
        return EXIT_USAGE;
    }
    struct tls_files files = { .cert = o.cert, .key = o.key, .cacert = o.cacert, .pin = o.pin };
    struct tls_context *tls = tls_context_new(&files, &problem);
    if (tls == NULL) {
        problem_print(&problem);
        return (int)problem.exit_code;
    }
    struct session_options session = { .tls = tls,
                                       .host = o.host,
                                       .port = (int)o.port,
                                       .sni = o.sni,
                                       .timeout_ms = o.timeout_ms,
                                       .protocol = o.protocol,
                                       .db = o.db };
    struct shell shell = { .form = o.form, .prompt = operand == argc && isatty(STDIN_FILENO) };
    shell.session = session_new(&session, shell_push, &shell);
    enum exit_code code = run(&shell, &o, argv + operand, (size_t)(argc - operand));
    session_free(shell.session);
    tls_context_free(tls);
    return (int)code;
}
