/*
 * rows of the group "transactions": MULTI, EXEC and what belongs to them. rows.h explains the columns.
 */
#include "rows/rows.h"

/* clang-format off */

static const struct command rows[] = {
    { "discard", 1, CMD_ALLOW_BUSY | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_LOCAL | CMD_IN_MULTI, NO_KEYS, NEED_NOTHING,
      CAT_FAST | CAT_TRANSACTION, run_discard, PLAIN,
      "Drops the queued commands of a transaction", "2.0.0", "transactions", "O(1)",
      "" },
    { "exec", 1, CMD_SKIP_SLOWLOG | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_IN_MULTI | CMD_EXEC, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_TRANSACTION, run_exec, PLAIN,
      "Runs the queued commands of a transaction, all as one", "1.2.0", "transactions", "O(1)",
      "" },
    { "multi", 1, CMD_ALLOW_BUSY | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_LOCAL | CMD_IN_MULTI, NO_KEYS, NEED_NOTHING,
      CAT_FAST | CAT_TRANSACTION, run_multi, PLAIN,
      "Begins a transaction: what follows is queued for EXEC", "1.2.0", "transactions", "O(1)",
      "" },
    { "unwatch", 1, CMD_ALLOW_BUSY | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_FAST | CAT_TRANSACTION, run_unwatch, PLAIN,
      "Forgets the watched keys", "2.2.0", "transactions", "O(1)",
      "" },
    { "watch", -2, CMD_ALLOW_BUSY | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_IN_MULTI | CMD_ALONE, ALL_KEYS_AS(KEY_RO, 0), NEED_META,
      CAT_FAST | CAT_TRANSACTION, run_watch, NEEDS(needs_watch),
      "Watches keys: EXEC does nothing if one changes before it", "2.2.0", "transactions", "O(N)",
      "key [key ...]" },
};

const struct command_group rows_transactions = { rows, ARRAY_SIZE(rows) };
