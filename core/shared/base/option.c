/*
 * option: reads a program's options from four sources, each stronger than the one before: the
 * targets' initial content, the environment, the configuration file, the command line. It knows
 * kinds of values, not what a program does with them; whether a file exists or a number makes sense
 * beside another is the caller's.
 */
#include "base/option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

enum { MAX_CONFIG_BYTES = 1024 * 1024, HELP_COLUMN = 32 };

enum source { FROM_DEFAULT, FROM_ENV, FROM_FILE, FROM_ARGV };

/* What one row has been given so far. */
struct given {
    enum source source;
    size_t line; /* FROM_FILE: where */
};

struct parse {
    const struct option_set *set;
    struct given *given; /* set->count of them */
    const char *config;  /* --config FILE, or NULL */
};

/* Where a value stands, for error lines: "--name", "file:3: name" or "$NAME". */
struct place {
    const struct parse *parse;
    enum source source;
    const char *name;
    size_t line;
};

/* ---- error lines ---- */

/* print_line keeps to one line, whatever the user's value holds. */
static void print_line(const char *program, const char *text)
{
    fprintf(stderr, "%s: ", program);
    for (const char *p = text; *p != '\0'; p++) {
        bool control = (unsigned char)*p < 0x20 || *p == 0x7f;
        fputc(control ? '?' : *p, stderr);
    }
    fputc('\n', stderr);
}

static enum err PRINTF_LIKE(2, 3) complain(const struct parse *p, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    print_line(p->set->program, len < 0 ? "bad option" : text);
    if (len >= 0) {
        free(text);
    }
    return ERR_INVALID;
}

static enum err PRINTF_LIKE(2, 3) complain_at(const struct place *at, const char *fmt, ...)
{
    char *what = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&what, fmt, args);
    va_end(args);
    const char *said = len < 0 ? "bad value" : what;
    if (at->source == FROM_ENV) {
        (void)complain(at->parse, "$%s: %s", at->name, said);
    } else if (at->source == FROM_FILE) {
        (void)complain(at->parse, "%s:%zu: %s: %s", at->parse->config, at->line, at->name, said);
    } else {
        (void)complain(at->parse, "--%s: %s", at->name, said);
    }
    if (len >= 0) {
        free(what);
    }
    return ERR_INVALID;
}

/* ---- numbers ---- */

/* Suffixes of OPTION_BYTES, largest first. */
static const struct unit {
    char letter;
    int64_t bytes;
} units[] = { { 'g', 1 << 30 }, { 'm', 1 << 20 }, { 'k', 1 << 10 } };

enum { NUMBER_TEXT = 32 };

static void format_bytes(int64_t n, char text[NUMBER_TEXT])
{
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (n != 0 && n % units[i].bytes == 0) {
            snprintf(text, NUMBER_TEXT, "%" PRId64 "%c", n / units[i].bytes, units[i].letter);
            return;
        }
    }
    snprintf(text, NUMBER_TEXT, "%" PRId64, n);
}

static void format_seconds(int64_t ms, char text[NUMBER_TEXT])
{
    if (ms % 1000 == 0) {
        snprintf(text, NUMBER_TEXT, "%" PRId64, ms / 1000);
    } else {
        int len = snprintf(text, NUMBER_TEXT, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
        while (text[len - 1] == '0') {
            text[--len] = '\0';
        }
    }
}

static void format_number(enum option_kind kind, int64_t n, char text[NUMBER_TEXT])
{
    if (kind == OPTION_BYTES) {
        format_bytes(n, text);
    } else if (kind == OPTION_SECONDS) {
        format_seconds(n, text);
    } else {
        snprintf(text, NUMBER_TEXT, "%" PRId64, n);
    }
}

static enum err scan_bytes(const char *text, int64_t *out)
{
    struct slice digits = slice_of(text);
    int64_t unit = 1;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (digits.len > 0 && (digits.p[digits.len - 1] | 0x20) == units[i].letter) {
            unit = units[i].bytes;
            digits.len--;
            break;
        }
    }
    int64_t n;
    if (slice_to_i64(digits, &n) != ERR_OK || n < 0 || n > INT64_MAX / unit) {
        return ERR_INVALID;
    }
    *out = n * unit;
    return ERR_OK;
}

