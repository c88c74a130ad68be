/* What a call leaves behind in statistics and logs. */
#include "telemetry.h"

#include <string.h>

#include "session.h"

static const struct telemetry_settings defaults = {
    .slowlog_log_slower_than = 10000,
    .slowlog_max_len = 128,
    .latency_monitor_threshold = 0,
    .latency_tracking = 1,
    .percentiles = { 50, 99, 99.9 },
    .percentile_count = 3,
    .output_limits = { [CLASS_REPLICA] = { 256 << 20, 64 << 20, 60 },
                       [CLASS_PUBSUB] = { 32 << 20, 8 << 20, 60 } },
    .acllog_max_len = 128,
};

void telemetry_init(struct telemetry *t)
{
    memset(t, 0, sizeof(*t));
    t->settings = defaults;
    t->commands = command_stats_new();
    t->slowlog = slowlog_new((size_t)t->settings.slowlog_max_len);
    latency_init(&t->latency);
    telemetry_apply(t);
}

void telemetry_release(struct telemetry *t)
{
    command_stats_free(t->commands);
    slowlog_free(t->slowlog);
}

void telemetry_apply(struct telemetry *t)
{
    const int64_t us = t->settings.slowlog_log_slower_than;
    t->slow_ns = us < 0 || us > INT64_MAX / 1000 ? UINT64_MAX : (uint64_t)us * 1000;
    slowlog_limit(t->slowlog, (size_t)t->settings.slowlog_max_len);
    latency_threshold(&t->latency, t->settings.latency_monitor_threshold);
    command_stats_track(t->commands, t->settings.latency_tracking != 0);
}

void telemetry_reset(struct telemetry *t)
{
    struct histogram *const times[] = { &t->read_turns, &t->write_turns, &t->stores, &t->connects };
    for (size_t i = 0; i < ARRAY_SIZE(times); i++)
        memset(times[i], 0, sizeof(*times[i]));
    command_stats_reset(t->commands);
}

/* EXEC is in no log, as in Redis: what it ran is. */
static void log_call(struct telemetry *t, struct session *s, const struct telemetry_call *call)
{
    const bool fast = call->command->flags & CMD_FAST;
    if (call->command->flags & CMD_EXEC)
        return;
    latency_note(&t->latency, fast ? LATENCY_FAST_COMMAND : LATENCY_COMMAND, call->cost_ns,
                 call->now_ms / 1000);
    if (call->cost_ns < t->slow_ns)
        return;
    const struct slow_call slow = {
        .command = call->command,
        .argv = call->argv,
        .argc = call->argc,
        .at = call->now_ms / 1000,
        .cost_us = call->cost_ns / 1000,
        .peer = session_open_info(s)->peer,
        .name = session_name(s, SESSION_NAME),
    };
    slowlog_add(t->slowlog, session_vars(s)->keyspace, &slow);
}

void telemetry_call(struct telemetry *t, struct session *s, const struct telemetry_call *call)
{
    command_stats_call(t->commands, call->command, call->cost_ns, call->latency_ns, call->error);
    if (call->cost_ns >= t->slow_ns || call->cost_ns >= t->latency.threshold_ns)
        log_call(t, s, call);
}
