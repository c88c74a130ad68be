/*
 * latency: LATENCY. core/latency.h keeps the events, command_stats.h the histograms.
 */
#include "latency.h"
#include "commands/commands.h"
#include "core.h"
#include "telemetry.h"

#include <inttypes.h>
#include <stdio.h>

static struct latency *latency_of(struct call *call)
{
    return &core_telemetry(call->core)->latency;
}

/* series_of finds the series that an argument names; NULL when there is none, or nothing in it. */
static const struct latency_series *series_of(struct call *call, uint32_t i)
{
    enum latency_event event;
    if (!latency_find(call->argv[i], &event)) {
        return NULL;
    }
    const struct latency_series *s = &latency_of(call)->series[event];
    return s->count > 0 ? s : NULL;
}

void run_latency_latest(struct call *call)
{
    const struct latency *l = latency_of(call);
    size_t some = 0;
    for (int i = 0; i < LATENCY_EVENT_COUNT; i++) {
        some += l->series[i].count > 0;
    }
    resp_array(call->reply, some);
    for (int i = 0; i < LATENCY_EVENT_COUNT; i++) {
        const struct latency_series *s = &l->series[i];
        if (s->count == 0) {
            continue;
        }
        const struct latency_sample last = latency_sample_at(s, s->count - 1);
        resp_array(call->reply, 4);
        resp_bulk_text(call->reply, latency_name((enum latency_event)i));
        resp_int(call->reply, last.at);
        resp_int(call->reply, last.ms);
        resp_int(call->reply, s->max_ms);
    }
}

void run_latency_history(struct call *call)
{
    const struct latency_series *s = series_of(call, 2);
    const uint32_t count = s != NULL ? s->count : 0;
    resp_array(call->reply, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct latency_sample sample = latency_sample_at(s, i);
        resp_array(call->reply, 2);
        resp_int(call->reply, sample.at);
        resp_int(call->reply, sample.ms);
    }
}

static bool is_named(const struct call *call, enum latency_event event)
{
    for (uint32_t i = 2; i < call->argc; i++) {
        if (call_arg_is(call, i, latency_name(event))) {
            return true;
        }
    }
    return call->argc == 2;
}

void run_latency_reset(struct call *call)
{
    int64_t reset = 0;
    for (int i = 0; i < LATENCY_EVENT_COUNT; i++) {
        if (is_named(call, (enum latency_event)i)) {
            reset += latency_reset(latency_of(call), (enum latency_event)i);
        }
    }
    resp_int(call->reply, reset);
}

/* --- HISTOGRAM -------------------------------------------------------------------------------- */

struct histograms {
    struct call *call;
    size_t count;
    bool reply; /* else only count */
};

/* The edges of the steps: 1 µs, 2 µs, … 17 s; a last one takes the rest. */
enum { STEPS = 25 };

static uint64_t step_end(const struct histogram *h, int step)
{
    return step == STEPS ? h->count : histogram_below(h, UINT64_C(1) << step);
}

/* reply_steps gives how many calls had ended by each edge, where that is more than by the one before. */
static void reply_steps(struct call *call, const struct histogram *h)
{
    size_t steps = 0;
    uint64_t before = 0;
    for (int i = 0; i <= STEPS; before = step_end(h, i++)) {
        steps += step_end(h, i) > before;
    }
    resp_map(call->reply, steps);
    before = 0;
    for (int i = 0; i <= STEPS; before = step_end(h, i++)) {
        if (step_end(h, i) > before) {
            resp_int(call->reply, INT64_C(1) << i);
            resp_int(call->reply, (int64_t)step_end(h, i));
        }
    }
}

static void visit_histogram(const struct command *command, void *arg)
{
    struct histograms *hs = arg;
    struct call *call = hs->call;
    const struct command_figures *f =
        command_stats_of(core_telemetry(call->core)->commands, command);
    if (f->latency == NULL) {
        return;
    }
    hs->count++;
    if (!hs->reply) {
        return;
    }
    resp_bulk_text(call->reply, command->name);
    resp_map(call->reply, 2);
    resp_bulk_text(call->reply, "calls");
    resp_int(call->reply, (int64_t)f->latency->count);
    resp_bulk_text(call->reply, "histogram_usec");
    reply_steps(call, f->latency);
}

