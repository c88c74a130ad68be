/*
 * acl: ACL and its subcommands: the users, what was refused, and the file. What rules mean is in acl/.
 */
#include "acl/acl.h"
#include "commands/commands.h"
#include "command_docs.h"
#include "core.h"
#include "session.h"

#include <stdlib.h>
#include <sys/random.h>

static const struct acl_set *users_of(const struct call *call)
{
    return acl_users(core_acl(call->core));
}

/* reply_text writes what a buf holds as an error reply, and gives the buf back. */
static void reply_text(struct call *call, struct buf *text)
{
    const struct slice s = buf_slice(text);
    resp_error(call->reply, "ERR %.*s", (int)s.len, (const char *)s.p);
    buf_release(text);
}

/* --- LIST USERS GETUSER WHOAMI CAT ---------------------------------------------------------- */

void run_acl_users(struct call *call)
{
    const struct acl_set *users = users_of(call);
    resp_array(call->reply, acl_set_count(users));
    for (size_t i = 0; i < acl_set_count(users); i++) {
        resp_bulk(call->reply, acl_set_at(users, i)->name);
    }
}

void run_acl_list(struct call *call)
{
    const struct acl_set *users = users_of(call);
    struct buf line;
    buf_init(&line, SIZE_MAX / 2);
    resp_array(call->reply, acl_set_count(users));
    for (size_t i = 0; i < acl_set_count(users); i++) {
        buf_clear(&line);
        acl_user_line(acl_set_at(users, i), &line);
        resp_bulk(call->reply, buf_slice(&line));
    }
    buf_release(&line);
}

static void reply_field(struct call *call, const char *name, const struct buf *value)
{
    resp_bulk_text(call->reply, name);
    resp_bulk(call->reply, buf_slice(value));
}

static void reply_selector(struct call *call, const struct acl_selector *s)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    acl_selector_describe_commands(s, &text);
    reply_field(call, "commands", &text);
    buf_clear(&text);
    acl_selector_describe_keys(s, &text);
    reply_field(call, "keys", &text);
    buf_clear(&text);
    acl_selector_describe_channels(s, &text);
    reply_field(call, "channels", &text);
    buf_release(&text);
}

static void reply_flags(struct call *call, const struct acl_user *u)
{
    size_t count = 0;
    while (acl_user_flag(u, count) != NULL) {
        count++;
    }
    resp_bulk_text(call->reply, "flags");
    resp_set(call->reply, count);
    for (size_t i = 0; i < count; i++) {
        resp_bulk_text(call->reply, acl_user_flag(u, i));
    }
    resp_bulk_text(call->reply, "passwords");
    resp_array(call->reply, 0);
}

/* What Redis does not have comes last, and only where it is set. */
static void reply_our_fields(struct call *call, const struct acl_user *u)
{
    if (u->issuer.len > 0) {
        resp_bulk_text(call->reply, "issuer");
        resp_bulk(call->reply, u->issuer);
    }
    if (u->keyspace.len > 0) {
        resp_bulk_text(call->reply, "keyspace");
        resp_bulk(call->reply, u->keyspace);
    }
    if (!u->all_databases) {
        struct buf text;
        buf_init(&text, SIZE_MAX / 2);
        acl_user_describe_databases(u, &text);
        reply_field(call, "databases", &text);
        buf_release(&text);
    }
}

void run_acl_getuser(struct call *call)
{
    const struct acl_user *u = acl_set_find(users_of(call), call->argv[2]);
    if (u == NULL) {
        resp_null(call->reply);
        return;
    }
    resp_map(call->reply, 6u + (u->issuer.len > 0) + (u->keyspace.len > 0) + !u->all_databases);
    reply_flags(call, u);
    reply_selector(call, &u->selectors[0]);
    resp_bulk_text(call->reply, "selectors");
    resp_array(call->reply, u->selector_count - 1);
    for (size_t i = 1; i < u->selector_count; i++) {
        resp_map(call->reply, 3);
        reply_selector(call, &u->selectors[i]);
    }
    reply_our_fields(call, u);
}

void run_acl_whoami(struct call *call)
{
    resp_bulk(call->reply, session_identity(call->session));
}

static void reply_category(struct call *call, uint32_t category)
{
    size_t count = 0;
    for (size_t id = 0; id < command_id_count(); id++) {
        count += (command_by_id(id)->categories & category) != 0;
    }
    resp_array(call->reply, count);
    for (size_t id = 0; id < command_id_count(); id++) {
        if ((command_by_id(id)->categories & category) != 0) {
            resp_bulk_text(call->reply, command_by_id(id)->name);
        }
    }
}

