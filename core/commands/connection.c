/*
 * connection: commands about the caller's own connection: PING, HELLO, AUTH, SELECT, QUIT and their kin. Who the
 * caller is was settled by the certificate; AUTH can only agree with it.
 */
#include "commands/commands.h"
#include "commands/names.h"
#include "core.h"
#include "session.h"

#include <string.h>

void run_ping(struct call *call)
{
    if (call->argc > 2) {
        reply_wrong_arity(call->reply, call->command);
    } else if (session_only_listens(call->session)) {
        resp_array(call->reply, 2);
        resp_bulk_text(call->reply, "pong");
        resp_bulk(call->reply, call->argc == 2 ? call->argv[1] : SLICE(""));
    } else if (call->argc == 2) {
        resp_bulk(call->reply, call->argv[1]);
    } else {
        resp_simple(call->reply, "PONG");
    }
}

void run_echo(struct call *call)
{
    resp_bulk(call->reply, call->argv[1]);
}

void run_quit(struct call *call)
{
    resp_ok(call->reply);
    session_quit(call->session);
}

void run_reset(struct call *call)
{
    session_reset(call->session);
    call->reply->protocol = session_vars(call->session)->protocol;
    resp_simple(call->reply, "RESET");
}

const char *parse_int32(struct slice s, int64_t *out)
{
    int64_t n = 0;
    if (slice_to_i64(s, &n) != ERR_OK) {
        return "ERR value is not an integer or out of range";
    }
    if (n < INT32_MIN || n > INT32_MAX) {
        return "ERR value is out of range, value must between -2147483648 and 2147483647";
    }
    *out = n;
    return NULL;
}

void run_select(struct call *call)
{
    int64_t number = 0;
    const char *error = parse_int32(call->argv[1], &number);
    if (error == NULL && (number < 0 || number >= core_options(call->core)->databases)) {
        error = "ERR DB index is out of range";
    }
    if (error != NULL) {
        resp_error(call->reply, "%s", error);
        return;
    }
    session_vars(call->session)->db_number = (uint32_t)number;
    resp_ok(call->reply);
}

/* --- AUTH HELLO ---------------------------------------------------------------------------- */

/* is_identity: the identity as it is written ("cn:alice"), its name alone ("alice"), or Redis's word for no one. */
static bool is_identity(const struct session *s, struct slice user)
{
    struct slice identity = session_identity(s);
    if (slice_eq(user, identity) || slice_eq(user, SLICE("default"))) {
        return true;
    }
    const uint8_t *colon = identity.len > 0 ? memchr(identity.p, ':', identity.len) : NULL;
    if (colon == NULL) {
        return false;
    }
    size_t kind = (size_t)(colon + 1 - identity.p);
    return slice_eq(user, (struct slice){ identity.p + kind, identity.len - kind });
}

/* authenticate: the password is ignored, whatever it is: the certificate has proved more. */
static bool authenticate(struct call *call, struct slice user)
{
    if (is_identity(call->session, user)) {
        return true;
    }
    struct slice identity = session_identity(call->session);
    core_refused(call->core, call->session,
                 &(struct core_refusal){
                     .reason = "auth",
                     .context = session_in_multi(call->session) ? "multi" : "toplevel",
                     .object = SLICE("AUTH"),
                     .username = user,
                 });
    resp_error(call->reply,
               "WRONGPASS the certificate decides who you are, and it says '%.*s': AUTH can only "
               "confirm that.",
               (int)identity.len, (const char *)identity.p);
    return false;
}

void run_auth(struct call *call)
{
    if (call->argc > 3) {
        reply_syntax_error(call);
    } else if (call->argc == 2) {
        resp_error(call->reply,
                   "ERR AUTH <password> called without any password configured for the default "
                   "user. Are you sure your configuration is correct?");
    } else if (authenticate(call, call->argv[1])) {
        resp_ok(call->reply);
    }
}

static bool hello_protocol(struct call *call, int *out)
{
    int64_t version = 0;
    if (slice_to_i64(call->argv[1], &version) != ERR_OK) {
        resp_error(call->reply, "ERR Protocol version is not an integer or out of range");
        return false;
    }
    if (version < 2 || version > 3) {
        resp_error(call->reply, "NOPROTO unsupported protocol version");
        return false;
    }
    *out = (int)version;
    return true;
}

/* hello_option reads the option at i and returns how many arguments it took; 0 after an error reply. */
static uint32_t hello_option(struct call *call, uint32_t i)
{
    uint32_t more = call->argc - 1 - i;
    if (more >= 2 && call_arg_is(call, i, "auth")) {
        return authenticate(call, call->argv[i + 1]) ? 3 : 0;
    }
    if (more >= 1 && call_arg_is(call, i, "setname")) {
        return set_name(call, SESSION_NAME, call->argv[i + 1]) ? 2 : 0;
    }
    int shown = call->argv[i].len < 128 ? (int)call->argv[i].len : 128;
    resp_error(call->reply, "ERR Syntax error in HELLO option '%.*s'", shown,
               (const char *)call->argv[i].p);
    return 0;
}

static void reply_hello(struct call *call)
{
    struct resp_writer *w = call->reply;
    resp_map(w, 7);
    resp_bulk_text(w, "server");
    resp_bulk_text(w, "redis"); /* clients look for this word */
    resp_bulk_text(w, "version");
    resp_bulk_text(w, REDIS_VERSION);
    resp_bulk_text(w, "proto");
    resp_int(w, w->protocol);
    resp_bulk_text(w, "id");
    resp_int(w, (int64_t)session_id(call->session));
    resp_bulk_text(w, "mode");
    resp_bulk_text(w, "standalone");
    resp_bulk_text(w, "role");
    resp_bulk_text(w, "master");
    resp_bulk_text(w, "modules");
    resp_array(w, 0);
}

void run_hello(struct call *call)
{
    int protocol = session_vars(call->session)->protocol;
    if (call->argc > 1 && !hello_protocol(call, &protocol)) {
        return;
    }
    for (uint32_t i = 2; i < call->argc;) {
        uint32_t taken = hello_option(call, i);
        if (taken == 0) {
            return;
        }
        i += taken;
    }
    session_vars(call->session)->protocol = protocol;
    call->reply->protocol = protocol;
    reply_hello(call);
}
