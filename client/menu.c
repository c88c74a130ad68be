/*
 * menu: questions on standard output, answers from standard input, one command to the server for each. It
 * knows four commands (GET, FIND, SET, DEL) and no connection.
 */
#include "menu.h"

#include <stdlib.h>
#include <string.h>

struct menu {
    const struct shell *shell;
    char *key; /* the answers; owned by getline() */
    size_t key_cap;
    char *value;
    size_t value_cap;
    bool done;
    bool lost; /* no reply came: the reason has been printed */
};

/* ask reads one answer without its newline; false at the end of input, which ends the menu. */
static bool ask(struct menu *m, const char *question, char **answer, size_t *cap, struct slice *out)
{
    shell_print(stdout, slice_of(question));
    ssize_t len = getline(answer, cap, stdin);
    if (len < 0) {
        shell_print(stdout, SLICE("\n"));
        m->done = true;
        return false;
    }
    size_t n = (size_t)len;
    n -= n > 0 && (*answer)[n - 1] == '\n';
    n -= n > 0 && (*answer)[n - 1] == '\r';
    *out = (struct slice){ (const uint8_t *)*answer, n };
    return true;
}

static bool ask_key(struct menu *m, struct slice *key)
{
    return ask(m, "Key: ", &m->key, &m->key_cap, key);
}

static bool ask_value(struct menu *m, const char *question, struct slice *value)
{
    return ask(m, question, &m->value, &m->value_cap, value);
}

/* send returns the reply; NULL, with the reason printed, when there is none or it is an error. */
static struct reply *send(struct menu *m, const struct slice *argv, size_t argc)
{
    struct reply *reply = shell_ask(m->shell, argv, argc);

    if (reply == NULL) {
        m->lost = true;
        m->done = true;
        return NULL;
    }
    if (reply->type == REPLY_ERROR) {
        (void)fprintf(stderr, "The server answered: ");
        (void)shell_show(m->shell, reply);
        reply_free(reply);
        return NULL;
    }
    return reply;
}

static void say(const char *before, struct slice key, const char *after)
{
    struct buf text;

    buf_init(&text, SIZE_MAX / 2);
    buf_printf(&text, "%s", before);
    output_quoted(&text, key);
    buf_printf(&text, "%s\n", after);
    shell_print(stdout, buf_slice(&text));
    buf_release(&text);
}

static void show_row(struct slice key, struct slice value)
{
    struct buf text;

    buf_init(&text, SIZE_MAX / 2);
    buf_printf(&text, "  ");
    output_visible(&text, key);
    buf_printf(&text, " = ");
    output_visible(&text, value);
    buf_printf(&text, "\n");
    shell_print(stdout, buf_slice(&text));
    buf_release(&text);
}

/* select */

static void select_by_key(struct menu *m)
{
    struct slice key;

    if (!ask_key(m, &key)) {
        return;
    }
    struct slice command[] = { SLICE("GET"), key };
    struct reply *reply = send(m, command, ARRAY_SIZE(command));
    if (reply == NULL) {
        return;
    }
    if (reply->text == NULL) {
        say("There is no key ", key, ".");
    } else {
        show_row(key, reply_text(reply));
    }
    reply_free(reply);
}

/* pattern_of makes %part% of a part, so that plain text is found anywhere; a pattern stays as it is. */
static void pattern_of(struct slice typed, struct buf *out)
{
    bool plain = typed.len == 0 || memchr(typed.p, '%', typed.len) == NULL;

    buf_printf(out, plain ? "%%" : "");
    buf_append_slice(out, typed);
    buf_printf(out, plain ? "%%" : "");
}

static size_t show_rows(const struct reply *rows)
{
    size_t shown = 0;

    for (size_t i = 0; i + 1 < rows->count; i += 2, shown++) {
        show_row(reply_text(&rows->items[i]), reply_text(&rows->items[i + 1]));
    }
    return shown;
}

/* find_page shows one page of FIND; the next cursor replaces the old one, "0" being the end. */
static bool find_page(struct menu *m, struct slice pattern, struct buf *cursor, size_t *shown)
{
    struct slice command[] = { SLICE("FIND"), pattern, SLICE("CURSOR"), buf_slice(cursor) };
    struct reply *reply = send(m, command, ARRAY_SIZE(command));
    bool ok = reply != NULL && reply->count == 2 && reply->items[0].text != NULL &&
              reply_is_list(&reply->items[1]);

    if (ok) {
        *shown += show_rows(&reply->items[1]);
        buf_clear(cursor);
        buf_append_slice(cursor, reply_text(&reply->items[0]));
    } else if (reply != NULL) {
        (void)fprintf(stderr, "The server's answer to FIND is of an unknown form.\n");
    }
    reply_free(reply);
    return ok;
}

