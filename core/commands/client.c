/*
 * client: CLIENT as far as it is about the caller's own connection: names, replies, switches; and PAUSE, which is about
 * everybody's. What of other connections is shown or ended is in clients.c.
 */
#include "commands/commands.h"
#include "commands/names.h"
#include "core.h"
#include "deeds.h"

/* --- names ---------------------------------------------------------------------------------- */

/* Redis's validateClientAttr: CLIENT LIST shows these unquoted. */
bool is_plain_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '!' || s.p[i] > '~') {
            return false;
        }
    }
    return true;
}

bool set_name(struct call *call, enum session_name which, struct slice name)
{
    static const char *const what[SESSION_NAME_COUNT] = {
        [SESSION_NAME] = "Client names",
        [SESSION_LIB_NAME] = "lib-name",
        [SESSION_LIB_VERSION] = "lib-ver",
    };
    if (!is_plain_name(name)) {
        resp_error(call->reply, "ERR %s cannot contain spaces, newlines or special characters.",
                   what[which]);
        return false;
    }
    session_set_name(call->session, which, name);
    return true;
}

void run_client_setname(struct call *call)
{
    if (set_name(call, SESSION_NAME, call->argv[2])) {
        resp_ok(call->reply);
    }
}

void run_client_getname(struct call *call)
{
    struct slice name = session_name(call->session, SESSION_NAME);
    if (name.len > 0) {
        resp_bulk(call->reply, name);
    } else {
        resp_null(call->reply);
    }
}

void run_client_setinfo(struct call *call)
{
    enum session_name which = SESSION_LIB_NAME;
    if (call_arg_is(call, 2, "lib-ver")) {
        which = SESSION_LIB_VERSION;
    } else if (!call_arg_is(call, 2, "lib-name")) {
        int shown = call->argv[2].len < 128 ? (int)call->argv[2].len : 128;
        resp_error(call->reply, "ERR Unrecognized option '%.*s'", shown,
                   (const char *)call->argv[2].p);
        return;
    }
    if (set_name(call, which, call->argv[3])) {
        resp_ok(call->reply);
    }
}

void run_client_id(struct call *call)
{
    resp_int(call->reply, (int64_t)session_id(call->session));
}

/* --- switches ------------------------------------------------------------------------------- */

/* turn_switch reads ON or OFF from the third argument. */
static void turn_switch(struct call *call, enum session_switch which)
{
    const bool on = call_arg_is(call, 2, "on");
    if (!on && !call_arg_is(call, 2, "off")) {
        reply_syntax_error(call);
        return;
    }
    session_switch(call->session, which, on);
    resp_ok(call->reply);
}

/* Nothing is ever evicted here, neither clients nor keys: both are kept for CLIENT LIST to show. */
void run_client_no_evict(struct call *call)
{
    turn_switch(call, SESSION_NO_EVICT);
}

void run_client_no_touch(struct call *call)
{
    turn_switch(call, SESSION_NO_TOUCH);
}

/*
 * OFF and SKIP are not answered themselves: the reply is empty, or dispatch drops it. In a transaction that would be a hole
 * in EXEC's reply, which clients could not read any more (as they cannot with Redis).
 */
void run_client_reply(struct call *call)
{
    struct session *s = call->session;
    if (call->ws != NULL) {
        resp_error(call->reply, "ERR CLIENT REPLY is not possible inside a transaction");
    } else if (call_arg_is(call, 2, "on")) {
        session_switch(s, SESSION_REPLY_OFF | SESSION_REPLY_SKIP, false);
        resp_ok(call->reply);
    } else if (call_arg_is(call, 2, "off")) {
        session_switch(s, SESSION_REPLY_OFF, true);
    } else if (call_arg_is(call, 2, "skip")) {
        session_switch(s, SESSION_REPLY_SKIP_NEXT, (session_switches(s) & SESSION_REPLY_OFF) == 0);
    } else {
        reply_syntax_error(call);
    }
}

/* A second MONITOR is answered, too: Redis says nothing, and lets its client wait. */
void run_monitor(struct call *call)
{
    if (call->ws != NULL) {
        resp_error(call->reply, "ERR MONITOR isn't allowed for DENY BLOCKING client");
        return;
    }
    session_monitor(call->session);
    resp_ok(call->reply);
}

/* --- PAUSE, UNPAUSE, UNBLOCK ---------------------------------------------------------------- */

/* reply_unfit: Redis's words where the row's arity cannot say how many arguments there may be. */
static void reply_unfit(struct call *call)
{
    int shown = call->argv[1].len < 128 ? (int)call->argv[1].len : 128;
    resp_error(call->reply,
               "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try CLIENT HELP.",
               shown, (const char *)call->argv[1].p);
}

