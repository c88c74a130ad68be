/*
 * info_commands: INFO's sections about commands: commandstats, errorstats, latencystats. command_stats.h says what the times
 * are.
 */
#include "commands/info.h"
#include "core.h"
#include "telemetry.h"

#include <inttypes.h>

struct section {
    struct buf *out;
    const struct telemetry *telemetry;
};

static void add_calls(const struct command *command, void *arg)
{
    const struct section *s = arg;
    const struct command_figures *f = command_stats_of(s->telemetry->commands, command);
    if (f->calls == 0 && f->rejected == 0 && f->failed == 0) {
        return;
    }
    double us = (double)f->cost_ns / 1000;
    buf_printf(s->out,
               "cmdstat_%s:calls=%" PRIu64 ",usec=%" PRIu64
               ",usec_per_call=%.2f,rejected_calls=%" PRIu64 ",failed_calls=%" PRIu64 "\r\n",
               command->name, f->calls, f->cost_ns / 1000,
               f->calls == 0 ? 0.0 : us / (double)f->calls, f->rejected, f->failed);
}

void info_commandstats(struct call *call, struct buf *out)
{
    command_each(add_calls, &(struct section){ out, core_telemetry(call->core) });
}

void info_errorstats(struct call *call, struct buf *out)
{
    const struct command_stats *stats = core_telemetry(call->core)->commands;
    const struct error_figures *e;
    for (size_t i = 0; (e = command_stats_error_at(stats, i)) != NULL; i++) {
        if (e->count > 0) {
            buf_printf(out, "errorstat_%s:count=%" PRIu64 "\r\n", e->code, e->count);
        }
    }
}

static void add_percentiles(const struct command *command, void *arg)
{
    const struct section *s = arg;
    const struct telemetry_settings *settings = &s->telemetry->settings;
    const struct histogram *h = command_stats_of(s->telemetry->commands, command)->latency;
    if (h == NULL) {
        return;
    }
    buf_printf(s->out, "latency_percentiles_usec_%s:", command->name);
    for (size_t i = 0; i < settings->percentile_count; i++) {
        double percent = settings->percentiles[i];
        buf_printf(s->out, "%sp%.15g=%.3f", i > 0 ? "," : "", percent,
                   (double)histogram_percentile(h, percent) / 1000);
    }
    buf_printf(s->out, "\r\n");
}

void info_latencystats(struct call *call, struct buf *out)
{
    command_each(add_percentiles, &(struct section){ out, core_telemetry(call->core) });
}
