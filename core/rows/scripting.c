/*
 * rows of the group "scripting": what is answered for there is none. rows.h explains the columns.
 */
#include "rows/rows.h"

/* clang-format off */

static const struct command function_rows[] = {
    { "function|flush", -2, CMD_WRITE | CMD_NOSCRIPT | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_WRITE | CAT_SLOW | CAT_SCRIPTING, run_function_flush, PLAIN,
      "OK: there are no functions", "7.0.0", "scripting", "O(1)",
      "[ASYNC | SYNC]" },
};

static const struct command script_rows[] = {
    { "script|flush", -2, CMD_NOSCRIPT | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_SCRIPTING, run_script_flush, PLAIN,
      "OK: there are no scripts", "2.6.0", "scripting", "O(1)",
      "[ASYNC | SYNC]" },
};

static const struct command rows[] = {
    { "function", -2, 0, NO_KEYS, NEED_NOTHING,
      CAT_SLOW, NULL, SUBS(function_rows),
      "Only its FLUSH is there: Cofre runs no scripts", "7.0.0", "scripting", "O(1)",
      "" },
    { "script", -2, 0, NO_KEYS, NEED_NOTHING,
      CAT_SLOW, NULL, SUBS(script_rows),
      "Only its FLUSH is there: Cofre runs no scripts", "2.6.0", "scripting", "O(1)",
      "" },
};

const struct command_group rows_scripting = { rows, ARRAY_SIZE(rows) };
