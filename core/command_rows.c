/*
 * command_rows: the rows of all groups as one table in order of their names. The rows are in rows/, lookup by name is in
 * command_table.c.
 */
#include "rows/rows.h"

#include <stdlib.h>
#include <string.h>

static const struct command_group *const groups[] = {
    &rows_connection, &rows_generic, &rows_server, &rows_string, &rows_transactions,
};

enum {
    ROWS_MAX = 512,
    NUMBERS_SIZE = 4096 /* a power of two, over twice as many as there can be */
};

/*
 * The one exception to "no mutable globals" beside the log level: C cannot sort constants that are in several files, and
 * to pass a table to whatever looks a name up would say that there could be two. Filled before main, then never written.
 */
static const struct command *by_name[ROWS_MAX];
static size_t row_count;

/* The rows' numbers, by address: rows of one group lie side by side, so that nearly all find theirs at once. */
static struct {
    const struct command *row;
    size_t number;
} numbers[NUMBERS_SIZE];
static size_t number_count;

static int compare_rows(const void *a, const void *b)
{
    const struct command *x = *(const struct command *const *)a;
    const struct command *y = *(const struct command *const *)b;
    return strcmp(x->name, y->name);
}

static size_t first_slot(const struct command *row)
{
    return (uintptr_t)row / sizeof(*row) & (NUMBERS_SIZE - 1);
}

static void number_row(const struct command *row)
{
    if (number_count == NUMBERS_SIZE / 2) {
        abort();
    }
    size_t i = first_slot(row);
    while (numbers[i].row != NULL) {
        i = (i + 1) & (NUMBERS_SIZE - 1);
    }
    numbers[i].row = row;
    numbers[i].number = number_count++;
}

__attribute__((constructor)) static void sort_rows(void)
{
    for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
        if (row_count + groups[g]->count > ROWS_MAX) {
            abort();
        }
        for (size_t i = 0; i < groups[g]->count; i++) {
            const struct command *row = &groups[g]->rows[i];
            by_name[row_count++] = row;
            number_row(row);
            for (size_t sub = 0; sub < row->subcommand_count; sub++) {
                number_row(&row->subcommands[sub]);
            }
        }
    }
    qsort(by_name, row_count, sizeof(by_name[0]), compare_rows);
}

size_t command_count(void)
{
    return row_count;
}

const struct command *command_at(size_t i)
{
    return by_name[i];
}

size_t command_number(const struct command *command)
{
    size_t i = first_slot(command);
    while (numbers[i].row != command) {
        i = (i + 1) & (NUMBERS_SIZE - 1);
    }
    return numbers[i].number;
}

size_t command_total(void)
{
    return number_count;
}

void command_each(void (*visit)(const struct command *command, void *arg), void *arg)
{
    for (size_t i = 0; i < row_count; i++) {
        visit(by_name[i], arg);
        for (size_t sub = 0; sub < by_name[i]->subcommand_count; sub++) {
            visit(&by_name[i]->subcommands[sub], arg);
        }
    }
}