/* scan_seconds reads "5", "0.5", ".25": at most milliseconds, no exponent, no sign. */
static enum err scan_seconds(const char *text, int64_t *out)
{
    const char *dot = strchr(text, '.');
    struct slice whole = { (const uint8_t *)text,
                           dot != NULL ? (size_t)(dot - text) : strlen(text) };
    int64_t seconds = 0, ms = 0, scale = 100;
    if (dot != NULL) {
        if (dot[1] == '\0' || strlen(dot + 1) > 3) {
            return ERR_INVALID;
        }
        for (const char *p = dot + 1; *p != '\0'; p++, scale /= 10) {
            if (*p < '0' || *p > '9') {
                return ERR_INVALID;
            }
            ms += (*p - '0') * scale;
        }
    }
    if ((whole.len > 0 || dot == NULL) && slice_to_i64(whole, &seconds) != ERR_OK) {
        return ERR_INVALID;
    }
    if (seconds < 0 || seconds > INT64_MAX / 1000 - 1) {
        return ERR_INVALID;
    }
    *out = seconds * 1000 + ms;
    return ERR_OK;
}

static enum err set_number(const struct place *at, const struct option *row, const char *value)
{
    int64_t n = 0;
    enum err err;
    if (row->kind == OPTION_BYTES) {
        err = scan_bytes(value, &n);
    } else if (row->kind == OPTION_SECONDS) {
        err = scan_seconds(value, &n);
    } else {
        err = slice_to_i64(slice_of(value), &n);
    }
    if (err != ERR_OK || n < row->min || n > row->max) {
        char min[NUMBER_TEXT], max[NUMBER_TEXT];
        format_number(row->kind, row->min, min);
        format_number(row->kind, row->max, max);
        return complain_at(at, "\"%s\" is not a %s between %s and %s%s", value,
                           row->kind == OPTION_BYTES ? "size" : "number", min, max,
                           row->kind == OPTION_SECONDS ? " seconds" : "");
    }
    *(int64_t *)row->target = n;
    return ERR_OK;
}

/* ---- values ---- */

static enum err set_flag(const struct place *at, const struct option *row, const char *value)
{
    static const struct {
        const char *text;
        bool on;
    } words[] = { { "yes", true }, { "true", true },   { "on", true },   { "1", true },
                  { "no", false }, { "false", false }, { "off", false }, { "0", false } };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (value == NULL || strcmp(words[i].text, value) == 0) {
            *(bool *)row->target = words[i].on;
            return ERR_OK;
        }
    }
    return complain_at(at, "\"%s\" is neither yes nor no", value);
}

static enum err set_choice(const struct place *at, const struct option *row, const char *value)
{
    struct buf names;
    buf_init(&names, SIZE_MAX);
    for (int i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], value) == 0) {
            *(int *)row->target = i;
            buf_release(&names);
            return ERR_OK;
        }
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", row->choices[i]);
    }
    struct slice s = buf_slice(&names);
    enum err err =
        complain_at(at, "\"%s\" is not one of %.*s", value, (int)s.len, (const char *)s.p);
    buf_release(&names);
    return err;
}

/* keep returns a text that lives as long as the process: argv does, the others are copied. */
static const char *keep(const char *value, enum source source)
{
    return source == FROM_ARGV ? value : mem_strdup(value);
}

static void free_kept(const char *text, enum source source)
{
    if (source == FROM_ENV || source == FROM_FILE) {
        free((void *)text);
    }
}

/* forget_weaker frees what a weaker source gave a row of texts; defaults are the program's own. */
static void forget_weaker(const struct option *row, enum source was)
{
    if (row->kind == OPTION_TEXT) {
        free_kept(*(const char **)row->target, was);
    } else if (row->kind == OPTION_LIST) {
        struct option_list *list = row->target;
        for (size_t i = 0; i < list->count; i++) {
            free_kept(list->items[i], was);
        }
        if (was != FROM_DEFAULT) {
            free(list->items);
        }
        *list = (struct option_list){ NULL, 0 };
    }
}

static void add_item(struct option_list *list, const char *value)
{
    list->items = mem_realloc(list->items, (list->count + 1) * sizeof(*list->items));
    list->items[list->count++] = value;
}

