/* Latency events: a ring of samples for each kind. */
#include "latency.h"

#include <string.h>

static const char *const names[] = {
#define LATENCY_TEXT(name, text) [LATENCY_##name] = (text),
    LATENCY_EVENTS(LATENCY_TEXT)
#undef LATENCY_TEXT
};

void latency_init(struct latency *l)
{
    memset(l, 0, sizeof(*l));
    latency_threshold(l, 0);
}

void latency_threshold(struct latency *l, int64_t ms)
{
    const bool off = ms <= 0 || ms > INT64_MAX / 1000000;
    l->threshold_ns = off ? UINT64_MAX : (uint64_t)ms * 1000000;
}

const char *latency_name(enum latency_event event)
{
    return names[event];
}

bool latency_find(struct slice name, enum latency_event *out)
{
    for (int i = 0; i < LATENCY_EVENT_COUNT; i++) {
        if (slice_eq_nocase(name, slice_of(names[i]))) {
            *out = (enum latency_event)i;
            return true;
        }
    }
    return false;
}

struct latency_sample latency_sample_at(const struct latency_series *s, uint32_t i)
{
    return s->samples[(s->next + LATENCY_SAMPLES - s->count + i) % LATENCY_SAMPLES];
}

void latency_add(struct latency *l, enum latency_event event, uint64_t ns, int64_t now_s)
{
    struct latency_series *s = &l->series[event];
    const uint64_t whole = ns / 1000000;
    const uint32_t ms = whole < UINT32_MAX ? (uint32_t)whole : UINT32_MAX;
    struct latency_sample *last = &s->samples[(s->next + LATENCY_SAMPLES - 1) % LATENCY_SAMPLES];
    s->max_ms = ms > s->max_ms ? ms : s->max_ms;
    if (s->count > 0 && last->at == now_s) {
        last->ms = ms > last->ms ? ms : last->ms;
        return;
    }
    s->samples[s->next] = (struct latency_sample){ now_s, ms };
    s->next = (s->next + 1) % LATENCY_SAMPLES;
    s->count += s->count < LATENCY_SAMPLES;
}

bool latency_reset(struct latency *l, enum latency_event event)
{
    const bool some = l->series[event].count > 0;
    memset(&l->series[event], 0, sizeof(l->series[event]));
    return some;
}

struct latency_summary latency_summary(const struct latency_series *s)
{
    struct latency_summary out = { .low_ms = UINT32_MAX };
    uint64_t sum = 0;
    uint64_t distances = 0;
    if (s->count == 0)
        return (struct latency_summary){ 0 };
    for (uint32_t i = 0; i < s->count; i++) {
        const uint32_t ms = latency_sample_at(s, i).ms;
        sum += ms;
        out.low_ms = ms < out.low_ms ? ms : out.low_ms;
        out.high_ms = ms > out.high_ms ? ms : out.high_ms;
    }
    out.average_ms = (uint32_t)(sum / s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        const uint32_t ms = latency_sample_at(s, i).ms;
        distances += ms > out.average_ms ? ms - out.average_ms : out.average_ms - ms;
    }
    out.deviation_ms = (uint32_t)(distances / s->count);
    if (s->count > 1)
        out.period_s =
            (double)(latency_sample_at(s, s->count - 1).at - latency_sample_at(s, 0).at) /
            (s->count - 1);
    return out;
}
