/*
 * rows: the table of commands, one file for each group of COMMAND DOCS. A command is a row in the file of its group; a new
 * group is a file, a line here and one in command_rows.c. Order within a file does not matter to the code: command_rows
 * sorts them all. Columns as struct command has them (command_table.h):
 *
 *     name, arity, flags, keys, need,
 *     categories, function, PLAIN or what is special about it,
 *     summary, the Redis version it came with, group, complexity,
 *     arguments
 */
#ifndef COFRE_ROWS_H
#define COFRE_ROWS_H

#include "command_table.h"
#include "commands/commands.h"

/* Key positions: first, last, step. */
#define NO_KEYS  0, 0, 0
#define ONE_KEY  1, 1, 1
#define TWO_KEYS 1, 2, 1
#define ALL_KEYS 1, -1, 1
#define PAIRS    1, -1, 2

/* needs, walk, subcommands and their count. */
#define PLAIN           NULL, NULL, NULL, 0
#define NEEDS(function) function, NULL, NULL, 0
#define WALK(function)  NULL, function, NULL, 0
#define SUBS(rows)      NULL, NULL, rows, ARRAY_SIZE(rows)

struct command_group {
    const struct command *rows;
    size_t count;
};

extern const struct command_group rows_connection, rows_generic, rows_pubsub, rows_server,
    rows_string, rows_transactions;

#endif
