/*
 * editor: everything that knows libedit. Printable keys are bound to a function of ours that redraws the
 * line, because libedit's own leaves the right-hand prompt, in which the hint is, as it was.
 */
#include "editor.h"

#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_LINES = 1000, HINT_MAX = 4096 };

struct editor {
    EditLine *line;
    History *history;
    const struct docs *docs;
    const char *prompt;
    char *file;      /* of the history, or NULL */
    struct buf hint; /* what the right-hand prompt shows; libedit wants a C string that stays */
};

static struct editor *editor_of(EditLine *line)
{
    void *data = NULL;
    (void)el_get(line, EL_CLIENTDATA, &data);
    return data;
}

static char *left_prompt(EditLine *line)
{
    return (char *)editor_of(line)->prompt;
}

/* until_cursor splits what stands before the cursor; *at_end says whether anything stands behind it. */
static void until_cursor(EditLine *line, struct words *words, bool *at_end)
{
    const LineInfo *info = el_line(line);
    struct slice typed = { (const uint8_t *)info->buffer, (size_t)(info->cursor - info->buffer) };

    *at_end = info->cursor == info->lastchar;
    words_split_partial(typed, words);
}

/* The hint goes when it would not leave room for typing: libedit hides a right prompt that does not fit. */
static char *right_prompt(EditLine *line)
{
    struct editor *e = editor_of(line);
    struct words words;
    bool at_end = false;

    buf_clear(&e->hint);
    until_cursor(line, &words, &at_end);
    if (at_end) {
        docs_hint(e->docs, &words, &e->hint);
    }
    words_release(&words);
    buf_append(&e->hint, "", 1);
    return (char *)buf_slice(&e->hint).p;
}

static unsigned char insert_key(EditLine *line, int key)
{
    char text[2] = { (char)key, '\0' };
    return el_insertstr(line, text) == 0 ? CC_REFRESH : CC_ERROR;
}

static unsigned char erase_key(EditLine *line, int key)
{
    (void)key;
    const LineInfo *info = el_line(line);
    if (info->cursor == info->buffer) {
        return CC_ERROR;
    }
    el_deletestr(line, 1);
    return CC_REFRESH;
}

/* completion */

struct candidates {
    char **v;
    size_t count;
};

static void add_candidate(struct slice candidate, void *arg)
{
    struct candidates *c = arg;
    for (size_t i = 0; i < c->count; i++) {
        if (slice_eq(slice_of(c->v[i]), candidate)) {
            return;
        }
    }
    c->v = mem_realloc(c->v, (c->count + 1) * sizeof(*c->v));
    c->v[c->count++] = (char *)slice_dup(candidate).p;
}

static void add_own_commands(struct candidates *c, const struct words *words)
{
    static const char *const own[] = { "HELP", "MENU", "CLEAR", "EXIT" };
    struct slice prefix = words->count == 1 ? words->v[0] : (struct slice){ 0 };

    if (words->count > 1 || (words->count == 1 && !words->open)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        struct slice name = slice_of(own[i]);
        if (name.len >= prefix.len &&
            slice_eq_nocase((struct slice){ name.p, prefix.len }, prefix)) {
            add_candidate(name, c);
        }
    }
}

/* common_length is how far all candidates are the same. */
static size_t common_length(const struct candidates *c)
{
    size_t len = strlen(c->v[0]);
    for (size_t i = 1; i < c->count; i++) {
        size_t same = 0;
        while (same < len && c->v[i][same] == c->v[0][same]) {
            same++;
        }
        len = same;
    }
    return len;
}