/* set_value gives a row its value, NULL for a bare flag. A stronger source replaces weaker ones. */
static enum err set_value(struct parse *p, const struct place *at, const struct option *row,
                          const char *value)
{
    struct given *given = &p->given[row - p->set->rows];
    bool first = given->source < at->source;
    if (at->source == FROM_FILE && !first && row->kind != OPTION_LIST) {
        return complain_at(at, "given twice, first on line %zu", given->line);
    }
    if (first || row->kind == OPTION_TEXT) {
        forget_weaker(row, given->source);
    }
    *given = (struct given){ at->source, at->line };
    switch (row->kind) {
    case OPTION_FLAG:
        return set_flag(at, row, value);
    case OPTION_TEXT:
        *(const char **)row->target = keep(value, at->source);
        return ERR_OK;
    case OPTION_LIST:
        add_item(row->target, keep(value, at->source));
        return ERR_OK;
    case OPTION_CHOICE:
        return set_choice(at, row, value);
    case OPTION_INT:
    case OPTION_BYTES:
    case OPTION_SECONDS:
        return set_number(at, row, value);
    }
    return ERR_INVALID;
}

static const struct option *find_row(const struct option_set *set, struct slice name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (slice_eq(slice_of(set->rows[i].name), name)) {
            return &set->rows[i];
        }
    }
    return NULL;
}

static const struct option *find_letter(const struct option_set *set, char letter)
{
    for (size_t i = 0; i < set->count; i++) {
        if (letter != 0 && set->rows[i].letter == letter) {
            return &set->rows[i];
        }
    }
    return NULL;
}

/* ---- --help and --version ---- */

static void print_default(const struct option *row)
{
    char text[NUMBER_TEXT];
    switch (row->kind) {
    case OPTION_TEXT:
        if (*(const char **)row->target != NULL) {
            printf(" (default: %s)", *(const char **)row->target);
        }
        break;
    case OPTION_INT:
    case OPTION_BYTES:
    case OPTION_SECONDS:
        format_number(row->kind, *(int64_t *)row->target, text);
        printf(" (default: %s)", text);
        break;
    case OPTION_CHOICE:
        printf(" (default: %s)", row->choices[*(int *)row->target]);
        break;
    case OPTION_LIST: {
        const struct option_list *list = row->target;
        for (size_t i = 0; i < list->count; i++) {
            printf("%s%s%s", i == 0 ? " (default: " : ", ", list->items[i],
                   i + 1 == list->count ? ")" : "");
        }
        break;
    }
    case OPTION_FLAG:
        break;
    }
    if (row->env != NULL) {
        printf(" [$%s]", row->env);
    }
}

static void print_row(char letter, const char *name, const char *argument, const char *help)
{
    char start[8] = "    ";
    if (letter != 0) {
        snprintf(start, sizeof(start), "-%c, ", letter);
    }
    int width = printf("  %s--%s%s%s", start, name, argument != NULL ? " " : "",
                       argument != NULL ? argument : "");
    if (width >= HELP_COLUMN) {
        printf("\n");
        width = 0;
    }
    printf("%*s%s", HELP_COLUMN - width, "", help);
}

static void print_help(const struct option_set *set)
{
    printf("Usage: %s %s\n\n%s\n\nOptions:\n", set->program, set->synopsis, set->about);
    for (size_t i = 0; i < set->count; i++) {
        const struct option *row = &set->rows[i];
        const char *argument = row->argument != NULL ? row->argument : "VALUE";
        print_row(row->letter, row->name, row->kind == OPTION_FLAG ? NULL : argument, row->help);
        print_default(row);
        printf("\n");
    }
    if (set->has_config) {
        print_row(0, "config", "FILE", "read options from a file: lines \"name = value\"");
        printf("\n");
    }
    print_row(0, "help", NULL, "show this and exit\n");
    print_row(0, "version", NULL, "show the version and exit\n");
}

/* ---- the environment ---- */