void run_acl_cat(struct call *call)
{
    if (call->argc > 3) {
        reply_wrong_arity(call->reply, call->command);
        return;
    }
    uint32_t category = 0;
    if (call->argc == 3) {
        category = command_category_flag(call->argv[2]);
        if (category == 0) {
            const int shown = call->argv[2].len < 128 ? (int)call->argv[2].len : 128;
            resp_error(call->reply, "ERR Unknown category '%.*s'", shown,
                       (const char *)call->argv[2].p);
        } else {
            reply_category(call, category);
        }
        return;
    }
    resp_array(call->reply, command_category_count());
    for (size_t i = 0; i < command_category_count(); i++) {
        resp_bulk_text(call->reply, command_category_at(i, &category));
    }
}

/* --- SETUSER DELUSER -------------------------------------------------------------------------- */

void run_acl_setuser(struct call *call)
{
    struct buf error;
    buf_init(&error, SIZE_MAX / 2);
    if (acl_set_user(core_acl(call->core), call->argv[2], call->argv + 3, call->argc - 3, &error) !=
        ERR_OK) {
        reply_text(call, &error);
        return;
    }
    core_acl_changed(call->core, call->session, "setuser", call->argv[2]);
    resp_ok(call->reply);
}

void run_acl_deluser(struct call *call)
{
    for (uint32_t i = 2; i < call->argc; i++) {
        if (slice_eq(call->argv[i], SLICE("default"))) {
            resp_error(call->reply, "ERR The 'default' user cannot be removed");
            return;
        }
    }
    const size_t deleted = acl_delete_users(core_acl(call->core), call->argv + 2, call->argc - 2);
    if (deleted > 0) {
        core_acl_changed(call->core, call->session, "deluser", call->argv[2]);
    }
    resp_int(call->reply, (int64_t)deleted);
}

/* --- LOAD SAVE -------------------------------------------------------------------------------- */

static bool has_file(struct call *call)
{
    if (acl_path(core_acl(call->core)) != NULL) {
        return true;
    }
    resp_error(call->reply, "ERR This Redis instance is not configured to use an ACL file. You may "
                            "want to start cofre-core with --acl-file FILE.");
    return false;
}

static void reply_faults(struct call *call, struct acl_faults *faults)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    for (size_t i = 0; i < faults->count; i++) {
        if (faults->items[i].line > 0) {
            buf_printf(&text, "%s:%zu: ", acl_path(core_acl(call->core)), faults->items[i].line);
        }
        buf_printf(&text, "%s. ", faults->items[i].text);
    }
    buf_append_slice(&text,
                     SLICE("WARNING: ACL errors detected, no change to the previously active ACL "
                           "rules was performed"));
    acl_faults_release(faults);
    reply_text(call, &text);
}

void run_acl_load(struct call *call)
{
    struct acl_faults faults = { NULL, 0 };
    if (!has_file(call)) {
        return;
    }
    if (acl_load(core_acl(call->core), &faults) != ERR_OK) {
        reply_faults(call, &faults);
        return;
    }
    core_acl_changed(call->core, call->session, "load", (struct slice){ NULL, 0 });
    resp_ok(call->reply);
}

void run_acl_save(struct call *call)
{
    char why[512];
    if (!has_file(call)) {
        return;
    }
    if (acl_write_file(acl_path(core_acl(call->core)), users_of(call), why, sizeof(why)) !=
        ERR_OK) {
        resp_error(call->reply, "ERR There was an error trying to save the ACLs: %s", why);
        return;
    }
    resp_ok(call->reply);
}

/* --- LOG -------------------------------------------------------------------------------------- */

static void reply_entry(struct call *call, const struct acl_log_entry *e)
{
    struct resp_writer *w = call->reply;
    const int64_t age = call->now_ms - e->at_ms;
    resp_map(w, 7);
    resp_bulk_text(w, "count");
    resp_int(w, (int64_t)e->count);
    resp_bulk_text(w, "reason");
    resp_bulk_text(w, e->reason);
    resp_bulk_text(w, "context");
    resp_bulk_text(w, e->context);
    resp_bulk_text(w, "object");
    resp_bulk(w, e->object);
    resp_bulk_text(w, "username");
    resp_bulk(w, e->username);
    resp_bulk_text(w, "age-seconds");
    resp_double(w, (double)(age > 0 ? age : 0) / 1000);
    resp_bulk_text(w, "client-info");
    resp_bulk(w, e->client);
}

void run_acl_log(struct call *call)
{
    struct acl_log *log = acl_refusals(core_acl(call->core));
    int64_t count = 10;
    if (call->argc > 3) {
        reply_wrong_arity(call->reply, call->command);
        return;
    }
    if (call->argc == 3 && call_arg_is(call, 2, "reset")) {
        acl_log_clear(log);
        resp_ok(call->reply);
        return;
    }
    if (call->argc == 3 && !call_i64(call, 2, &count)) {
        return;
    }
    const size_t most = acl_log_count(log);
    const size_t n = count < 0 ? 0 : (uint64_t)count < most ? (size_t)count : most;
    resp_array(call->reply, n);
    for (size_t i = 0; i < n; i++) {
        reply_entry(call, acl_log_at(log, i));
    }
}