/* pause_mode reads [WRITE|ALL]; false after an error reply. */
static bool pause_mode(struct call *call, bool *writes_only)
{
    *writes_only = call->argc == 4 && call_arg_is(call, 3, "write");
    if (call->argc > 4) {
        reply_unfit(call);
        return false;
    }
    if (call->argc == 4 && !*writes_only && !call_arg_is(call, 3, "all")) {
        resp_error(call->reply, "ERR CLIENT PAUSE mode must be WRITE or ALL");
        return false;
    }
    return true;
}

void run_client_pause(struct call *call)
{
    enum {
        MOST_MS = INT32_MAX
    }; /* 24 days: nobody is paused so long, and sums of times stay small */
    bool writes_only = false;
    int64_t ms = 0;
    if (!pause_mode(call, &writes_only)) {
        return;
    }
    if (slice_to_i64(call->argv[2], &ms) != ERR_OK) {
        resp_error(call->reply, "ERR timeout is not an integer or out of range");
        return;
    }
    if (ms < 0) {
        resp_error(call->reply, "ERR timeout is negative");
        return;
    }
    const struct deed deed = {
        .kind = DEED_PAUSE,
        .writes_only = writes_only,
        .keyspace = session_vars(call->session)->keyspace,
        .ms = ms < MOST_MS ? ms : MOST_MS,
    };
    deeds_note(call->deeds, &deed);
    resp_ok(call->reply);
}

void run_client_unpause(struct call *call)
{
    const struct deed deed = {
        .kind = DEED_UNPAUSE,
        .keyspace = session_vars(call->session)->keyspace,
    };
    deeds_note(call->deeds, &deed);
    resp_ok(call->reply);
}

/* Nothing blocks here: there is never anybody to unblock. */
void run_client_unblock(struct call *call)
{
    int64_t id = 0;
    if (call->argc > 4) {
        reply_unfit(call);
    } else if (call->argc == 4 && !call_arg_is(call, 3, "timeout") &&
               !call_arg_is(call, 3, "error")) {
        resp_error(call->reply, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    } else if (call_i64(call, 2, &id)) {
        resp_int(call->reply, 0);
    }
}

void run_client_help(struct call *call)
{
    static const char *const lines[] = {
        "CACHING (YES|NO)",
        "    Say whether the keys of the next command are tracked (OPTIN, OPTOUT).",
        "GETREDIR",
        "    Return the ID of the client that is told of changed keys instead of this one.",
        "GETNAME",
        "    Return the name of the current connection.",
        "ID",
        "    Return the ID of the current connection.",
        "INFO",
        "    Return information about the current client connection.",
        "KILL <ip:port>",
        "    Kill connection made from <ip:port>.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Kill connections that all options fit. Options are those of LIST.",
        "LIST [<option> <value> [<option> <value> [...]]]",
        "    Return information about client connections. Options:",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Connections of this type.",
        "    * ID <client-id> [<client-id> ...]",
        "      Connections with these ids.",
        "    * USER <username>",
        "      Connections of this identity.",
        "    * ADDR <ip:port>, LADDR <ip:port>, IP <ip>",
        "      Connections from or to this address.",
        "    * NAME <name>, LIB-NAME <name>, LIB-VER <version>, DB <number>",
        "      Connections that have set these.",
        "    * MAXAGE <seconds>, IDLE <seconds>",
        "      Connections that are at least so old, or idle for so long.",
        "    * SKIPME (YES|NO)",
        "      Leave the current connection out (default: KILL yes, LIST no).",
        "NO-EVICT (ON|OFF)",
        "    Mark the current connection; nothing is evicted here.",
        "NO-TOUCH (ON|OFF)",
        "    Mark the current connection; reading a key leaves no trace here.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Suspend all, or just write, clients for <timeout> milliseconds.",
        "REPLY (ON|OFF|SKIP)",
        "    Control the replies sent to the current connection.",
        "SETINFO <option> <value>",
        "    Set client meta attr. Options are:",
        "    * LIB-NAME: the client lib name.",
        "    * LIB-VER: the client lib version.",
        "SETNAME <name>",
        "    Assign the name <name> to the current connection.",
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
        "         [OPTIN] [OPTOUT] [NOLOOP]",
        "    Tell this client, or another one, when keys that it has read change.",
        "TRACKINGINFO",
        "    Describe the tracking of the current connection.",
        "UNBLOCK <clientid> [TIMEOUT|ERROR]",
        "    Return 0: no command blocks here.",
        "UNPAUSE",
        "    Stop the current client pause, resuming traffic.",
    };
    reply_help(call, "CLIENT", lines, ARRAY_SIZE(lines));
}
