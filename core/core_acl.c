/*
 * core_acl: what the process does about its ACL: live sessions follow a change, refusals are noted, a signal loads the file
 * anew. What an ACL is and says is in acl/.
 */
#include "core_acl.h"

#include <stdio.h>
#include <stdlib.h>

#include "acl/acl.h"
#include "base/log.h"
#include "commands/commands.h"
#include "core_private.h"
#include "link.h"
#include "session_private.h"

enum { CLIENT_TEXT_MAX = 64 * 1024 };

struct acl *core_acl(struct core *core)
{
    return core->acl;
}

/* --- refusals --------------------------------------------------------------------------------- */

/* describe_client writes what CLIENT INFO does, without the line's end. */
static struct slice describe_client(struct buf *out, struct session *s)
{
    buf_init(out, CLIENT_TEXT_MAX);
    client_describe(out, s, core_now_ms(s->core));
    if (buf_len(out) > 0)
        buf_truncate(out, buf_len(out) - 1);
    return buf_slice(out);
}

/* A client that may not even connect is worth a line; commands that are denied can come by the thousand. */
void core_refused(struct core *core, struct session *s, const struct core_refusal *refusal)
{
    const struct slice username = refusal->username.len > 0 ? refusal->username : s->identity->name;
    struct buf client;
    acl_log_add(acl_refusals(core->acl), &(struct acl_log_entry){
                                             .reason = refusal->reason,
                                             .context = refusal->context,
                                             .object = refusal->object,
                                             .username = username,
                                             .client = describe_client(&client, s),
                                             .at_ms = core_now_ms(core),
                                         });
    buf_release(&client);
    log_event(strcmp(refusal->reason, "auth") == 0 ? LOG_WARNING : LOG_DEBUG, "refused by the ACL",
              LF_INT("session", s->id), LF_SLICE("identity", s->identity->name),
              LF_SLICE("issuer", s->info.issuer), LF_STR("reason", refusal->reason),
              LF_SLICE("object", refusal->object), LF_SLICE("user", s->user->name));
    audit_denied(s, refusal);
}

/* --- live sessions ---------------------------------------------------------------------------- */

static bool may_hear(void *arg, enum pubsub_kind kind, struct slice name)
{
    return acl_channel_allowed(arg, name, kind == PUBSUB_PATTERN);
}

/* why_end says why a session cannot go on as another user, or NULL: nothing changes under its feet that it cannot see. */
static const char *why_end(const struct session *s, struct acl_user *now)
{
    if (!s->user->on)
        return NULL; /* nothing of it was ever run */
    if (acl_set_find(acl_users(s->core->acl), s->user->name) == NULL)
        return "its user was deleted";
    if (!now->on)
        return "its user was turned off";
    if (now->keyspace_index != s->vars.keyspace)
        return "its user has another keyspace now";
    if (!pubsub_all(&s->subscriber, may_hear, now))
        return "its user may not hear all that it subscribed to any more";
    return NULL;
}

/* The one that made the change gets its reply first; what it sent after that is not run. */
static void end(struct session *s, const struct session *by, const char *why)
{
    log_event(LOG_INFO, "session closed by the ACL", LF_INT("session", s->id),
              LF_SLICE("identity", s->identity->name), LF_STR("reason", why));
    if (s == by) {
        session_quit(s);
        return;
    }
    request_free_all(&s->queue);
    if (s->place != SESSION_IN_TURN) {
        request_free_all(&s->units);
        s->unit_writes = 0;
    }
    link_close_session(s, why);
}

/* follow gives a session its user of now. One whose client has left only has units that wait: they are asked about again. */
static void follow(struct session *s, const struct session *by)
{
    struct acl_user *old = s->user;
    struct acl_user *now =
        acl_set_match(acl_users(s->core->acl), s->identity->name, s->info.issuer);
    if (now == old)
        return;
    const char *why = why_end(s, now);
    if (why == NULL)
        s->vars.keyspace = now->keyspace_index;
    s->user = acl_user_ref(now);
    acl_user_unref(old);
    if (why != NULL && s->life != SESSION_GONE)
        end(s, by, why);
}

void core_acl_changed(struct core *core, struct session *by, const char *what, struct slice user)
{
    log_event(LOG_INFO, "the ACL was changed", LF_STR("how", what), LF_SLICE("user", user),
              LF_SLICE("by", by ? by->identity->name : SLICE("signal")),
              LF_INT("users", acl_set_count(acl_users(core->acl))));
    audit_acl(core, by, what, user);
    for (struct session *s = core->first_session, *next; s; s = next) {
        next = s->all.next;
        follow(s, by);
    }
}

/* --- the file --------------------------------------------------------------------------------- */

/* Redis's files may have such users. Here they are most likely a kind that was forgotten. */
static void warn_about_nobodies(const struct acl_set *set)
{
    for (size_t i = 0; i < acl_set_count(set); i++) {
        const struct acl_user *u = acl_set_at(set, i);
        if (u->kind == ACL_NAME_NOBODY)
            log_event(
                LOG_WARNING,
                "no certificate has this name: identities begin with uri:, dns:, email: or cn:",
                LF_SLICE("user", u->name));
    }
}

enum err core_acl_start(struct core *core)
{
    struct acl_faults faults = { NULL, 0 };
    if (core->options.acl_file == NULL)
        return ERR_OK;
    const enum err err = acl_load(core->acl, &faults);
    for (size_t i = 0; i < faults.count; i++)
        if (faults.items[i].line > 0)
            fprintf(stderr, "cofre-core: %s:%zu: %s\n", core->options.acl_file,
                    faults.items[i].line, faults.items[i].text);
        else
            fprintf(stderr, "cofre-core: --acl-file: %s\n", faults.items[i].text);
    acl_faults_release(&faults);
    if (err == ERR_OK)
        warn_about_nobodies(acl_users(core->acl));
    return err;
}

void core_acl_reload(struct core *core)
{
    struct acl_faults faults = { NULL, 0 };
    if (core->options.acl_file == NULL) {
        log_event(LOG_INFO, "SIGHUP: there is no --acl-file to load again");
        return;
    }
    if (acl_load(core->acl, &faults) == ERR_OK) {
        warn_about_nobodies(acl_users(core->acl));
        core_acl_changed(core, NULL, "load", (struct slice){ NULL, 0 });
        return;
    }
    for (size_t i = 0; i < faults.count; i++)
        log_event(LOG_ERROR, "a mistake in the ACL file; the ACL stays as it was",
                  LF_STR("file", core->options.acl_file), LF_INT("line", faults.items[i].line),
                  LF_STR("error", faults.items[i].text));
    acl_faults_release(&faults);
}
