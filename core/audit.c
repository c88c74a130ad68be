/* The audit log: what goes into a record. Where records go is in audit_file.c and audit_table.c. */
#include "audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit_record.h"
#include "audit_sink.h"
#include "base/log.h"
#include "redact.h"
#include "session_private.h"

enum { RECORD_MAX = 256 * 1024, ARGS_MAX = 32, ARG_MAX = 256 };

/*
 * Commands by which an administrator changes something for others, or looks over their shoulders.
 * shown: how many arguments are recorded, from the first behind the name; what they may hold is no value of a key.
 */
static const struct admin_row {
    const char *command;
    uint32_t shown;
} admin_rows[] = {
    { "client|kill", ARGS_MAX },
    { "client|no-evict", 1 },
    { "client|pause", ARGS_MAX },
    { "client|unpause", 0 },
    { "config|resetstat", 0 },
    { "config|rewrite", 0 },
    { "config|set", ARGS_MAX },
    { "debug", 1 },
    { "flushall", 1 },
    { "flushdb", 1 },
    { "function|flush", 0 },
    { "latency|reset", 0 },
    { "memory|purge", 0 },
    { "monitor", 0 },
    { "script|flush", 0 },
    { "shutdown", ARGS_MAX },
    { "slowlog|reset", 0 },
    { "swapdb", 2 },
};

struct audit {
    struct audit_options options;
    struct audit_sink *sink;
    struct buf record;
    const struct admin_row **admin; /* by command_id; NULL: not an administrator's */
};

/* --- sinks ------------------------------------------------------------------------------------ */

void audit_sink_fail(struct audit_sink *sink, const char *error)
{
    if (sink->error[0] == '\0')
        log_event(LOG_ERROR, "the audit log cannot be written", LF_STR("error", error));
    snprintf(sink->error, sizeof(sink->error), "%s", error);
}

