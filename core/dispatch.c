/* Dispatch: see the header. The gates are the functions that `admit` calls, in their order. */
#include "dispatch.h"

#include <stdlib.h>
#include <uv.h>

#include "acl/acl.h"
#include "command_refused.h"
#include "core_private.h"
#include "deeds.h"
#include "gate.h"
#include "lanes.h"
#include "link.h"
#include "monitor.h"
#include "nap.h"
#include "pause.h"

static const char not_in_multi[] = "ERR Command not allowed inside a transaction";

#define NOT_RECORDED "MISCONF the audit log cannot be written, and so no key either: %s"

enum verdict {
    DONE, /* answered, queued, or made a unit: off the queue */
    WAIT, /* units must come back first */
    HELD, /* clients are paused */
};

/* --- CLIENT REPLY ----------------------------------------------------------------------------- */

static bool is_silent(const struct session *s)
{
    return s->switches & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
}

/* A request has passed: SKIP was for it alone, SKIP_NEXT is for the one behind it. True when something changed. */
static bool pass_skips(struct session *s)
{
    const bool next = s->switches & SESSION_REPLY_SKIP_NEXT;
    if (!next && !(s->switches & SESSION_REPLY_SKIP))
        return false;
    session_switch(s, SESSION_REPLY_SKIP_NEXT, false);
    session_switch(s, SESSION_REPLY_SKIP, next);
    return true;
}

/* --- answers at once ------------------------------------------------------------------------ */

static struct resp_writer begin_reply(struct session *s)
{
    buf_clear(&s->core->scratch);
    return (struct resp_writer){ &s->core->scratch, s->vars.protocol };
}

static void send_bytes(struct session *s, struct slice reply)
{
    const int64_t sleep_ms = s->sleep_ms;
    s->sleep_ms = 0;
    s->commands++;
    if (sleep_ms > 0)
        nap_begin(s, reply, sleep_ms);
    else
        link_reply(s, reply, 1);
    if (pass_skips(s))
        link_publish_state(s);
}

static void send_reply(struct session *s)
{
    send_bytes(s, is_silent(s) ? (struct slice){ NULL, 0 } : buf_slice(&s->core->scratch));
}

/*
 * CLIENT CACHING is about the next command, or the next transaction: whatever else comes takes it. It may be several
 * CLIENT commands ahead.
 */
static void take_caching(struct session *s, struct request *r)
{
    r->caching = s->tracker.flags & TRACKING_CACHING;
    if (s->multi == NULL && !slice_eq_nocase(r->argv[0], SLICE("client")))
        s->tracker.flags &= ~(uint32_t)TRACKING_CACHING;
}

static void drop_request(struct session *s)
{
    take_caching(s, s->queue.first);
    request_free(request_pop(&s->queue));
}

/* row_of finds the row of a request that did not pass the first gates; NULL: there is none. */
static const struct command *row_of(const struct request *r)
{
    const struct command *command = r->command ? r->command : command_find(r->argv[0]);
    if (command && command->subcommands && r->argc > 1)
        return command_find_sub(command, r->argv[1]);
    return command;
}

/* The error in the scratch buffer, or 0. */
static uint16_t reply_error(const struct core *core)
{
    return command_stats_code(core->telemetry.commands, buf_slice(&core->scratch));
}

/*
 * A refusal inside MULTI spoils the transaction, and a malformed EXEC ends it, as in Redis. The reply is in the scratch
 * buffer.
 */
static enum verdict refuse(struct session *s)
{
    const struct command *named = command_find(s->queue.first->argv[0]);
    if (named && named->flags & CMD_EXEC) {
        session_discard_multi(s);
        link_publish_state(s);
    } else if (s->multi) {
        s->multi->failed = true;
    }
    command_stats_reject(s->core->telemetry.commands, row_of(s->queue.first), reply_error(s->core));
    send_reply(s);
    drop_request(s);
    return DONE;
}

