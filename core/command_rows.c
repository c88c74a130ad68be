/*
 * command_rows: the rows of all groups as one table in order of their names. The rows are in rows/, lookup by name is in
 * command_table.c.
 */
#include "rows/rows.h"

#include <stdlib.h>
#include <string.h>

static const struct command_group *const groups[] = {
    &rows_acl,    &rows_bitmap,    &rows_connection, &rows_generic, &rows_hyperloglog,
    &rows_pubsub, &rows_scripting, &rows_server,     &rows_string,  &rows_transactions,
};

/*
 * The one exception to "no mutable globals" beside the log level: C cannot sort constants that are in several files, and
 * to pass a table to whatever looks a name up would say that there could be two. Filled before main, then never written.
 *
 *     [0, top_count) the commands, sorted by name · [top_count, id_count) the subcommands, container by container
 */
static struct command table[COMMAND_IDS_MAX];
static size_t top_count;
static size_t id_count;

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const struct command *)a)->name, ((const struct command *)b)->name);
}

/* add_rows copies rows to the end of the table and returns where they are. */
static const struct command *add_rows(const struct command *rows, size_t count)
{
    if (id_count + count > COMMAND_IDS_MAX) {
        abort();
    }
    struct command *to = &table[id_count];
    memcpy(to, rows, count * sizeof(*rows));
    id_count += count;
    return to;
}

__attribute__((constructor)) static void fill_table(void)
{
    for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
        add_rows(groups[g]->rows, groups[g]->count);
    }
    top_count = id_count;
    qsort(table, top_count, sizeof(table[0]), compare_rows);
    for (size_t i = 0; i < top_count; i++) {
        if (table[i].subcommands != NULL) {
            table[i].subcommands = add_rows(table[i].subcommands, table[i].subcommand_count);
        }
    }
}

size_t command_count(void)
{
    return top_count;
}

const struct command *command_at(size_t i)
{
    return &table[i];
}

size_t command_id(const struct command *command)
{
    return (size_t)(command - table);
}

size_t command_id_count(void)
{
    return id_count;
}

const struct command *command_by_id(size_t id)
{
    return &table[id];
}

void command_each(void (*visit)(const struct command *command, void *arg), void *arg)
{
    for (size_t i = 0; i < top_count; i++) {
        visit(&table[i], arg);
        for (size_t sub = 0; sub < table[i].subcommand_count; sub++) {
            visit(&table[i].subcommands[sub], arg);
        }
    }
}
