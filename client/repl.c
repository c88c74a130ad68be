/*
 * repl: the loop around lines. What a line means is decided here: a few words of our own (help, menu, clear,
 * exit), everything else goes to the server.
 */
#include "repl.h"

#include <stdio.h>
#include <stdlib.h>

#include "docs.h"
#include "editor.h"
#include "menu.h"
#include "words.h"

/* struct repl: one loop. docs are empty when the server tells nothing about its commands. */
struct repl {
    const struct shell *shell;
    struct docs *docs;
    bool done;
};

static struct docs *fetch_docs(const struct shell *shell)
{
    static const struct slice command[] = { SLICE("COMMAND"), SLICE("DOCS") };
    struct problem problem = { 0 };
    struct reply *reply = NULL;

    if (session_command(shell->session, command, ARRAY_SIZE(command), &reply, &problem) != ERR_OK) {
        return docs_new(NULL);
    }
    return docs_new(reply);
}

/* words of our own */

static void write_intro(const struct repl *r, struct buf *out)
{
    buf_printf(
        out,
        "Type a command with its arguments; quote what has spaces: SET greeting \"good morning\"\n"
        "\n"
        "  help COMMAND   explains a command        Tab        completes it\n"
        "  menu           opens the guided menu     Ctrl-R     searches the history\n"
        "  clear          clears the screen         Ctrl-D     leaves, as does exit\n"
        "\n");
    if (docs_count(r->docs) == 0) {
        buf_printf(out, "(This server tells nothing about its commands.)\n");
    }
    docs_list(r->docs, out);
}

static enum exit_code do_help(struct repl *r, const struct slice *words, size_t count)
{
    enum exit_code code = EXIT_DONE;
    struct buf out;

    buf_init(&out, SIZE_MAX / 2);
    if (count == 0) {
        write_intro(r, &out);
    } else if (docs_help(r->docs, words, count, &out) != ERR_OK) {
        buf_printf(&out, "No help about '");
        output_visible(&out, words[0]);
        buf_printf(&out, "': `help` alone lists the commands that the server knows.\n");
        code = EXIT_ERROR_REPLY;
    }
    shell_print(code == EXIT_DONE ? stdout : stderr, buf_slice(&out));
    buf_release(&out);
    return code;
}

static enum exit_code do_clear(struct repl *r, const struct slice *words, size_t count)
{
    (void)r;
    (void)words;
    (void)count;
    shell_print(stdout, SLICE("\x1b[H\x1b[2J"));
    return EXIT_DONE;
}

static enum exit_code do_menu(struct repl *r, const struct slice *words, size_t count)
{
    (void)words;
    (void)count;
    return menu_run(r->shell);
}

static enum exit_code do_exit(struct repl *r, const struct slice *words, size_t count)
{
    (void)words;
    (void)count;
    r->done = true;
    return EXIT_DONE;
}

/*
 * One row per word that is not the server's.
 * name      as typed, in any case
 * max_args  with more arguments it is the server's after all
 * run       gets the arguments
 */
struct own_word {
    const char *name;
    size_t max_args;
    enum exit_code (*run)(struct repl *r, const struct slice *words, size_t count);
};
static const struct own_word own_words[] = {
    { "help", SIZE_MAX, do_help }, { "?", SIZE_MAX, do_help }, { "clear", 0, do_clear },
    { "menu", 0, do_menu },        { "exit", 0, do_exit },     { "quit", 0, do_exit },
};

static enum exit_code run_words(struct repl *r, const struct words *words)
{
    for (size_t i = 0; i < ARRAY_SIZE(own_words); i++) {
        if (slice_eq_nocase(words->v[0], slice_of(own_words[i].name)) &&
            words->count - 1 <= own_words[i].max_args) {
            return own_words[i].run(r, words->v + 1, words->count - 1);
        }
    }
    return shell_run(r->shell, words->v, words->count);
}

static enum exit_code run_line(struct repl *r, struct slice line)
{
    struct words words;
    enum exit_code code = EXIT_DONE;

    if (words_split(line, &words) != ERR_OK) {
        (void)fprintf(
            stderr,
            "cofre: the quotes in this line do not match: close each one, and put a space behind it\n");
        return EXIT_USAGE;
    }
    if (words.count > 0) {
        code = run_words(r, &words);
    }
    words_release(&words);
    return code;
}

/* prompt */

static void write_prompt(const struct shell *shell, char *out, size_t size)
{
    char db[24] = "";

    if (!session_is_connected(shell->session)) {
        (void)snprintf(out, size, "not connected> ");
        return;
    }
    if (session_db(shell->session) != 0) {
        (void)snprintf(db, sizeof(db), "[%lld]", (long long)session_db(shell->session));
    }
    (void)snprintf(out, size, "%s%s%s> ", session_where(shell->session), db,
                   session_in_transaction(shell->session) ? "(TX)" : "");
}

/* A connection that ended while nobody typed is opened again; where that loses something, the command says so. */
static void mend_connection(const struct repl *r)
{
    struct problem problem = { 0 };
    struct session *session = r->shell->session;

    if (session_has_ended(session) && !session_in_transaction(session)) {
        (void)fprintf(stderr, "cofre: the connection was lost; connecting again\n");
        (void)!session_connect(session,
                               &problem); /* the next command tries again, and says why not */
    }
}

enum exit_code repl_prompt(const struct shell *shell)
{
    struct repl r = { .shell = shell };
    struct problem problem = { 0 };
    char prompt[400];
    struct slice line;

    if (session_connect(shell->session, &problem) != ERR_OK) {
        problem_print(&problem);
        return problem.exit_code;
    }
    r.docs = fetch_docs(shell);
    struct editor *editor = editor_new(r.docs);
    while (!r.done) {
        write_prompt(shell, prompt, sizeof(prompt));
        if (!editor_read(editor, prompt, &line)) {
            (void)printf("\n");
            break;
        }
        editor_remember(editor, line);
        mend_connection(&r);
        (void)run_line(&r, line);
    }
    editor_free(editor);
    docs_free(r.docs);
    return EXIT_DONE;
}

enum exit_code repl_batch(const struct shell *shell)
{
    struct repl r = { .shell = shell, .docs = docs_new(NULL) };
    enum exit_code first = EXIT_DONE;
    char *text = NULL;
    size_t cap = 0;
    ssize_t len = 0;

    while (!r.done && first != EXIT_CONNECTION && (len = getline(&text, &cap, stdin)) >= 0) {
        enum exit_code code = run_line(&r, (struct slice){ (const uint8_t *)text, (size_t)len });
        first = first == EXIT_DONE || code == EXIT_CONNECTION ? code : first;
    }
    free(text);
    docs_free(r.docs);
    return first;
}

enum exit_code repl_help(const struct shell *shell, char **words, size_t count)
{
    struct repl r = { .shell = shell };
    struct problem problem = { 0 };
    struct slice named[2] = { 0 };

    if (session_connect(shell->session, &problem) != ERR_OK) {
        problem_print(&problem);
        return problem.exit_code;
    }
    r.docs = fetch_docs(shell);
    count = count < ARRAY_SIZE(named) ? count : ARRAY_SIZE(named);
    for (size_t i = 0; i < count; i++) {
        named[i] = slice_of(words[i]);
    }
    enum exit_code code = do_help(&r, named, count);
    docs_free(r.docs);
    return code;
}
