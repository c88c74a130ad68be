/*
 * slowlog: SLOWLOG, as far as the client's own keyspace goes. core/slowlog.h keeps the entries.
 */
#include "slowlog.h"
#include "commands/commands.h"
#include "core.h"
#include "session.h"
#include "telemetry.h"

enum { GET_COUNT = 10, EVERY = -1 };

static uint32_t keyspace_of(const struct call *call)
{
    return session_vars(call->session)->keyspace;
}

static void reply_entry(struct call *call, const struct slow_entry *e)
{
    resp_array(call->reply, 6);
    resp_int(call->reply, e->id);
    resp_int(call->reply, e->at);
    resp_int(call->reply, (int64_t)e->cost_us);
    resp_array(call->reply, e->argc);
    for (uint32_t i = 0; i < e->argc; i++) {
        resp_bulk(call->reply, e->argv[i]);
    }
    resp_bulk(call->reply, e->peer);
    resp_bulk(call->reply, e->name);
}

void run_slowlog_get(struct call *call)
{
    const struct slowlog *log = core_telemetry(call->core)->slowlog;
    const size_t length = slowlog_length(log, keyspace_of(call));
    int64_t count = GET_COUNT;
    if (call->argc > 3) {
        resp_error(call->reply,
                   "ERR unknown subcommand or wrong number of arguments for '%.*s'."
                   " Try SLOWLOG HELP.",
                   (int)call->argv[1].len, (const char *)call->argv[1].p);
        return;
    }
    if (call->argc == 3 && (slice_to_i64(call->argv[2], &count) != ERR_OK || count < EVERY)) {
        resp_error(call->reply, "ERR count should be greater than or equal to -1");
        return;
    }
    const size_t shown = count == EVERY || (uint64_t)count > length ? length : (size_t)count;
    const struct slow_entry *e = slowlog_first(log, keyspace_of(call));
    resp_array(call->reply, shown);
    for (size_t i = 0; i < shown; i++, e = e->next) {
        reply_entry(call, e);
    }
}

void run_slowlog_len(struct call *call)
{
    resp_int(call->reply,
             (int64_t)slowlog_length(core_telemetry(call->core)->slowlog, keyspace_of(call)));
}

void run_slowlog_reset(struct call *call)
{
    slowlog_reset(core_telemetry(call->core)->slowlog, keyspace_of(call));
    resp_ok(call->reply);
}

void run_slowlog_help(struct call *call)
{
    static const char *const lines[] = {
        "GET [<count>]",
        "    The newest entries, 10 or as many as are asked for; -1 is all. An entry is: id, time,",
        "    microseconds that the call cost, its arguments, the client's address, the client's name.",
        "LEN",
        "    How many entries there are.",
        "RESET",
        "    Forget them.",
    };
    reply_help(call, "SLOWLOG", lines, ARRAY_SIZE(lines));
}
