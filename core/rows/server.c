/*
 * rows of the group "server": commands about the server and its databases. rows.h explains the columns.
 */
#include "rows/rows.h"

/* clang-format off */

static const struct command command_subrows[] = {
    { "command|count", 2, CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_CONNECTION, run_command_count, PLAIN,
      "Counts the commands", "2.8.13", "server", "O(1)",
      "" },
    { "command|docs", -2, CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_CONNECTION, run_command_docs, PLAIN,
      "Documents commands", "7.0.0", "server", "O(N)",
      "[command-name [command-name ...]]" },
    { "command|getkeys", -4, CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_CONNECTION, run_command_getkeys, PLAIN,
      "Returns the keys of a whole command", "2.8.13", "server", "O(1)",
      "command [arg [arg ...]]" },
    { "command|help", 2, CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_CONNECTION, run_command_help, PLAIN,
      "Describes the subcommands", "5.0.0", "server", "O(1)",
      "" },
    { "command|info", -2, CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_CONNECTION, run_command_info, PLAIN,
      "Describes commands", "2.8.13", "server", "O(N)",
      "[command-name [command-name ...]]" },
    { "command|list", -2, CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_CONNECTION, run_command_list, PLAIN,
      "Returns the names of the commands", "7.0.0", "server", "O(N)",
      "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]" },
};

static const struct command config_rows[] = {
    { "config|get", -3, CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_ADMIN | CAT_SLOW | CAT_DANGEROUS, run_config_get, PLAIN,
      "Returns the parameters that match patterns", "2.0.0", "server", "O(N)",
      "parameter [parameter ...]" },
    { "config|set", -4, CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_ADMIN | CAT_SLOW | CAT_DANGEROUS, run_config_set, PLAIN,
      "Sets parameters", "2.0.0", "server", "O(N)",
      "parameter value [parameter value ...]" },
    { "config|help", 2, CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW, run_config_help, PLAIN,
      "Describes the subcommands", "5.0.0", "server", "O(1)",
      "" },
};

static const struct command rows[] = {
    { "command", -1, CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_CONNECTION, run_command, SUBS(command_subrows),
      "Describes all commands", "2.8.13", "server", "O(N)",
      "" },
    { "config", -2, 0, NO_KEYS, NEED_NOTHING,
      CAT_SLOW, NULL, SUBS(config_rows),
      "Commands about the configuration", "2.0.0", "server", "O(1)",
      "" },
    { "dbsize", 1, CMD_READONLY | CMD_FAST, NO_KEYS, NEED_NOTHING,
      CAT_KEYSPACE | CAT_READ | CAT_FAST, run_dbsize, WALK(walk_dbsize),
      "Counts the keys of the database", "1.0.0", "server", "O(1)",
      "" },
    { "flushall", -1, CMD_WRITE, NO_KEYS, NEED_NOTHING,
      CAT_KEYSPACE | CAT_WRITE | CAT_SLOW | CAT_DANGEROUS, run_flushall, WALK(walk_flushall),
      "Deletes all keys of all databases", "1.0.0", "server", "O(1)",
      "[ASYNC | SYNC]" },
    { "flushdb", -1, CMD_WRITE, NO_KEYS, NEED_NOTHING,
      CAT_KEYSPACE | CAT_WRITE | CAT_SLOW | CAT_DANGEROUS, run_flushdb, WALK(walk_flushdb),
      "Deletes all keys of the database", "1.0.0", "server", "O(1)",
      "[ASYNC | SYNC]" },
    { "info", -1, CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_DANGEROUS, run_info, PLAIN,
      "Describes the state of the server", "1.0.0", "server", "O(1)",
      "[section [section ...]]" },
    { "time", 1, CMD_LOADING | CMD_STALE | CMD_FAST | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_FAST, run_time, PLAIN,
      "Returns the time of the database server", "2.6.0", "server", "O(1)",
      "" },
};

const struct command_group rows_server = { rows, ARRAY_SIZE(rows) };
