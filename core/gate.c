/* The ACL's gate: see the header. The question itself is acl_check. */
#include "gate.h"

#include <stdio.h>

#include "acl/acl.h"
#include "core_private.h"

/* --- refusing ------------------------------------------------------------------------------- */

static void note(struct session *s, const struct request *r, const struct acl_verdict *v,
                 bool in_multi)
{
    char number[16];
    snprintf(number, sizeof(number), "%u", v->database);
    core_refused(s->core, s,
                 &(struct core_refusal){
                     .reason = acl_denial_name(v->denial),
                     .context = in_multi ? "multi" : "toplevel",
                     .object = v->denial == ACL_DENIED_DATABASE ? slice_of(number) : v->object,
                     .command = r->command,
                 });
}

static void reply_denied(const struct session *s, const struct acl_verdict *v, const char *before,
                         struct resp_writer *w)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    buf_append_slice(&text, slice_of(before));
    buf_append_slice(&text, SLICE("NOPERM User "));
    buf_append_slice(&text, s->identity->name);
    buf_append(&text, " ", 1);
    acl_denial_text(v, &text);
    resp_error(w, "%.*s", (int)buf_len(&text), (const char *)buf_slice(&text).p);
    buf_release(&text);
}

/* --- asking ----------------------------------------------------------------------------------- */

/* What still waits of a client that was turned off is not run either. */
static struct acl_verdict ask(const struct session *s, const struct request *r, uint32_t number)
{
    if (s->user->unlimited)
        return (struct acl_verdict){ .denial = ACL_ALLOWED };
    if (!s->user->on)
        return (struct acl_verdict){ .denial = ACL_DENIED_COMMAND,
                                     .object = slice_of(r->command->name) };
    return acl_check(s->user, r->command, r->argv, r->argc, number);
}

/* Where the next command that is queued will run. */
static uint32_t current_database(const struct session *s)
{
    return s->multi && s->multi->selected ? s->multi->db_number : s->vars.db_number;
}

bool gate_open(struct session *s, struct resp_writer *w)
{
    if (s->user->on)
        return true;
    resp_error(w,
               s->user->kind == ACL_NAME_DEFAULT
                   ? "NOPERM User %.*s is not known, and the default user is off"
                   : "NOPERM User %.*s is turned off",
               (int)s->identity->name.len, (const char *)s->identity->name.p);
    session_quit(s);
    return false;
}

struct acl_verdict gate_check(const struct session *s, const struct request *r)
{
    return ask(s, r, current_database(s));
}

void gate_refuse(struct session *s, const struct request *r, const struct acl_verdict *v,
                 struct resp_writer *w)
{
    note(s, r, v, s->multi != NULL);
    /* As Redis words the end of a transaction whose EXEC is refused. */
    const bool aborts = s->multi && r->command->flags & CMD_EXEC;
    reply_denied(s, v, aborts ? "EXECABORT Transaction discarded because of: " : "", w);
}

/* --- asking again ------------------------------------------------------------------------------ */

static void recheck(struct session *s, struct request *r, uint32_t number, bool in_exec)
{
    const bool was_denied = r->verdict.denial != ACL_ALLOWED;
    r->verdict = ask(s, r, number);
    if (r->verdict.denial != ACL_ALLOWED && !was_denied)
        note(s, r, &r->verdict, in_exec);
}

void gate_recheck_body(struct session *s, struct request *exec)
{
    uint32_t number = s->vars.db_number;
    for (struct request *r = exec->body; r; r = r->next) {
        recheck(s, r, number, true);
        if (r->verdict.denial == ACL_ALLOWED)
            request_follow_select(r, s->core->options.databases, &number);
    }
}

void gate_recheck(struct session *s)
{
    const uint64_t generation = acl_generation(s->core->acl);
    if (s->gated == generation)
        return;
    s->gated = generation;
    for (struct request *r = s->units.first; r; r = r->next) {
        recheck(s, r, s->vars.db_number, false);
        if (r->command->flags & CMD_EXEC)
            gate_recheck_body(s, r);
    }
}

void gate_reply_denied(const struct session *s, const struct request *r, bool in_exec,
                       struct resp_writer *w)
{
    static const char *const reasons[] = {
        [ACL_ALLOWED] = "no permission",
        [ACL_DENIED_COMMAND] = "no permission to execute the command or subcommand",
        [ACL_DENIED_KEY] = "no permission to touch the specified keys",
        [ACL_DENIED_CHANNEL] = "no permission to access one of the channels used as arguments",
        [ACL_DENIED_DATABASE] = "no permission to access the database",
    };
    if (!in_exec) {
        reply_denied(s, &r->verdict, "", w);
        return;
    }
    resp_error(
        w,
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. "
        "This command is no longer allowed for the following reason: %s",
        reasons[r->verdict.denial]);
}
