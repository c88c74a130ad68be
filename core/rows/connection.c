/*
 * rows of the group "connection": commands about connections. rows.h explains the columns.
 */
#include "rows/rows.h"

/* clang-format off */

static const struct command client_rows[] = {
    { "client|getname", 2, CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_CONNECTION, run_client_getname, PLAIN,
      "Returns the name of the connection", "2.6.9", "connection", "O(1)",
      "" },
    { "client|help", 2, CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_CONNECTION, run_client_help, PLAIN,
      "Describes the subcommands", "5.0.0", "connection", "O(1)",
      "" },
    { "client|id", 2, CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_CONNECTION, run_client_id, PLAIN,
      "Returns the id of the connection", "5.0.0", "connection", "O(1)",
      "" },
    { "client|info", 2, CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_CONNECTION, run_client_info, PLAIN,
      "Describes the connection", "6.2.0", "connection", "O(1)",
      "" },
    { "client|list", -2, CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_ADMIN | CAT_SLOW | CAT_DANGEROUS | CAT_CONNECTION, run_client_list, PLAIN,
      "Describes all connections", "2.4.0", "connection", "O(N)",
      "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]" },
    { "client|setinfo", 4, CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_CONNECTION, run_client_setinfo, PLAIN,
      "Sets the name or version of the client library", "7.2.0", "connection", "O(1)",
      "<LIB-NAME libname | LIB-VER libver>" },
    { "client|setname", 3, CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW | CAT_CONNECTION, run_client_setname, PLAIN,
      "Sets the name of the connection", "2.6.9", "connection", "O(1)",
      "connection-name" },
};

static const struct command rows[] = {
    { "auth", -2, CMD_ALLOW_BUSY | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_FAST | CAT_CONNECTION, run_auth, PLAIN,
      "Confirms who the certificate says the client is; the password is ignored", "1.0.0", "connection", "O(1)",
      "[username] password" },
    { "client", -2, 0, NO_KEYS, NEED_NOTHING,
      CAT_SLOW, NULL, SUBS(client_rows),
      "Commands about client connections", "2.4.0", "connection", "O(1)",
      "" },
    { "echo", 2, CMD_LOADING | CMD_STALE | CMD_FAST | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_FAST | CAT_CONNECTION, run_echo, PLAIN,
      "Returns its argument", "1.0.0", "connection", "O(1)",
      "message" },
    { "hello", -1, CMD_ALLOW_BUSY | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_FAST | CAT_CONNECTION, run_hello, PLAIN,
      "Chooses the protocol version and describes the server", "6.0.0", "connection", "O(1)",
      "[protover [AUTH username password] [SETNAME clientname]]" },
    { "ping", -1, CMD_FAST | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_FAST | CAT_CONNECTION, run_ping, PLAIN,
      "Answers PONG, or its argument", "1.0.0", "connection", "O(1)",
      "[message]" },
    { "quit", -1, CMD_ALLOW_BUSY | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_LOCAL | CMD_IN_MULTI, NO_KEYS, NEED_NOTHING,
      CAT_FAST | CAT_CONNECTION, run_quit, PLAIN,
      "Closes the connection", "1.0.0", "connection", "O(1)",
      "" },
    { "reset", 1, CMD_ALLOW_BUSY | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_LOCAL | CMD_IN_MULTI, NO_KEYS, NEED_NOTHING,
      CAT_FAST | CAT_CONNECTION, run_reset, PLAIN,
      "Makes the connection as it was when it was new", "6.2.0", "connection", "O(1)",
      "" },
    { "select", 2, CMD_LOADING | CMD_STALE | CMD_FAST | CMD_LOCAL | CMD_SELECT, NO_KEYS, NEED_NOTHING,
      CAT_FAST | CAT_CONNECTION, run_select, PLAIN,
      "Selects the database", "1.0.0", "connection", "O(1)",
      "index" },
};

const struct command_group rows_connection = { rows, ARRAY_SIZE(rows) };