/* visit_named visits the command of an argument, "set" or "client|id", and a container's subcommands. */
static void visit_named(struct histograms *hs, struct slice name)
{
    const uint8_t *bar = name.len > 0 ? memchr(name.p, '|', name.len) : NULL;
    const size_t length = bar != NULL ? (size_t)(bar - name.p) : name.len;
    const struct command *command = command_find((struct slice){ name.p, length });
    if (command != NULL && bar != NULL) {
        command = command->subcommands == NULL
                      ? NULL
                      : command_find_sub(command, (struct slice){ bar + 1, name.len - length - 1 });
    }
    if (command == NULL) {
        return;
    }
    visit_histogram(command, hs);
    for (size_t i = 0; i < command->subcommand_count; i++) {
        visit_histogram(&command->subcommands[i], hs);
    }
}

static void visit_asked(struct histograms *hs)
{
    if (hs->call->argc == 2) {
        command_each(visit_histogram, hs);
    }
    for (uint32_t i = 2; i < hs->call->argc; i++) {
        visit_named(hs, hs->call->argv[i]);
    }
}

void run_latency_histogram(struct call *call)
{
    struct histograms hs = { .call = call };
    visit_asked(&hs);
    resp_map(call->reply, hs.count);
    hs.reply = true;
    visit_asked(&hs);
}

/* --- GRAPH ------------------------------------------------------------------------------------ */

enum { GRAPH_WIDTH = 80, GRAPH_ROWS = 4, LABEL_LENGTH = 4, GRAPH_MAX = 16 * 1024 };

struct graph {
    uint32_t columns;
    uint32_t low, high;
    struct latency_sample samples[GRAPH_WIDTH];
};

static struct graph make_graph(const struct latency_series *s)
{
    struct graph g = { .columns = s->count < GRAPH_WIDTH ? s->count : GRAPH_WIDTH,
                       .low = UINT32_MAX };
    for (uint32_t i = 0; i < g.columns; i++) {
        g.samples[i] = latency_sample_at(s, s->count - g.columns + i);
        g.low = g.samples[i].ms < g.low ? g.samples[i].ms : g.low;
        g.high = g.samples[i].ms > g.high ? g.samples[i].ms : g.high;
    }
    return g;
}

/* cell says what stands in a row, 0 the lowest: three heights to a row, and a bar below the top of a column. */
static char cell(const struct graph *g, uint32_t column, uint32_t row)
{
    static const char heights[] = "_o#";
    const uint64_t range = g->high > g->low ? g->high - g->low : 1;
    const uint64_t levels = (uint64_t)GRAPH_ROWS * 3 - 1;
    const uint64_t level = (g->samples[column].ms - g->low) * levels / range;
    if (level / 3 == row) {
        return heights[level % 3];
    }
    return level / 3 > row ? '|' : ' ';
}

/* label writes how long ago that was, one letter to a row: "12m". */
static void label(int64_t seconds, char out[LABEL_LENGTH + 1])
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
    size_t i = 0;
    while (i < ARRAY_SIZE(units) - 1 && seconds < units[i].seconds) {
        i++;
    }
    const int64_t n = seconds / units[i].seconds;
    snprintf(out, LABEL_LENGTH + 1, "%" PRId64 "%c",
             n > 999 ? INT64_C(999)
             : n < 0 ? 0
                     : n,
             units[i].unit);
}

static void add_labels(struct buf *out, const struct graph *g, int64_t now_s)
{
    char labels[GRAPH_WIDTH][LABEL_LENGTH + 1];
    for (uint32_t c = 0; c < g->columns; c++) {
        label(now_s - g->samples[c].at, labels[c]);
    }
    for (size_t row = 0; row < LABEL_LENGTH; row++) {
        bool some = false;
        for (uint32_t c = 0; c < g->columns; c++) {
            some = some || row < strlen(labels[c]);
        }
        for (uint32_t c = 0; c < g->columns && some; c++) {
            buf_append(out, row < strlen(labels[c]) ? &labels[c][row] : " ", 1);
        }
        if (some) {
            buf_printf(out, "\n");
        }
    }
}

