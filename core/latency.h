/*
 * latency: when something took longer than latency-monitor-threshold, for LATENCY: for each kind of event the worst of each
 * second, the last 160 such seconds. Memory alone. All of it is about the process, not about a keyspace: no keys, no names.
 */
#ifndef COFRE_LATENCY_H
#define COFRE_LATENCY_H

#include "base/slice.h"

/*
 * command, fast-command   a call's cost (command_stats.h), by the command's flag `fast`, as in Redis
 * turn                    a turn, from its start to its end, with all that it had to do again
 * store                   a turn's last round trip: the writes and the commit
 * connect                 a connection to PostgreSQL, from the attempt until it can serve
 */
#define LATENCY_EVENTS(EVENT)           \
    EVENT(COMMAND, "command")           \
    EVENT(FAST_COMMAND, "fast-command") \
    EVENT(TURN, "turn")                 \
    EVENT(STORE, "store")               \
    EVENT(CONNECT, "connect")

enum latency_event {
#define LATENCY_NAME(name, text) LATENCY_##name,
    LATENCY_EVENTS(LATENCY_NAME)
#undef LATENCY_NAME
        LATENCY_EVENT_COUNT
};

enum { LATENCY_SAMPLES = 160 };

struct latency_sample {
    int64_t at; /* unix s */
    uint32_t ms;
};

/* [next - count, next) modulo LATENCY_SAMPLES, oldest first */
struct latency_series {
    uint32_t next;
    uint32_t count;
    uint32_t max_ms; /* since it was reset */
    struct latency_sample samples[LATENCY_SAMPLES];
};

struct latency {
    uint64_t threshold_ns; /* UINT64_MAX: off */
    struct latency_series series[LATENCY_EVENT_COUNT];
};

void latency_init(struct latency *l);
void latency_threshold(struct latency *l, int64_t ms); /* 0: off */

/* latency_note keeps a duration that reaches the threshold. Cheap when it does not. */
void latency_add(struct latency *l, enum latency_event event, uint64_t ns, int64_t now_s);
static inline void latency_note(struct latency *l, enum latency_event event, uint64_t ns,
                                int64_t now_s)
{
    if (ns >= l->threshold_ns)
        latency_add(l, event, ns, now_s);
}

const char *latency_name(enum latency_event event);
/* latency_find looks an event up, in any case; false when there is none. */
bool latency_find(struct slice name, enum latency_event *out);
/* latency_sample_at gives a series' samples, oldest first; i < count. */
struct latency_sample latency_sample_at(const struct latency_series *s, uint32_t i);
/* latency_reset forgets a series; false when there was nothing. */
bool latency_reset(struct latency *l, enum latency_event event);

struct latency_summary {
    uint32_t low_ms, high_ms, average_ms, deviation_ms; /* deviation: the mean of the distances */
    double period_s;                                    /* seconds from one to the next */
};
struct latency_summary latency_summary(const struct latency_series *s);

#endif
