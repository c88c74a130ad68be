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

/*
 * Key positions: first, last, step; then what is done with the first key and with the others. Without _AS: RW, access,
 * update for CMD_WRITE, else RO, access.
 */
#define NO_KEYS     0, 0, 0, 0, 0
#define ONE_KEY     1, 1, 1, 0, 0
#define TWO_KEYS    1, 2, 1, 0, 0
#define ALL_KEYS    1, -1, 1, 0, 0
#define SECOND_KEY  2, 2, 1, 0, 0
#define FROM_SECOND 2, -1, 1, 0, 0
#define PAIRS       1, -1, 2, 0, 0

#define ONE_KEY_AS(access)           1, 1, 1, (access), 0
/* and others that a keys function finds */
#define FIRST_KEY_AS(access, rest)   1, 1, 1, (access), (rest)
#define FOUND_KEYS_AS(access)        0, 0, 0, (access), 0
#define TWO_KEYS_AS(access, second)  1, 2, 1, (access), (second)
#define ALL_KEYS_AS(access, rest)    1, -1, 1, (access), (rest)
#define SECOND_KEY_AS(access)        2, 2, 1, (access), 0
#define FROM_SECOND_AS(access, rest) 2, -1, 1, (access), (rest)
#define PAIRS_AS(access)             1, -1, 2, (access), 0

/* needs, walk, keys, subcommands and their count. */
#define PLAIN                NULL, NULL, NULL, NULL, 0
#define NEEDS(function)      function, NULL, NULL, NULL, 0
#define WALK(function)       NULL, function, NULL, NULL, 0
#define MOVABLE(keys, needs) needs, NULL, keys, NULL, 0
#define SUBS(rows)           NULL, NULL, NULL, rows, ARRAY_SIZE(rows)

struct command_group {
    const struct command *rows;
    size_t count;
};

extern const struct command_group rows_acl, rows_bitmap, rows_connection, rows_generic,
    rows_hyperloglog, rows_pubsub, rows_scripting, rows_server, rows_string, rows_transactions;

#endif
