/*
 * telemetry: all that the core keeps to be watched by: statistics, slow log, latency events, times and rates, and the settings of
 * these that CONFIG SET can change. What it costs a command: a look at the clock and a few additions.
 */
#ifndef COFRE_TELEMETRY_H
#define COFRE_TELEMETRY_H

#include "command_stats.h"
#include "latency.h"
#include "rates.h"
#include "slowlog.h"

struct session;

/* Redis's classes of client-output-buffer-limit. Whoever has pushes waiting counts as a subscriber; replicas there are none. */
enum client_class { CLASS_NORMAL, CLASS_REPLICA, CLASS_PUBSUB, CLASS_COUNT };

/* Bytes that wait for a client: at hard, or at soft for so many seconds, it is cut off. 0: no limit. */
struct output_limit {
    int64_t hard, soft, seconds;
};

enum { PERCENTILES_MAX = 32 };

/* Redis's parameters of the same names, with its defaults. */
struct telemetry_settings {
    int64_t slowlog_log_slower_than; /* µs; 0: all; -1: off */
    int64_t slowlog_max_len;
    int64_t latency_monitor_threshold;   /* ms; 0: off */
    int64_t latency_tracking;            /* 0, 1 */
    double percentiles[PERCENTILES_MAX]; /* of INFO latencystats */
    size_t percentile_count;
    struct output_limit output_limits[CLASS_COUNT];
    int64_t acllog_max_len;
};

struct telemetry {
    struct telemetry_settings settings;
    uint64_t slow_ns; /* slowlog-log-slower-than; UINT64_MAX: off */
    struct command_stats *commands;
    struct slowlog *slowlog;
    struct latency latency;
    struct histogram read_turns, write_turns, stores, connects;
    struct rates rates;
};

void telemetry_init(struct telemetry *t);
void telemetry_release(struct telemetry *t);
/* telemetry_apply puts into effect what was set in t->settings. */
void telemetry_apply(struct telemetry *t);
/* telemetry_reset forgets what CONFIG RESETSTAT forgets. */
void telemetry_reset(struct telemetry *t);

/* A call that ran: what it was, what it cost and how long it took (command_stats.h). */
struct telemetry_call {
    const struct command *command;
    const struct slice *argv;
    uint32_t argc;
    uint16_t error;
    uint64_t cost_ns;
    uint64_t latency_ns;
    int64_t now_ms; /* unix, for the logs */
};
void telemetry_call(struct telemetry *t, struct session *s, const struct telemetry_call *call);

#endif