/* --- DRYRUN ----------------------------------------------------------------------------------- */

/* dryrun_user takes the name of a user, or an identity: then whoever that is. */
static const struct acl_user *dryrun_user(const struct call *call)
{
    const struct acl_set *users = users_of(call);
    const struct acl_user *u = acl_set_find(users, call->argv[2]);
    enum acl_name_kind kind;
    if (u == NULL && acl_name_check(call->argv[2], &kind) == NULL && kind == ACL_NAME_EXACT) {
        u = acl_set_match(users, call->argv[2], (struct slice){ NULL, 0 });
    }
    return u;
}

static const struct command *dryrun_command(const struct call *call)
{
    const struct command *command = command_find(call->argv[3]);
    if (command != NULL && command->subcommands != NULL && call->argc > 4) {
        command = command_find_sub(command, call->argv[4]);
    }
    return command;
}

static void reply_not_found(struct call *call, const char *what, struct slice name)
{
    const int shown = name.len < 128 ? (int)name.len : 128;
    resp_error(call->reply, "ERR %s '%.*s' not found", what, shown, (const char *)name.p);
}

void run_acl_dryrun(struct call *call)
{
    const struct acl_user *user = dryrun_user(call);
    const struct command *command = dryrun_command(call);
    if (user == NULL) {
        reply_not_found(call, "User", call->argv[2]);
        return;
    }
    if (command == NULL) {
        reply_not_found(call, "Command", call->argv[3]);
        return;
    }
    if (!command_arity_ok(command, call->argc - 3)) {
        resp_error(call->reply, "ERR wrong number of arguments for '%s' command", command->name);
        return;
    }
    const struct acl_verdict v = acl_check(user, command, call->argv + 3, call->argc - 3,
                                           session_vars(call->session)->db_number);
    if (v.denial == ACL_ALLOWED) {
        resp_ok(call->reply);
        return;
    }
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    buf_append_slice(&text, SLICE("This user "));
    acl_denial_text(&v, &text);
    resp_bulk(call->reply, buf_slice(&text));
    buf_release(&text);
}

/* --- GENPASS HELP ----------------------------------------------------------------------------- */

enum { GENPASS_BITS_MAX = 4096, GENPASS_BITS = 256 };

void run_acl_genpass(struct call *call)
{
    uint8_t bytes[GENPASS_BITS_MAX / 8];
    char text[GENPASS_BITS_MAX / 4];
    int64_t bits = GENPASS_BITS;
    if (call->argc > 3) {
        reply_wrong_arity(call->reply, call->command);
        return;
    }
    if (call->argc == 3 && !call_i64(call, 2, &bits)) {
        return;
    }
    if (bits <= 0 || bits > GENPASS_BITS_MAX) {
        resp_error(call->reply,
                   "ERR ACL GENPASS argument must be the number of bits for the output "
                   "password, a positive number up to 4096");
        return;
    }
    const size_t chars = (size_t)(bits + 3) / 4;
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        resp_error(call->reply, "ERR the system has no random bytes to give");
        return;
    }
    for (size_t i = 0; i < chars; i++) {
        text[i] = "0123456789abcdef"[i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15];
    }
    resp_bulk(call->reply, (struct slice){ (const uint8_t *)text, chars });
}

void run_acl_help(struct call *call)
{
    static const char *const lines[] = {
        "CAT [<category>]",
        "    List all commands that belong to <category>, or all command categories",
        "    when no category is specified.",
        "DELUSER <username> [<username> ...]",
        "    Delete a list of users.",
        "DRYRUN <username> <command> [<arg> ...]",
        "    Returns whether the user can execute the given command without executing the command.",
        "GETUSER <username>",
        "    Get the user's details.",
        "GENPASS [<bits>]",
        "    Generate a secure 256-bit user password. The optional `bits` argument can",
        "    be used to specify a different size.",
        "LIST",
        "    Show users details in config file format.",
        "LOAD",
        "    Reload users from the ACL file.",
        "LOG [<count> | RESET]",
        "    Show the ACL log entries.",
        "SAVE",
        "    Save the current config to the ACL file.",
        "SETUSER <username> <attribute> [<attribute> ...]",
        "    Create or modify a user with the specified attributes.",
        "USERS",
        "    List all the registered usernames.",
        "WHOAMI",
        "    Return the current connection username.",
    };
    reply_help(call, "ACL", lines, ARRAY_SIZE(lines));
}
