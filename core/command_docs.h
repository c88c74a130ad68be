/*
 * command_docs: what COMMAND INFO and COMMAND DOCS say about a row, as Redis says it.
 */
#ifndef COFRE_COMMAND_DOCS_H
#define COFRE_COMMAND_DOCS_H

#include "command_table.h"

/* command_reply_info writes the array of ten that COMMAND INFO has for each command. */
void command_reply_info(struct resp_writer *w, const struct command *command);

/* command_reply_docs writes the name and the map that COMMAND DOCS has for each command: two replies. */
void command_reply_docs(struct resp_writer *w, const struct command *command);

/* command_category_flag returns enum command_category of "read", in any case, or 0; both directions use one table. */
uint32_t command_category_flag(struct slice name);
/* The categories in Redis's order: the name, and *bit. */
size_t command_category_count(void);
const char *command_category_at(size_t i, uint32_t *bit);

/*
 * struct syntax_arg: one argument of a `syntax` string, in the nested form of COMMAND DOCS.
 */
enum syntax_type {
    SYNTAX_STRING,
    SYNTAX_INTEGER,
    SYNTAX_DOUBLE,
    SYNTAX_KEY,
    SYNTAX_PATTERN,
    SYNTAX_UNIX_TIME,
    SYNTAX_PURE_TOKEN,
    SYNTAX_ONEOF,
    SYNTAX_BLOCK,
};

struct syntax_arg {
    enum syntax_type type;
    struct slice name;  /* empty for ONEOF and BLOCK: the reply names them after what they hold */
    struct slice token; /* the word before it, or empty */
    bool optional;
    bool multiple;
    int first_child; /* ONEOF, BLOCK: index of the first; then by .next; -1 ends */
    int next;
};

enum { SYNTAX_ARGS_MAX = 48 };

struct syntax {
    struct syntax_arg args[SYNTAX_ARGS_MAX];
    int count;
    int first; /* -1: no arguments */
};

/* syntax_parse reads a row's `syntax`. ERR_INVALID for a row that does not follow the notation. */
MUST_CHECK enum err syntax_parse(const char *text, struct syntax *out);

#endif
