/*
 * rows of the group "hyperloglog": HyperLogLogs: how many different elements. rows.h explains the columns.
 */
#include "rows/rows.h"

/* clang-format off */

static const struct command rows[] = {
    { "pfadd", -2, CMD_WRITE | CMD_DENYOOM | CMD_FAST, ONE_KEY_AS(KEY_RW | KEY_INSERT), NEED_VALUE,
      CAT_WRITE | CAT_HYPERLOGLOG | CAT_FAST, run_pfadd, PLAIN,
      "Adds elements to a HyperLogLog", "2.8.9", "hyperloglog", "O(1) for each element",
      "key [element [element ...]]" },
    { "pfcount", -2, CMD_READONLY | CMD_WRITES_BACK, ALL_KEYS_AS(KEY_RW | KEY_ACCESS, 0), NEED_VALUE,
      CAT_READ | CAT_HYPERLOGLOG | CAT_SLOW, run_pfcount, PLAIN,
      "Estimates how many different elements HyperLogLogs have together", "2.8.9", "hyperloglog", "O(N)",
      "key [key ...]" },
    { "pfdebug", 3, CMD_WRITE | CMD_DENYOOM | CMD_ADMIN, SECOND_KEY_AS(KEY_RW | KEY_ACCESS), NEED_VALUE,
      CAT_WRITE | CAT_HYPERLOGLOG | CAT_ADMIN | CAT_SLOW | CAT_DANGEROUS, run_pfdebug, PLAIN,
      "Shows the inside of a HyperLogLog: GETREG, DECODE, ENCODING, TODENSE", "2.8.9", "hyperloglog", "O(N)",
      "subcommand key" },
    { "pfmerge", -2, CMD_WRITE | CMD_DENYOOM, ALL_KEYS_AS(KEY_RW | KEY_ACCESS | KEY_INSERT, KEY_RO | KEY_ACCESS), NEED_VALUE,
      CAT_WRITE | CAT_HYPERLOGLOG | CAT_SLOW, run_pfmerge, PLAIN,
      "Merges HyperLogLogs into the first of them, which is made if it is missing", "2.8.9", "hyperloglog", "O(N)",
      "destkey [sourcekey [sourcekey ...]]" },
    { "pfselftest", 1, CMD_ADMIN | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_HYPERLOGLOG | CAT_ADMIN | CAT_SLOW | CAT_DANGEROUS, run_pfselftest, PLAIN,
      "Tests the HyperLogLog code", "2.8.9", "hyperloglog", "O(1)",
      "" },
};

const struct command_group rows_hyperloglog = { rows, ARRAY_SIZE(rows) };