/* count_call: a command ran at once; its reply is in the scratch buffer. */
static void count_call(struct session *s, const struct request *r, uint64_t began_ns)
{
    const uint64_t now = uv_hrtime() + (uint64_t)s->sleep_ms * 1000000; /* DEBUG SLEEP */
    const struct telemetry_call call = {
        .command = r->command,
        .argv = r->argv,
        .argc = r->argc,
        .error = reply_error(s->core),
        .cost_ns = now - began_ns,
        .latency_ns = now - r->arrived_ns,
        .now_ms = (int64_t)(now / 1000000) + s->core->clock_offset,
    };
    telemetry_call(&s->core->telemetry, s, &call);
    audit_call(s, r->command, r->argv, r->argc, call.error != 0);
}

/* Monitors read of it behind the reply, and at once. */
static void show_monitors(struct session *s, const struct request *r)
{
    struct buf *line = &s->core->scratch;
    buf_clear(line);
    monitor_note(s, r, line);
    monitor_show(s, buf_slice(line), line->overflow);
}

static void run_at_once(struct session *s, struct request *r)
{
    const uint64_t began = uv_hrtime();
    struct resp_writer writer = begin_reply(s);
    struct buf *deeds = &s->core->deeds;
    buf_clear(deeds);
    const struct call call = {
        .command = r->command,
        .argv = r->argv,
        .argc = r->argc,
        .db = session_db(s),
        .now_ms = (int64_t)(began / 1000000) + s->core->clock_offset,
        .session = s,
        .core = s->core,
        .deeds = deeds,
        .reply = &writer,
    };
    r->command->run((struct call *)&call);
    count_call(s, r, began);
    deeds_do(s, deeds, 0, buf_len(deeds));
    if (s->life != SESSION_GONE)
        link_publish_state(s); /* before the client can know that it changed */
    if (command_announces(r->command))
        send_bytes(s, buf_slice(&s->core->scratch));
    else
        send_reply(s);
    show_monitors(s, r);
    drop_request(s);
}

/* --- gates ------------------------------------------------------------------------------------ */

static bool key_too_long(const struct session *s, const struct request *r, struct resp_writer *w)
{
    const size_t most = (size_t)s->core->options.max_key;
    struct slice few[16];
    struct slice *keys = few;
    const size_t n = command_keys(r->command, r->argv, r->argc, few, ARRAY_SIZE(few));
    if (n > ARRAY_SIZE(few)) {
        keys = mem_alloc(n * sizeof(*keys));
        command_keys(r->command, r->argv, r->argc, keys, n);
    }
    size_t i = 0;
    while (i < n && keys[i].len <= most)
        i++;
    if (i < n)
        resp_error(w, "ERR the key has %zu bytes, the most is %zu (--max-key)", keys[i].len, most);
    if (keys != few)
        free(keys);
    return i < n;
}

static bool argument_too_long(const struct session *s, const struct request *r,
                              struct resp_writer *w)
{
    const size_t most = (size_t)s->core->options.max_value;
    if (r->command->flags & CMD_OWN_LIMIT)
        return false;
    for (uint32_t i = 1; i < r->argc; i++) {
        if (r->argv[i].len <= most)
            continue;
        resp_error(w, "ERR the value has %zu bytes, the most is %zu (--max-value)", r->argv[i].len,
                   most);
        return true;
    }
    return false;
}

/* not_recorded: what cannot be recorded must not be done, if the administrator wants it so. */
static bool not_recorded(const struct session *s, bool writes, struct resp_writer *w)
{
    const char *why = writes ? audit_blocks(s->core->audit) : NULL;
    if (why)
        resp_error(w, NOT_RECORDED, why);
    return why != NULL;
}

static bool too_long(const struct session *s, const struct request *r, struct resp_writer *w)
{
    return key_too_long(s, r, w) || argument_too_long(s, r, w);
}