void audit_sink_works(struct audit_sink *sink)
{
    if (sink->error[0])
        log_event(LOG_WARNING, "the audit log can be written again",
                  LF_INT("lost_records", sink->untold));
    sink->error[0] = '\0';
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void add(struct audit *a, const char *event, int64_t at_ms)
{
    if (!a->sink->type->add(a->sink, event, at_ms, buf_slice(&a->record))) {
        a->sink->lost++;
        a->sink->untold++;
    }
    buf_clear(&a->record);
}

/* What was lost is told as soon as there is room again. */
static void tell_lost(struct audit *a)
{
    const int64_t at = now_ms();
    const uint64_t untold = a->sink->untold;
    if (untold == 0 || a->sink->error[0])
        return;
    buf_clear(&a->record);
    record_begin(&a->record, "lost", at);
    record_number(&a->record, "records", (int64_t)untold);
    record_end(&a->record);
    a->sink->untold = 0;
    add(a, "lost", at);
}

/* --- lifetime --------------------------------------------------------------------------------- */

static void mark_admin(const struct command *command, void *arg)
{
    struct audit *a = arg;
    for (size_t i = 0; i < ARRAY_SIZE(admin_rows); i++)
        if (strcmp(command->name, admin_rows[i].command) == 0)
            a->admin[command_id(command)] = &admin_rows[i];
}

enum err audit_new(struct core *core, const struct audit_options *options, char *why,
                   size_t why_size, struct audit **out)
{
    struct audit_sink *sink = NULL;
    *out = NULL;
    if (options->to == AUDIT_NONE)
        return ERR_OK;
    if (options->to == AUDIT_FILE)
        sink = audit_file_new(core, options->file, why, why_size);
    else
        sink = audit_table_new(core);
    if (sink == NULL)
        return ERR_INVALID;
    struct audit *a = mem_zalloc(sizeof(*a));
    a->options = *options;
    a->sink = sink;
    a->admin = mem_zalloc(command_id_count() * sizeof(*a->admin));
    buf_init(&a->record, RECORD_MAX);
    command_each(mark_admin, a);
    *out = a;
    return ERR_OK;
}

void audit_free(struct audit *a)
{
    if (a == NULL)
        return;
    a->sink->type->free(a->sink);
    buf_release(&a->record);
    free(a->admin);
    free(a);
}

void audit_flush(struct audit *a)
{
    if (a == NULL)
        return;
    a->sink->type->flush(a->sink);
    if (a->sink->untold)
        tell_lost(a);
}

void audit_reopen(struct audit *a)
{
    if (a)
        a->sink->type->reopen(a->sink);
}

bool audit_idle(const struct audit *a)
{
    return a == NULL || a->sink->waiting == 0 || a->sink->error[0];
}

const char *audit_blocks(const struct audit *a)
{
    return a && a->options.required && a->sink->error[0] ? a->sink->error : NULL;
}

bool audit_wants_writes(const struct audit *a)
{
    return a && a->options.writes;
}

struct audit_figures audit_figures(const struct audit *a)
{
    if (a == NULL)
        return (struct audit_figures){ .state = "off" };
    return (struct audit_figures){ .written = a->sink->written,
                                   .lost = a->sink->lost,
                                   .waiting = a->sink->waiting,
                                   .state = a->sink->error[0] ? "failing" : "ok" };
}

/* --- records ---------------------------------------------------------------------------------- */

/* A record that is being made; NULL audit: there is none. */
struct making {
    struct audit *audit;
    struct buf *out;
    const char *event;
    int64_t at_ms;
};

static bool begin(struct core *core, const char *event, struct making *m)
{
    struct audit *a = core->audit;
    if (a == NULL)
        return false;
    *m = (struct making){ a, &a->record, event, now_ms() };
    buf_clear(m->out);
    record_begin(m->out, event, m->at_ms);
    return true;
}

static bool begin_session(struct session *s, const char *event, struct making *m)
{
    if (!begin(s->core, event, m))
        return false;
    record_number(m->out, "session", (int64_t)s->id);
    record_text(m->out, "identity", s->identity->name);
    record_text(m->out, "peer", s->info.peer);
    return true;
}

static void end(struct making *m)
{
    record_end(m->out);
    add(m->audit, m->event, m->at_ms);
}

void audit_start(struct core *core)
{
    struct making m;
    if (!begin(core, "start", &m))
        return;
    record_text(m.out, "version", SLICE(COFRE_VERSION));
    record_text(m.out, "run", slice_of(core->metrics.run_id));
    record_bool(m.out, "writes", m.audit->options.writes);
    record_bool(m.out, "required", m.audit->options.required);
    end(&m);
}

void audit_stop(struct core *core, const char *why)
{
    struct making m;
    if (!begin(core, "stop", &m))
        return;
    record_text(m.out, "run", slice_of(core->metrics.run_id));
    record_text(m.out, "reason", slice_of(why));
    end(&m);
}

static void put_certificate(struct buf *out, const struct frame_open *open)
{
    record_text(out, "serial", open->serial);
    record_hex(out, "fingerprint", (struct slice){ open->fingerprint, sizeof(open->fingerprint) });
    record_text(out, "issuer", open->issuer);
    record_time(out, "certificate_ends", open->not_after * 1000);
}

void audit_connect(struct session *s)
{
    struct making m;
    if (!begin_session(s, "connect", &m))
        return;
    put_certificate(m.out, &s->info);
    record_text(m.out, "tls", s->info.tls_version);
    record_text(m.out, "cipher", s->info.cipher);
    record_time(m.out, "connected_at", s->opened_ms);
    end(&m);
}

void audit_disconnect(struct session *s, struct slice why)
{
    struct making m;
    if (!begin_session(s, "disconnect", &m))
        return;
    record_text(m.out, "reason", why);
    record_time(m.out, "connected_at", s->opened_ms);
    record_number(m.out, "commands", (int64_t)s->commands);
    end(&m);
}

void audit_refused(struct session *s, const char *why)
{
    struct making m;
    s->core->metrics.sessions_refused++;
    if (!begin_session(s, "refused", &m))
        return;
    put_certificate(m.out, &s->info);
    record_text(m.out, "reason", slice_of(why));
    end(&m);
}

void audit_stranger(struct core *core, int64_t uid, int64_t pid)
{
    struct making m;
    if (!begin(core, "refused", &m))
        return;
    record_number(m.out, "uid", uid);
    record_number(m.out, "pid", pid);
    record_text(m.out, "reason", SLICE("not the gateway's user"));
    end(&m);
}

static void put_key(struct buf *out, uint32_t db, struct slice key)
{
    record_number(out, "db", db & UINT16_MAX);
    record_text(out, "key", key);
}

/* reason: "command", "key", "channel", "database": what the object is; "auth": another name than the certificate's */
void audit_denied(struct session *s, const struct core_refusal *refusal)
{
    struct making m;
    const bool auth = strcmp(refusal->reason, "auth") == 0;
    if (auth && slice_eq(refusal->object, SLICE("connect"))) {
        audit_refused(s, "the ACL does not let it in");
        return;
    }
    if (!begin_session(s, "denied", &m))
        return;
    record_text(m.out, "reason", slice_of(refusal->reason));
    if (refusal->command)
        record_text(m.out, "command", slice_of(refusal->command->name));
    record_number(m.out, "db", session_db(s) & UINT16_MAX);
    /* Not AUTH's user name: a password is easily typed in its place. */
    if (!auth && strcmp(refusal->reason, "command") != 0)
        record_text(m.out, refusal->reason, refusal->object);
    end(&m);
}

void audit_acl(struct core *core, struct session *by, const char *what, struct slice user)
{
    struct making m;
    if (!(by ? begin_session(by, "acl", &m) : begin(core, "acl", &m)))
        return;
    record_text(m.out, "change", slice_of(what));
    if (user.len > 0)
        record_text(m.out, "user", user);
    end(&m);
}

static struct slice cut(struct slice s)
{
    return (struct slice){ s.p, s.len < ARG_MAX ? s.len : ARG_MAX };
}

/* The arguments that are behind the command's name, or behind its subcommand's. */
static void put_args(struct buf *out, const struct command *command, const struct slice *argv,
                     uint32_t argc, uint32_t shown)
{
    const uint32_t first = strchr(command->name, '|') ? 2 : 1;
    record_list_begin(out, "args");
    for (uint32_t i = first; i < argc && i < first + shown; i++)
        record_list_text(out,
                         redact_hides(command, argv, argc, i) ? SLICE(REDACTED) : cut(argv[i]));
    record_list_end(out);
}

void audit_call(struct session *s, const struct command *command, const struct slice *argv,
                uint32_t argc, bool failed)
{
    struct making m;
    const struct audit *a = s->core->audit;
    const struct admin_row *row = a ? a->admin[command_id(command)] : NULL;
    if (row == NULL || !begin_session(s, "admin", &m))
        return;
    record_text(m.out, "command", slice_of(command->name));
    record_number(m.out, "db", session_db(s) & UINT16_MAX);
    if (!failed) /* else nobody knows what they are */
        put_args(m.out, command, argv, argc, row->shown);
    record_bool(m.out, "failed", failed);
    end(&m);
}

void audit_write(struct session *s, const struct command *command, uint32_t db, struct slice key,
                 int64_t replaced)
{
    struct making m;
    if (!begin_session(s, "write", &m))
        return;
    record_text(m.out, "command", slice_of(command->name));
    put_key(m.out, db, key);
    if (replaced != REVISION_UNKNOWN)
        record_number(m.out, "replaced_revision", replaced);
    end(&m);
}
