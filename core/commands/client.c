/*
 * client: CLIENT and its subcommands: names, and what the core knows of each connection.
 */
#include "commands/commands.h"
#include "commands/names.h"
#include "core.h"

#include <inttypes.h>

/* --- names ---------------------------------------------------------------------------------- */

/* Redis's validateClientAttr: CLIENT LIST shows these unquoted. */
static bool is_plain(struct slice s)
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
    if (!is_plain(name)) {
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

/* --- CLIENT INFO, CLIENT LIST ----------------------------------------------------------------- */

enum { LIST_MAX = 64 * 1024 * 1024 }; /* bytes of a CLIENT LIST */

/* add_field writes name=value; bytes that could forge a field or a line are written as \xNN. */
static void add_field(struct buf *out, const char *name, struct slice value)
{
    buf_printf(out, " %s=", name);
    if (is_plain(value)) {
        buf_append_slice(out, value);
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < '!' || value.p[i] == 0x7f) {
            buf_printf(out, "\\x%02x", value.p[i]);
        } else {
            buf_append(out, &value.p[i], 1);
        }
    }
}

static int64_t multi_field(const struct session *s)
{
    size_t queued = session_multi_count(s);
    return queued == SIZE_MAX ? -1 : (int64_t)queued;
}

static void add_state(struct buf *out, struct session *s, int64_t now_ms)
{
    const struct session_vars *vars = session_vars(s);
    add_field(out, "name", session_name(s, SESSION_NAME));
    buf_printf(out, " age=%" PRId64 " idle=%" PRId64 " flags=%s db=%" PRIu32,
               (now_ms - session_opened_ms(s)) / 1000, session_idle_seconds(s),
               session_in_multi(s) ? "x" : "N", vars->db_number);
    buf_printf(out, " sub=0 psub=0 ssub=0 multi=%" PRId64 " watch=%zu", multi_field(s),
               session_watch_count(s));
    /* Buffers are the gateway's. The fields stay, for those who look for them. */
    buf_printf(out, " qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0"
                    " tot-mem=0 events=r");
}

/* add_session writes one line: Redis's fields in Redis's order, then ours. */
static void add_session(struct buf *out, struct session *s, int64_t now_ms)
{
    const struct frame_open *open = session_open_info(s);
    const char *last = session_last_command(s);
    buf_printf(out, "id=%" PRIu64, session_id(s));
    add_field(out, "addr", open->peer);
    add_field(out, "laddr", open->local);
    buf_printf(out, " fd=-1");
    add_state(out, s, now_ms);
    buf_printf(out, " cmd=%s", last != NULL ? last : "NULL");
    add_field(out, "user", session_identity(s));
    buf_printf(out, " redir=-1 resp=%d", session_vars(s)->protocol);
    add_field(out, "lib-name", session_name(s, SESSION_LIB_NAME));
    add_field(out, "lib-ver", session_name(s, SESSION_LIB_VERSION));
    add_field(out, "tls", open->tls_version);
    add_field(out, "cipher", open->cipher);
    add_field(out, "identity", session_identity(s));
    buf_printf(out, " cert-serial=%.*s cert-expires=%" PRId64 "\n", (int)open->serial.len,
               (const char *)open->serial.p, open->not_after);
}

void client_describe(struct buf *out, struct session *s, int64_t now_ms)
{
    add_session(out, s, now_ms);
}

void run_client_info(struct call *call)
{
    struct buf out;
    buf_init(&out, LIST_MAX);
    add_session(&out, call->session, call->now_ms);
    resp_verbatim(call->reply, "txt", buf_slice(&out));
    buf_release(&out);
}

struct listing {
    struct buf out;
    int64_t now_ms;
};

static void list_visit(struct session *s, void *arg)
{
    struct listing *listing = arg;
    add_session(&listing->out, s, listing->now_ms);
}

/* list_type writes the sessions of a type; false after an error reply. All of ours are normal so far. */
static bool list_type(struct call *call, struct listing *listing)
{
    if (call_arg_is(call, 3, "normal")) {
        core_each_session(call->core, list_visit, listing);
        return true;
    }
    if (call_arg_is(call, 3, "pubsub") || call_arg_is(call, 3, "master") ||
        call_arg_is(call, 3, "replica") || call_arg_is(call, 3, "slave")) {
        return true;
    }
    int shown = call->argv[3].len < 128 ? (int)call->argv[3].len : 128;
    resp_error(call->reply, "ERR Unknown client type '%.*s'", shown, (const char *)call->argv[3].p);
    return false;
}

static bool list_ids(struct call *call, struct listing *listing)
{
    for (uint32_t i = 3; i < call->argc; i++) {
        int64_t id = 0;
        if (slice_to_i64(call->argv[i], &id) != ERR_OK) {
            resp_error(call->reply, "ERR Invalid client ID");
            return false;
        }
        struct session *s = id > 0 ? core_find_session(call->core, (uint64_t)id) : NULL;
        if (s != NULL) {
            list_visit(s, listing);
        }
    }
    return true;
}

static bool list(struct call *call, struct listing *listing)
{
    if (call->argc == 2) {
        core_each_session(call->core, list_visit, listing);
        return true;
    }
    if (call->argc == 4 && call_arg_is(call, 2, "type")) {
        return list_type(call, listing);
    }
    if (call->argc > 3 && call_arg_is(call, 2, "id")) {
        return list_ids(call, listing);
    }
    reply_syntax_error(call);
    return false;
}

void run_client_list(struct call *call)
{
    struct listing listing = { .now_ms = call->now_ms };
    buf_init(&listing.out, LIST_MAX);
    if (list(call, &listing)) {
        resp_verbatim(call->reply, "txt", buf_slice(&listing.out));
    }
    buf_release(&listing.out);
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
        "LIST [options ...]",
        "    Return information about client connections. Options:",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Return clients of specified type.",
        "    * ID <client-id> [<client-id> ...]",
        "      Return clients of specified ids.",
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
    };
    reply_help(call, "CLIENT", lines, ARRAY_SIZE(lines));
}