static void list_candidates(const struct candidates *c)
{
    struct winsize size = { 0 };
    size_t width = 0;

    for (size_t i = 0; i < c->count; i++) {
        width = strlen(c->v[i]) + 2 > width ? strlen(c->v[i]) + 2 : width;
    }
    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    size_t columns = (size.ws_col != 0 ? size.ws_col : 80) / width;
    for (size_t i = 0; i < c->count; i++) {
        bool starts = columns == 0 || i % columns == 0;
        (void)printf("%s%-*s", starts ? "\n" : "", (int)width, c->v[i]);
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

/* replace_prefix writes the candidate's first `len` letters over what was typed of it, in the case it was typed in. */
static void replace_prefix(EditLine *line, struct slice prefix, const char *candidate, size_t len,
                           bool finished)
{
    bool lower = prefix.len > 0 && prefix.p[0] >= 'a' && prefix.p[0] <= 'z';
    char text[128];

    len = len < sizeof(text) - 2 ? len : sizeof(text) - 2;
    for (size_t i = 0; i < len; i++) {
        bool capital = candidate[i] >= 'A' && candidate[i] <= 'Z';
        text[i] = lower && capital ? (char)(candidate[i] + ('a' - 'A')) : candidate[i];
    }
    text[len] = finished ? ' ' : '\0';
    text[len + 1] = '\0';
    el_deletestr(line, (int)prefix.len);
    (void)el_insertstr(line, text);
}

static unsigned char choose(EditLine *line, const struct candidates *c, struct slice prefix)
{
    if (c->count == 0) {
        return CC_ERROR;
    }
    size_t len = common_length(c);
    if (c->count == 1 || len > prefix.len) {
        replace_prefix(line, prefix, c->v[0], len, c->count == 1);
        return CC_REFRESH;
    }
    list_candidates(c);
    return CC_REDISPLAY;
}

static unsigned char complete_key(EditLine *line, int key)
{
    struct editor *e = editor_of(line);
    struct candidates c = { 0 };
    struct words words;
    bool at_end = false;

    (void)key;
    until_cursor(line, &words, &at_end);
    docs_complete(e->docs, &words, add_candidate, &c);
    add_own_commands(&c, &words);
    struct slice prefix = words.open ? words.v[words.count - 1] : (struct slice){ 0 };
    unsigned char result = choose(line, &c, prefix);
    for (size_t i = 0; i < c.count; i++) {
        free(c.v[i]);
    }
    free(c.v);
    words_release(&words);
    return result;
}

/* setting up */

static void bind_keys(EditLine *line)
{
    /* the wide form keeps these texts themselves; the narrow one would leak copies of them */
    (void)el_wset(line, EL_ADDFN, L"cofre-insert", L"Insert the key and redraw the hint",
                  insert_key);
    (void)el_wset(line, EL_ADDFN, L"cofre-erase", L"Delete the character before the cursor",
                  erase_key);
    (void)el_wset(line, EL_ADDFN, L"cofre-complete", L"Complete the command", complete_key);
    for (int c = ' '; c < 0x7f;
         c++) { /* in octal, because some characters mean something to el_set */
        char key[8];
        (void)snprintf(key, sizeof(key), "\\%03o", c);
        (void)el_set(line, EL_BIND, key, "cofre-insert", NULL);
    }
    (void)el_set(line, EL_BIND, "^?", "cofre-erase", NULL);
    (void)el_set(line, EL_BIND, "^H", "cofre-erase", NULL);
    (void)el_set(line, EL_BIND, "^I", "cofre-complete", NULL);
}

static void load_history(struct editor *e)
{
    const char *home = getenv("HOME");
    HistEvent event;

    (void)history(e->history, &event, H_SETSIZE, HISTORY_LINES);
    (void)history(e->history, &event, H_SETUNIQUE, 1);
    if (home != NULL && home[0] != '\0') {
        size_t size = strlen(home) + sizeof("/.cofre_history");
        e->file = mem_alloc(size);
        (void)snprintf(e->file, size, "%s/.cofre_history", home);
        (void)history(e->history, &event, H_LOAD, e->file);
    }
}

struct editor *editor_new(const struct docs *docs)
{
    struct editor *e = mem_zalloc(sizeof(*e));

    e->docs = docs;
    e->prompt = "";
    buf_init(&e->hint, HINT_MAX);
    e->line = el_init("cofre", stdin, stdout, stderr);
    e->history = history_init();
    if (e->line == NULL || e->history == NULL) { /* out of memory: there is no other reason */
        abort();
    }
    (void)el_set(e->line, EL_CLIENTDATA, e);
    (void)el_set(e->line, EL_PROMPT, left_prompt);
    (void)el_set(e->line, EL_SIGNAL, 1);
    (void)el_set(e->line, EL_EDITOR, "emacs");
    (void)el_set(e->line, EL_HIST, history, e->history);
    if (docs_count(docs) > 0) {
        (void)el_set(e->line, EL_RPROMPT, right_prompt);
    }
    bind_keys(e->line);
    (void)el_source(e->line, NULL); /* the user's own .editrc has the last word */
    load_history(e);
    return e;
}

void editor_free(struct editor *e)
{
    if (e != NULL) {
        history_end(e->history);
        el_end(e->line);
        buf_release(&e->hint);
        free(e->file);
        free(e);
    }
}

bool editor_read(struct editor *e, const char *prompt, struct slice *line)
{
    int len = 0;

    e->prompt = prompt;
    const char *text = el_gets(e->line, &len);
    if (text == NULL || len <= 0) {
        return false;
    }
    size_t n = (size_t)len;
    n -= text[n - 1] == '\n';
    *line = (struct slice){ (const uint8_t *)text, n };
    return true;
}

bool editor_is_secret(struct slice line)
{
    struct words words;
    bool secret = false;

    words_split_partial(line, &words);
    for (size_t i = 0; i < words.count; i++) {
        secret |= slice_eq_nocase(words.v[i], SLICE("AUTH")) ||
                  slice_eq_nocase(words.v[i], SLICE("AUTH2")) ||
                  slice_eq_nocase(words.v[i], SLICE("SETUSER"));
    }
    words_release(&words);
    return secret;
}

/* libedit sets the file's mode to 0600 by itself; the mask closes the moment before that. */
void editor_remember(struct editor *e, struct slice line)
{
    HistEvent event;

    if (line.len == 0 || editor_is_secret(line)) {
        return;
    }
    struct slice copy = slice_dup(line);
    (void)history(e->history, &event, H_ENTER, (const char *)copy.p);
    free((void *)copy.p);
    if (e->file != NULL) {
        mode_t mask = umask(077);
        (void)history(e->history, &event, H_SAVE, e->file);
        (void)umask(mask);
    }
}