static enum err read_environment(struct parse *p)
{
    for (size_t i = 0; i < p->set->count; i++) {
        const struct option *row = &p->set->rows[i];
        const char *value = row->env != NULL ? getenv(row->env) : NULL;
        if (value == NULL || value[0] == '\0') {
            continue;
        }
        struct place at = { .parse = p, .source = FROM_ENV, .name = row->env };
        enum err err = set_value(p, &at, row, value);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

/* ---- the configuration file ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static char *skip_blanks(char *p)
{
    while (is_blank(*p)) {
        p++;
    }
    return p;
}

/* end_plain cuts an unquoted value at a comment ('#' after a blank) and trailing blanks. */
static void end_plain(char *value)
{
    char *end = value;
    for (char *p = value; *p != '\0'; p++) {
        if (*p == '#' && (p == value || is_blank(p[-1]))) {
            break;
        }
        if (!is_blank(*p)) {
            end = p + 1;
        }
    }
    *end = '\0';
}

/* end_quoted undoes a "quoted" value in place (\" and \\ inside); only a comment may follow it. */
static enum err end_quoted(char *value)
{
    char *to = value;
    char *p = value + 1;
    for (; *p != '"'; p++) {
        if (*p == '\\' && (p[1] == '"' || p[1] == '\\')) {
            p++;
        }
        if (*p == '\0') {
            return ERR_INVALID;
        }
        *to++ = *p;
    }
    p = skip_blanks(p + 1);
    *to = '\0';
    return *p == '\0' || *p == '#' ? ERR_OK : ERR_INVALID;
}

static enum err complain_line(const struct parse *p, size_t line, const char *what,
                              const char *name)
{
    return complain(p, "%s:%zu: %s%s", p->config, line, what, name);
}

static enum err read_config_line(struct parse *p, char *text, size_t line)
{
    char *name = skip_blanks(text);
    if (*name == '\0' || *name == '#') {
        return ERR_OK;
    }
    char *end = name;
    while (*end != '\0' && *end != '=' && *end != '#' && !is_blank(*end)) {
        end++;
    }
    char *value = skip_blanks(end);
    bool equals = *value == '=';
    if (equals) {
        value = skip_blanks(value + 1);
    }
    bool bare = !equals && (*value == '\0' || *value == '#');
    if (*value != '"') {
        end_plain(value);
    } else if (end_quoted(value) != ERR_OK) {
        return complain_line(p, line, "a quoted value must end with \" and nothing after it", "");
    }
    const struct option *row =
        find_row(p->set, (struct slice){ (uint8_t *)name, (size_t)(end - name) });
    *end = '\0';
    if (row == NULL) {
        return complain_line(p, line, "unknown option ", name);
    }
    struct place at = { .parse = p, .source = FROM_FILE, .name = row->name, .line = line };
    if (bare && row->kind != OPTION_FLAG) {
        return complain_at(&at, "needs a value");
    }
    return set_value(p, &at, row, bare ? NULL : value);
}

/* load_file reads the whole file into out, with a NUL behind it. */
static enum err load_file(const struct parse *p, struct buf *out)
{
    FILE *file = fopen(p->config, "re");
    if (file == NULL) {
        return complain(p, "%s: %s", p->config, strerror(errno));
    }
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        buf_append(out, chunk, n);
    }
    int failed = ferror(file) ? errno : 0;
    fclose(file);
    if (failed != 0) {
        return complain(p, "%s: %s", p->config, strerror(failed));
    }
    struct slice text = buf_slice(out);
    if (out->overflow || (text.len > 0 && memchr(text.p, 0, text.len) != NULL)) {
        return complain(p, "%s: not a configuration file", p->config);
    }
    buf_append(out, "", 1);
    return ERR_OK;
}

static enum err read_config(struct parse *p)
{
    struct buf file;
    buf_init(&file, MAX_CONFIG_BYTES);
    enum err err = load_file(p, &file);
    char *text = (char *)file.p;
    for (size_t line = 1; err == ERR_OK && text != NULL; line++) {
        char *next = strchr(text, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        err = read_config_line(p, text, line);
        text = next;
    }
    buf_release(&file);
    return err;
}

/* ---- the command line ---- */

/*
 * The command line is walked twice: first for its form alone, --config, --help and --version, and,
 * when the weaker sources have been read, for the values.
 */
enum pass { PASS_FORM, PASS_VALUES };

struct walk {
    struct parse *parse;
    enum pass pass;
    int argc;
    char **argv;
    int at;
};

static enum err unknown_option(const struct walk *w, const char *shown)
{
    return complain(w->parse, "unknown option %s; see %s --help", shown, w->parse->set->program);
}

/* take_value returns the value after '=', else the next argument; NULL: nothing is left. */
static const char *take_value(struct walk *w, const char *attached)
{
    if (attached != NULL) {
        return attached;
    }
    return w->at + 1 < w->argc ? w->argv[++w->at] : NULL;
}

static enum err needs_value(const struct walk *w, const char *name)
{
    return complain(w->parse, "--%s needs a value; see %s --help", name, w->parse->set->program);
}

static enum err walk_row(struct walk *w, const struct option *row, const char *attached)
{
    const char *value = row->kind == OPTION_FLAG ? attached : take_value(w, attached);
    if (value == NULL && row->kind != OPTION_FLAG) {
        return needs_value(w, row->name);
    }
    if (w->pass == PASS_FORM) {
        return ERR_OK;
    }
    struct place at = { .parse = w->parse, .source = FROM_ARGV, .name = row->name };
    return set_value(w->parse, &at, row, value);
}

/* walk_builtin handles --config, --help and --version; ERR_NOT_FOUND when it is none of them. */
static enum err walk_builtin(struct walk *w, struct slice name, const char *attached)
{
    const struct option_set *set = w->parse->set;
    if (set->has_config && slice_eq(name, SLICE("config"))) {
        const char *value = take_value(w, attached);
        w->parse->config = value;
        return value != NULL ? ERR_OK : needs_value(w, "config");
    }
    if (attached == NULL && slice_eq(name, SLICE("help"))) {
        print_help(set);
        exit(EXIT_SUCCESS);
    }
    if (attached == NULL && slice_eq(name, SLICE("version"))) {
        printf("%s %s\n", set->program, COFRE_VERSION);
        exit(EXIT_SUCCESS);
    }
    return ERR_NOT_FOUND;
}

static enum err walk_long(struct walk *w, const char *text)
{
    const char *equals = strchr(text, '=');
    struct slice name = slice_of(text);
    if (equals != NULL) {
        name.len = (size_t)(equals - text);
    }
    const char *attached = equals != NULL ? equals + 1 : NULL;
    const struct option *row = find_row(w->parse->set, name);
    if (row != NULL) {
        return walk_row(w, row, attached);
    }
    enum err err = walk_builtin(w, name, attached);
    return err == ERR_NOT_FOUND ? unknown_option(w, w->argv[w->at]) : err;
}

/* walk_short reads "-p 6380", "-p6380" and, for flags, "-abc". */
static enum err walk_short(struct walk *w, const char *text)
{
    for (; *text != '\0'; text++) {
        const struct option *row = find_letter(w->parse->set, *text);
        if (row == NULL) {
            return unknown_option(w, (const char[]){ '-', *text, '\0' });
        }
        bool flag = row->kind == OPTION_FLAG;
        enum err err = walk_row(w, row, flag || text[1] == '\0' ? NULL : text + 1);
        if (err != ERR_OK || !flag) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err walk_operand(struct walk *w, bool *stop)
{
    *stop = w->parse->set->stop_at_operand;
    if (*stop) {
        return ERR_OK;
    }
    return complain(w->parse, "unexpected argument \"%s\"; see %s --help", w->argv[w->at],
                    w->parse->set->program);
}

/* walk_argv walks all of argv; *operand is where it stopped. */
static enum err walk_argv(struct parse *p, enum pass pass, int argc, char **argv, int *operand)
{
    struct walk w = { .parse = p, .pass = pass, .argc = argc, .argv = argv, .at = 1 };
    bool stop = false;
    bool only_operands = false; /* after "--" */
    for (; w.at < argc; w.at++) {
        const char *text = argv[w.at];
        enum err err;
        if (only_operands || text[0] != '-' || text[1] == '\0') {
            err = walk_operand(&w, &stop);
        } else if (strcmp(text, "--") == 0) {
            only_operands = true;
            continue;
        } else {
            err = text[1] == '-' ? walk_long(&w, text + 2) : walk_short(&w, text + 1);
        }
        if (err != ERR_OK) {
            return err;
        }
        if (stop) {
            break;
        }
    }
    *operand = w.at;
    return ERR_OK;
}

enum err option_parse(const struct option_set *set, int argc, char **argv, int *operand)
{
    struct parse p = { .set = set };
    p.given = mem_zalloc(set->count * sizeof(*p.given));
    int first_operand = argc;
    enum err err = walk_argv(&p, PASS_FORM, argc, argv, &first_operand);
    if (err == ERR_OK) {
        err = read_environment(&p);
    }
    if (err == ERR_OK && p.config != NULL) {
        err = read_config(&p);
    }
    if (err == ERR_OK) {
        err = walk_argv(&p, PASS_VALUES, argc, argv, &first_operand);
    }
    if (err == ERR_OK && operand != NULL) {
        *operand = first_operand;
    }
    free(p.given);
    return err;
}