static void add_graph(struct buf *out, const struct latency_series *s, const char *name,
                      int64_t now_s)
{
    const struct graph g = make_graph(s);
    buf_printf(out, "%s - high %" PRIu32 " ms, low %" PRIu32 " ms (all time high %" PRIu32 " ms)\n",
               name, g.high, g.low, s->max_ms);
    for (int i = 0; i < GRAPH_WIDTH; i++) {
        buf_printf(out, "-");
    }
    buf_printf(out, "\n");
    for (uint32_t row = GRAPH_ROWS; row-- > 0;) {
        for (uint32_t c = 0; c < g.columns; c++) {
            buf_append(out, (const char[]){ cell(&g, c, row) }, 1);
        }
        buf_printf(out, "\n");
    }
    buf_printf(out, "\n");
    add_labels(out, &g, now_s);
}

void run_latency_graph(struct call *call)
{
    enum latency_event event;
    const struct latency_series *s = series_of(call, 2);
    if (s == NULL || !latency_find(call->argv[2], &event)) {
        const int shown = call->argv[2].len < 128 ? (int)call->argv[2].len : 128;
        resp_error(call->reply, "ERR No samples available for event '%.*s'", shown,
                   (const char *)call->argv[2].p);
        return;
    }
    struct buf out;
    buf_init(&out, GRAPH_MAX);
    add_graph(&out, s, latency_name(event), call->now_ms / 1000);
    resp_verbatim(call->reply, "txt", buf_slice(&out));
    buf_release(&out);
}

/* --- DOCTOR ----------------------------------------------------------------------------------- */

/* what to look at when an event was seen */
static const char *const advice[LATENCY_EVENT_COUNT] = {
    [LATENCY_COMMAND] =
        "SLOWLOG GET names the commands. KEYS, FIND and SCAN with a pattern read much of a"
        " database: give them a literal beginning, or a smaller COUNT.",
    [LATENCY_FAST_COMMAND] =
        "These do little by themselves: what they waited for is the database. Look at the"
        " turns, and for rows that many cores write (INFO's turns_restarted).",
    [LATENCY_TURN] =
        "INFO postgresql says how long turns take. A long one waits for row locks, for the disk, or"
        " for long values; pg_stat_activity shows which while it lasts.",
    [LATENCY_STORE] =
        "A commit waits for the disk of the database, and for its synchronous standbys. Compare"
        " with pg_test_fsync, and look at checkpoints.",
    [LATENCY_CONNECT] =
        "Connecting to the database took long: its name service, its TLS, or a failover.",
};

static void add_finding(struct buf *out, const struct latency *l, enum latency_event event, int n)
{
    const struct latency_series *s = &l->series[event];
    const struct latency_summary sum = latency_summary(s);
    buf_printf(out,
               "%d. %s: %" PRIu32 " seconds with one over the threshold (average %" PRIu32
               " ms, mean deviation %" PRIu32 " ms, one each %.2f s). The worst took %" PRIu32
               " ms.\n   %s\n",
               n, latency_name(event), s->count, sum.average_ms, sum.deviation_ms, sum.period_s,
               s->max_ms, advice[event]);
}

void run_latency_doctor(struct call *call)
{
    const struct latency *l = latency_of(call);
    int found = 0;
    struct buf out;
    buf_init(&out, GRAPH_MAX);
    for (int i = 0; i < LATENCY_EVENT_COUNT; i++) {
        if (l->series[i].count > 0) {
            add_finding(&out, l, (enum latency_event)i, ++found);
        }
    }
    if (l->threshold_ns == UINT64_MAX) {
        buf_printf(&out, "Latency is not watched now. CONFIG SET latency-monitor-threshold"
                         " <milliseconds> turns it on.\n");
    } else if (found == 0) {
        buf_printf(&out,
                   "Nothing took %" PRIu64 " ms or longer since this was last asked to forget.\n",
                   l->threshold_ns / 1000000);
    }
    resp_verbatim(call->reply, "txt", buf_slice(&out));
    buf_release(&out);
}

void run_latency_help(struct call *call)
{
    static const char *const lines[] = {
        "DOCTOR",
        "    What was slow, how often, and what to look at.",
        "GRAPH <event>",
        "    The samples of an event as a drawing.",
        "HISTOGRAM [<command> ...]",
        "    How long calls took from their arrival to their reply: how many had ended after 1, 2, 4, 8 ...",
        "    microseconds. Of all commands that were called, or of those that are named.",
        "HISTORY <event>",
        "    The samples of an event: time and milliseconds.",
        "LATEST",
        "    For each event its last sample, and the longest of all.",
        "RESET [<event> ...]",
        "    Forget the samples of these events, or of all. Returns how many events had some.",
    };
    reply_help(call, "LATENCY", lines, ARRAY_SIZE(lines));
}
