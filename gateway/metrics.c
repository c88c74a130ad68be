/*
 * metrics: figures, their totals, and their lines. What they mean is said in the header; who adds them up
 * over all gateways is the core.
 */
#include "metrics.h"

#include <inttypes.h>

static const uint64_t bounds[METRICS_BOUNDS] = {
#define METRICS_BOUND(bound) bound,
    METRICS_BUCKETS(METRICS_BOUND)
#undef METRICS_BOUND
};

static const char *const bound_names[METRICS_BOUNDS] = {
#define METRICS_BOUND_NAME(bound) #bound,
    METRICS_BUCKETS(METRICS_BOUND_NAME)
#undef METRICS_BOUND_NAME
};

static uint64_t nothing(enum metric_kind kind)
{
    return kind == METRIC_LEAST || kind == METRIC_GREATEST ? METRIC_NONE : 0;
}

void metrics_init(struct metrics *m)
{
    *m = (struct metrics){
#define METRICS_NOTHING(field, name, kind, help) .field = nothing(METRIC_##kind),
        METRICS_ROWS(METRICS_NOTHING)
#undef METRICS_NOTHING
    };
}

void metrics_handshake(struct metrics *m, uint64_t usec)
{
    m->handshake_count++;
    m->handshake_usec += usec;
    for (size_t i = 0; i < METRICS_BOUNDS; i++) {
        if (usec <= bounds[i]) {
            m->handshake_buckets[i]++;
            return;
        }
    }
}

static uint64_t combined(enum metric_kind kind, uint64_t a, uint64_t b)
{
    if (a == METRIC_NONE || b == METRIC_NONE) {
        return a == METRIC_NONE ? b : a;
    }
    switch (kind) {
    case METRIC_LEAST:
        return a < b ? a : b;
    case METRIC_GREATEST:
        return a > b ? a : b;
    case METRIC_COUNTER:
    case METRIC_GAUGE:
    case METRIC_HISTOGRAM:
        break;
    }
    return a + b;
}

void metrics_add(struct metrics *total, const struct metrics *m)
{
#define METRICS_COMBINE(field, name, kind, help) \
    total->field = combined(METRIC_##kind, total->field, m->field);
    METRICS_ROWS(METRICS_COMBINE)
#undef METRICS_COMBINE
    for (size_t i = 0; i < METRICS_BOUNDS; i++) {
        total->handshake_buckets[i] += m->handshake_buckets[i];
    }
    for (size_t i = 0; i < REFUSAL_KINDS; i++) {
        total->refused[i] += m->refused[i];
    }
    total->handshake_usec += m->handshake_usec;
    total->handshake_count += m->handshake_count;
}

static void each_refusal(const struct metrics *m,
                         void (*visit)(void *arg, const struct metric *one), void *arg)
{
    for (size_t i = 0; i < REFUSAL_KINDS; i++) {
        visit(arg, &(struct metric){ .name = "refused",
                                     .label = "reason",
                                     .of = refusal_name((enum refusal_kind)i),
                                     .kind = METRIC_COUNTER,
                                     .help = "Handshakes that came to nothing, by reason",
                                     .value = m->refused[i] });
    }
}

static void each_handshake(const struct metrics *m,
                           void (*visit)(void *arg, const struct metric *one), void *arg)
{
    struct metric one = { .name = "handshake_usec",
                          .label = "le",
                          .kind = METRIC_HISTOGRAM,
                          .help = "Handshakes by their time from accept on, in microseconds" };
    for (size_t i = 0; i < METRICS_BOUNDS; i++) {
        one.of = bound_names[i];
        one.value += m->handshake_buckets[i];
        visit(arg, &one);
    }
    one.of = "";
    one.label = "count";
    one.value = m->handshake_count;
    visit(arg, &one);
    one.label = "sum";
    one.value = m->handshake_usec;
    visit(arg, &one);
}

void metrics_each(const struct metrics *m, void (*visit)(void *arg, const struct metric *one),
                  void *arg)
{
    const struct metric rows[] = {
#define METRICS_SHOW(field, title, sort, text) \
    { .name = title, .kind = METRIC_##sort, .help = text, .value = m->field },
        METRICS_ROWS(METRICS_SHOW)
#undef METRICS_SHOW
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        visit(arg, &rows[i]);
    }
    each_refusal(m, visit, arg);
    each_handshake(m, visit, arg);
}

static void write_line(void *arg, const struct metric *one)
{
    static const char kinds[] = { [METRIC_COUNTER] = '=',
                                  [METRIC_GAUGE] = '=',
                                  [METRIC_HISTOGRAM] = '=',
                                  [METRIC_LEAST] = '<',
                                  [METRIC_GREATEST] = '>' };
    buf_printf(arg, "gateway_%s", one->name);
    if (one->kind == METRIC_HISTOGRAM) {
        buf_printf(arg, "_%s", one->label);
    }
    if (one->label != NULL && one->of[0] != '\0') {
        buf_printf(arg, "_%s", one->of);
    }
    buf_printf(arg, "%c", kinds[one->kind]);
    if (one->value != METRIC_NONE) {
        buf_printf(arg, "%" PRIu64, one->value);
    }
    buf_append(arg, "\n", 1);
}

void metrics_write(const struct metrics *m, struct buf *out)
{
    metrics_each(m, write_line, out);
}
