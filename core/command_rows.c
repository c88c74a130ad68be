/*
 * command_rows: the rows of all groups as one table in order of their names. The rows are in rows/, lookup by name is in
 * command_table.c.
 */
#include "rows/rows.h"

#include <stdlib.h>
#include <string.h>

static const struct command_group *const groups[] = {
    &rows_connection, &rows_generic, &rows_pubsub, &rows_server, &rows_string, &rows_transactions,
};

enum { ROWS_MAX = 512 };

/*
 * The one exception to "no mutable globals" beside the log level: C cannot sort constants that are in several files, and
 * to pass a table to whatever looks a name up would say that there could be two. Filled before main, then never written.
 */
static const struct command *by_name[ROWS_MAX];
static size_t row_count;

static int compare_rows(const void *a, const void *b)
{
    const struct command *x = *(const struct command *const *)a;
    const struct command *y = *(const struct command *const *)b;
    return strcmp(x->name, y->name);
}

__attribute__((constructor)) static void sort_rows(void)
{
    for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
        if (row_count + groups[g]->count > ROWS_MAX) {
            abort();
        }
        for (size_t i = 0; i < groups[g]->count; i++) {
            by_name[row_count++] = &groups[g]->rows[i];
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