/* The units have passed the ACL as it was when the first of them did. */
static void make_unit(struct session *s, struct request *r)
{
    r = request_pop(&s->queue);
    take_caching(s, r);
    if (s->units.count == 0)
        s->gated = acl_generation(s->core->acl);
    r->silent = is_silent(s);
    /* The gateway is told when the unit is answered: until then, the session is pinned. */
    (void)pass_skips(s);
    s->unit_writes += r->writes;
    request_push(&s->units, r);
}

/* An EXEC or a WATCH changes what the gates depend on: nothing joins it, and a WATCH joins nothing. */
static bool can_join(const struct session *s, const struct request *r)
{
    const struct request *last = s->units.last;
    if (last == NULL)
        return true;
    return !(r->command->flags & CMD_ALONE) && !(last->command->flags & (CMD_ALONE | CMD_EXEC));
}

static void take_body(struct session *s, struct request *r)
{
    struct request_list *queued = &s->multi->queued;
    r->body = queued->first;
    if (s->multi->gated != acl_generation(s->core->acl))
        gate_recheck_body(s, r);
    for (struct request *b = r->body; b; b = b->next) {
        r->writes = r->writes || b->writes;
        r->walks = r->walks || b->walks;
        r->exclusive = r->exclusive || b->exclusive;
        r->snapshot = r->snapshot || b->walks || b->command->flags & CMD_SELECT;
    }
    *queued = (struct request_list){ NULL, NULL, 0 };
    free(s->multi);
    s->multi = NULL;
}

static bool queued_writes(const struct session *s)
{
    const struct request *b = s->multi->queued.first;
    while (b && !b->writes)
        b = b->next;
    return b != NULL;
}

/* abort_multi answers an EXEC that will not be; the reason is in the scratch buffer. */
static void abort_multi(struct session *s, struct request *r)
{
    session_discard_multi(s);
    count_call(s, r, uv_hrtime());
    send_reply(s);
    show_monitors(s, r);
    link_publish_state(s);
    drop_request(s);
}

static enum verdict exec(struct session *s, struct request *r)
{
    if (s->units.count)
        return WAIT;
    struct resp_writer w = begin_reply(s);
    const char *blocked = s->multi && queued_writes(s) ? audit_blocks(s->core->audit) : NULL;
    if (s->multi == NULL) {
        run_at_once(s, r); /* EXEC without MULTI */
    } else if (s->multi->failed) {
        resp_error(&w, "EXECABORT Transaction discarded because of previous errors.");
        abort_multi(s, r);
    } else if (blocked) {
        resp_error(&w, "EXECABORT Transaction discarded because of: " NOT_RECORDED, blocked);
        abort_multi(s, r);
    } else {
        take_body(s, r);
        make_unit(s, r);
    }
    return DONE;
}

static bool counts_as_write(const struct session *s, const struct request *r)
{
    return r->writes || r->command->flags & CMD_MAY_REPLICATE ||
           (r->command->flags & CMD_EXEC && s->multi && s->multi->writes);
}

/* As in Redis: a pause holds up what could be carried out, so that errors in commands are told at once. */
static bool is_held(const struct session *s, const struct request *r)
{
    return !(r->command->flags & CMD_IN_PAUSE) &&
           pauses_hold(s->core->pauses, s, counts_as_write(s, r));
}

/* As in Redis, to which a monitor is a kind of replica. */
static bool refuse_monitor(const struct session *s, const struct request *r, struct resp_writer *w)
{
    if (!(s->switches & SESSION_MONITOR) ||
        !(r->command->flags & (CMD_READONLY | CMD_WRITE | CMD_MAY_REPLICATE)))
        return false;
    resp_error(w, "ERR Replica can't interact with the keyspace");
    return true;
}

static enum verdict queue_in_multi(struct session *s, struct request *r)
{
    struct resp_writer w = begin_reply(s);
    if (r->command->flags & CMD_NO_MULTI) {
        resp_error(&w, "%s", not_in_multi);
        return refuse(s);
    }
    resp_simple(&w, "QUEUED");
    send_reply(s);
    if (s->multi->queued.count == 0)
        s->multi->gated = acl_generation(s->core->acl);
    if (request_follow_select(r, s->core->options.databases, &s->multi->db_number))
        s->multi->selected = true;
    s->multi->writes = s->multi->writes || counts_as_write(s, r);
    request_push(&s->multi->queued, request_pop(&s->queue));
    return DONE;
}

