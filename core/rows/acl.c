/*
 * rows of ACL, a part of the group "server". rows.h explains the columns. What changes the ACL is not for transactions: it
 * counts at once, and a turn may run twice.
 */
#include "rows/rows.h"

/* clang-format off */

#define LOOKS   CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_LOCAL
#define ADMIN   CMD_ADMIN | LOOKS
#define CHANGES ADMIN | CMD_NO_MULTI
#define ADMINS  CAT_ADMIN | CAT_SLOW | CAT_DANGEROUS

static const struct command acl_subrows[] = {
    { "acl|cat", -2, LOOKS, NO_KEYS, NEED_NOTHING,
      CAT_SLOW, run_acl_cat, PLAIN,
      "Returns the categories of commands, or the commands of one", "6.0.0", "server", "O(1)",
      "[categoryname]" },
    { "acl|deluser", -3, CHANGES, NO_KEYS, NEED_NOTHING,
      ADMINS, run_acl_deluser, PLAIN,
      "Deletes users and closes their connections", "6.0.0", "server", "O(N)",
      "username [username ...]" },
    { "acl|dryrun", -4, ADMIN, NO_KEYS, NEED_NOTHING,
      ADMINS, run_acl_dryrun, PLAIN,
      "Says whether a user or an identity could run a command", "7.0.0", "server", "O(1)",
      "username command [arg [arg ...]]" },
    { "acl|genpass", -2, LOOKS, NO_KEYS, NEED_NOTHING,
      CAT_SLOW, run_acl_genpass, PLAIN,
      "Returns random hexadecimal digits", "6.0.0", "server", "O(1)",
      "[bits]" },
    { "acl|getuser", 3, ADMIN, NO_KEYS, NEED_NOTHING,
      ADMINS, run_acl_getuser, PLAIN,
      "Describes a user", "6.0.0", "server", "O(N)",
      "username" },
    { "acl|help", 2, CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW, run_acl_help, PLAIN,
      "Describes the subcommands", "6.0.0", "server", "O(1)",
      "" },
    { "acl|list", 2, ADMIN, NO_KEYS, NEED_NOTHING,
      ADMINS, run_acl_list, PLAIN,
      "Returns the users as the ACL file has them", "6.0.0", "server", "O(N)",
      "" },
    { "acl|load", 2, CHANGES, NO_KEYS, NEED_NOTHING,
      ADMINS, run_acl_load, PLAIN,
      "Reads the ACL file again, all of it or nothing", "6.0.0", "server", "O(N)",
      "" },
    { "acl|log", -2, ADMIN, NO_KEYS, NEED_NOTHING,
      ADMINS, run_acl_log, PLAIN,
      "Returns what the ACL refused lately", "6.0.0", "server", "O(N)",
      "[count | RESET]" },
    { "acl|save", 2, CHANGES, NO_KEYS, NEED_NOTHING,
      ADMINS, run_acl_save, PLAIN,
      "Writes the users to the ACL file", "6.0.0", "server", "O(N)",
      "" },
    { "acl|setuser", -3, CHANGES, NO_KEYS, NEED_NOTHING,
      ADMINS, run_acl_setuser, PLAIN,
      "Makes or changes a user", "6.0.0", "server", "O(N)",
      "username [rule [rule ...]]" },
    { "acl|users", 2, ADMIN, NO_KEYS, NEED_NOTHING,
      ADMINS, run_acl_users, PLAIN,
      "Returns the names of the users", "6.0.0", "server", "O(N)",
      "" },
    { "acl|whoami", 2, LOOKS, NO_KEYS, NEED_NOTHING,
      CAT_SLOW, run_acl_whoami, PLAIN,
      "Returns the identity that the certificate gives", "6.0.0", "server", "O(1)",
      "" },
};

static const struct command rows[] = {
    { "acl", -2, 0, NO_KEYS, NEED_NOTHING,
      CAT_SLOW, NULL, SUBS(acl_subrows),
      "Commands about users and what they may do", "6.0.0", "server", "O(1)",
      "" },
};

const struct command_group rows_acl = { rows, ARRAY_SIZE(rows) };
