/*
 * rows of the group "bitmap": values as rows of bits. rows.h explains the columns.
 */
#include "rows/rows.h"

/* clang-format off */

static const struct command rows[] = {
    { "bitcount", -2, CMD_READONLY, ONE_KEY, NEED_VALUE,
      CAT_READ | CAT_BITMAP | CAT_SLOW, run_bitcount, PLAIN,
      "Counts the bits that are 1 in a value, or in a part of it", "2.6.0", "bitmap", "O(N)",
      "key [start end [BYTE | BIT]]" },
    { "bitfield", -2, CMD_WRITE | CMD_DENYOOM, ONE_KEY_AS(KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE), NEED_VALUE,
      CAT_WRITE | CAT_BITMAP | CAT_SLOW, run_bitfield, PLAIN,
      "Reads and writes integers of any width in a value", "3.2.0", "bitmap", "O(1) for each operation",
      "key [<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment>> [operation ...]]" },
    { "bitfield_ro", -2, CMD_READONLY | CMD_FAST, ONE_KEY, NEED_VALUE,
      CAT_READ | CAT_BITMAP | CAT_FAST, run_bitfield_ro, PLAIN,
      "Reads integers of any width in a value", "6.0.0", "bitmap", "O(1) for each operation",
      "key [<GET encoding offset> [operation ...]]" },
    { "bitop", -4, CMD_WRITE | CMD_DENYOOM, FROM_SECOND_AS(KEY_OW | KEY_UPDATE, KEY_RO | KEY_ACCESS), NEED_VALUE,
      CAT_WRITE | CAT_BITMAP | CAT_SLOW, run_bitop, NEEDS(needs_bitop),
      "Stores what AND, OR, XOR or NOT makes of values", "2.6.0", "bitmap", "O(N)",
      "operation destkey key [key ...]" },
    { "bitpos", -3, CMD_READONLY, ONE_KEY, NEED_VALUE,
      CAT_READ | CAT_BITMAP | CAT_SLOW, run_bitpos, PLAIN,
      "Finds the first bit that is 0 or 1 in a value, or in a part of it", "2.8.7", "bitmap", "O(N)",
      "key bit [start [end [BYTE | BIT]]]" },
    { "getbit", 3, CMD_READONLY | CMD_FAST, ONE_KEY, NEED_VALUE,
      CAT_READ | CAT_BITMAP | CAT_FAST, run_getbit, PLAIN,
      "Returns a bit of a value", "2.2.0", "bitmap", "O(1)",
      "key offset" },
    { "setbit", 4, CMD_WRITE | CMD_DENYOOM, ONE_KEY, NEED_VALUE,
      CAT_WRITE | CAT_BITMAP | CAT_SLOW, run_setbit, PLAIN,
      "Sets a bit of a value, which grows as needed, and returns what it was", "2.2.0", "bitmap", "O(1)",
      "key offset value" },
};

const struct command_group rows_bitmap = { rows, ARRAY_SIZE(rows) };