static enum verdict only_listens(struct session *s, const struct request *r)
{
    struct resp_writer w = begin_reply(s);
    const bool exec = r->command->flags & CMD_EXEC; /* it is as if it had ended a transaction */
    resp_error(
        &w,
        "%s Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
        "are allowed in this context",
        exec ? "EXECABORT Transaction discarded because of:" : "ERR", r->command->name);
    return refuse(s);
}

static enum verdict deny(struct session *s, const struct request *r, const struct acl_verdict *v)
{
    struct resp_writer w = begin_reply(s);
    gate_refuse(s, r, v, &w);
    return refuse(s);
}

/*
 * admit is the list of gates, in order: who, name and arity, limits, monitors, ACL, what a subscriber may do, pauses,
 * transaction, then by kind.
 */
static enum verdict admit(struct session *s, struct request *r)
{
    struct resp_writer w = begin_reply(s);
    if (!gate_open(s, &w))
        return refuse(s);
    r->command = command_resolve(r->argv, r->argc, &w);
    if (r->command == NULL && s->multi && command_refused_in_multi(r->argv[0])) {
        w = begin_reply(s);
        resp_error(&w, "%s", not_in_multi);
    }
    if (r->command == NULL || too_long(s, r, &w) || refuse_monitor(s, r, &w) ||
        not_recorded(s, r->command->flags & CMD_WRITE, &w))
        return s->units.count ? WAIT : refuse(s);
    const struct acl_verdict v = gate_check(s, r);
    if (v.denial != ACL_ALLOWED)
        return s->units.count ? WAIT : deny(s, r, &v);
    r->writes = r->command->flags & (CMD_WRITE | CMD_WRITES_BACK);
    r->walks = r->command->walk != NULL;
    r->exclusive = r->command->flags & CMD_EXCLUSIVE;
    s->last_command = r->command;
    if (session_only_listens(s) && !(r->command->flags & CMD_LISTENER))
        return s->units.count ? WAIT : only_listens(s, r);
    if (is_held(s, r))
        return HELD;
    if (r->command->flags & CMD_EXEC)
        return exec(s, r);
    if (s->multi && !(r->command->flags & CMD_IN_MULTI))
        return queue_in_multi(s, r);
    if (r->command->flags & CMD_LOCAL || (s->multi && r->command->flags & CMD_ALONE)) {
        if (s->units.count)
            return WAIT;
        run_at_once(s, r);
        return DONE;
    }
    if (!can_join(s, r))
        return WAIT;
    make_unit(s, r);
    return DONE;
}

static void pump(struct session *s)
{
    enum verdict verdict = DONE;
    while (verdict == DONE && s->place != SESSION_IN_TURN && s->life != SESSION_QUITTING &&
           !s->nap && s->queue.first)
        verdict = admit(s, s->queue.first);
    if (verdict == HELD && s->life == SESSION_GONE)
        request_free_all(&s->queue); /* nobody waits for it any more */
    pause_session(s, (verdict == HELD && s->queue.first) || pauses_hold_units(s));
    lanes_place(s->core->lanes, s);
}

void dispatch_request(struct session *s, struct request *r)
{
    s->last_ms = r->arrived_ns / 1000000;
    request_push(&s->queue, r);
    pump(s);
}

static bool finished(const struct session *s)
{
    return s->life == SESSION_GONE && s->place != SESSION_IN_TURN && !s->nap &&
           s->units.count == 0 && s->queue.count == 0;
}

void dispatch_resume(struct session *s)
{
    lanes_forget(s->core->lanes, s); /* out of its turn; pump places it anew */
    if (s->life == SESSION_GONE)
        nap_cancel(s);
    pump(s);
    if (!finished(s))
        return;
    core_remove_session(s->core, s);
    session_free(s);
}