static void select_by_value(struct menu *m)
{
    struct slice typed;
    struct buf pattern;
    struct buf cursor;
    size_t shown = 0;
    bool ok = true;

    if (!ask_value(m,
                   "Value, or part of it (% stands for anything, _ for one character): ", &typed)) {
        return;
    }
    buf_init(&pattern, SIZE_MAX / 2);
    buf_init(&cursor, 4096);
    pattern_of(typed, &pattern);
    buf_printf(&cursor, "0");
    do {
        ok = find_page(m, buf_slice(&pattern), &cursor, &shown);
    } while (ok && !slice_eq(buf_slice(&cursor), SLICE("0")));
    if (ok && shown == 0) {
        say("No value matches ", typed, ".");
    } else if (ok) {
        (void)printf("%zu %s\n", shown, shown == 1 ? "row" : "rows");
    }
    buf_release(&cursor);
    buf_release(&pattern);
}

static void do_select(struct menu *m)
{
    struct slice by;

    if (!ask(m, "Select by 1-Key or 2-Value? ", &m->key, &m->key_cap, &by)) {
        return;
    }
    if (slice_eq(by, SLICE("1"))) {
        select_by_key(m);
    } else if (slice_eq(by, SLICE("2"))) {
        select_by_value(m);
    } else {
        shell_print(stdout, SLICE("Please answer 1 or 2.\n"));
    }
}

/* insert, update, delete */

/* set asks for key and value; NX or XX decides whether the key may, or must, exist. */
static void set(struct menu *m, struct slice condition, const char *done, const char *refused)
{
    struct slice key;
    struct slice value;

    if (!ask_key(m, &key) || !ask_value(m, "Value: ", &value)) {
        return;
    }
    struct slice command[] = { SLICE("SET"), key, value, condition };
    struct reply *reply = send(m, command, ARRAY_SIZE(command));
    if (reply != NULL) {
        bool ok = reply->type == REPLY_STATUS;
        say(ok ? done : "", key, ok ? "." : refused);
    }
    reply_free(reply);
}

static void do_insert(struct menu *m)
{
    set(m, SLICE("NX"), "Inserted ", " exists already; nothing was changed (3 updates it).");
}

static void do_update(struct menu *m)
{
    set(m, SLICE("XX"), "Updated ", " does not exist; nothing was changed (2 inserts it).");
}

static void do_delete(struct menu *m)
{
    struct slice key;

    if (!ask_key(m, &key)) {
        return;
    }
    struct slice command[] = { SLICE("DEL"), key };
    struct reply *reply = send(m, command, ARRAY_SIZE(command));
    if (reply != NULL) {
        bool ok = reply->integer > 0;
        say(ok ? "Deleted " : "", key, ok ? "." : " does not exist; nothing was changed.");
    }
    reply_free(reply);
}

static void do_exit(struct menu *m)
{
    m->done = true;
}

/* One row per entry, in the order in which they are numbered, from 1. */
struct entry {
    const char *name;
    void (*run)(struct menu *m);
};
static const struct entry entries[] = {
    { "Select", do_select }, { "Insert", do_insert }, { "Update", do_update },
    { "Delete", do_delete }, { "Exit", do_exit },
};

static void show_entries(void)
{
    (void)printf("\n");
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        (void)printf("%s%zu-%s", i > 0 ? "  " : "", i + 1, entries[i].name);
    }
    (void)printf("\n");
}

static void one_choice(struct menu *m)
{
    struct slice choice;
    int64_t number = 0;

    show_entries();
    if (!ask(m, "Choice: ", &m->key, &m->key_cap, &choice) || choice.len == 0) {
        return;
    }
    if (slice_to_i64(choice, &number) != ERR_OK || number < 1 ||
        number > (int64_t)ARRAY_SIZE(entries)) {
        shell_print(stdout, SLICE("Please answer with a number from 1 to 5.\n"));
        return;
    }
    entries[number - 1].run(m);
}

enum exit_code menu_run(const struct shell *shell)
{
    struct menu m = { .shell = shell };
    struct problem problem = { 0 };

    if (session_connect(shell->session, &problem) != ERR_OK) {
        problem_print(&problem);
        return problem.exit_code;
    }
    while (!m.done) {
        one_choice(&m);
    }
    free(m.key);
    free(m.value);
    return m.lost ? EXIT_CONNECTION : EXIT_DONE;
}
