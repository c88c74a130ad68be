/*
 * option: command-line and configuration-file options as rows of a table.
 * One table per program gives parsing, --help, --version and the keys of --config FILE
 * (lines `name = value` or `name value`, # comments; the command line wins over the file).
 */
#ifndef COFRE_BASE_OPTION_H
#define COFRE_BASE_OPTION_H

#include "base/slice.h"

enum option_kind {
    OPTION_FLAG,    /* bool *            true when given; in a file also yes|no */
    OPTION_TEXT,    /* const char **     a string that lives as long as the process */
    OPTION_LIST,    /* struct option_list *  repeatable; commas are not split */
    OPTION_INT,     /* int64_t *         decimal within [min, max] */
    OPTION_BYTES,   /* int64_t *         as INT, suffixes k m g (powers of 1024) */
    OPTION_SECONDS, /* int64_t *      milliseconds; given as seconds, 0.5 is fine */
    OPTION_CHOICE,  /* int *             index into .choices */
};

struct option_list {
    const char **items; /* grown by option_parse; lives as long as the process */
    size_t count;
};

/*
 * struct option: one row.
 * name      long name without dashes; also the key in the configuration file
 * letter    short form, or 0
 * kind      how to read the value, and the type of .target
 * target    where the value goes; its initial content is the default that --help shows
 * min, max  bounds for INT, BYTES, SECONDS (in the target's unit)
 * choices   NULL-terminated names for CHOICE
 * argument  placeholder in --help, "FILE"
 * help      one line
 * env       environment variable that sets the default, or NULL
 */
struct option {
    const char *name;
    char letter;
    enum option_kind kind;
    void *target;
    int64_t min;
    int64_t max;
    const char *const *choices;
    const char *argument;
    const char *help;
    const char *env;
};

struct option_set {
    const char *program;  /* "cofre-core" */
    const char *synopsis; /* one line after "Usage: program" */
    const char *about;    /* a paragraph for --help */
    const struct option *rows;
    size_t count;
    bool has_config;      /* accept --config FILE */
    bool stop_at_operand; /* the first non-option ends the options (the client's COMMAND) */
};

/*
 * option_parse reads environment, --config FILE, then argv. --help and --version print and exit 0.
 * On a bad option it prints one clear line to standard error and returns ERR_INVALID (the caller
 * exits with 2). *operand is the index of the first operand in argv (argc when there is none);
 * operands are an error unless stop_at_operand.
 */
MUST_CHECK enum err option_parse(const struct option_set *set, int argc, char **argv, int *operand);

#endif
