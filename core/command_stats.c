/* Statistics of commands: an array by the row's number, and a short list of error codes. */
#include "command_stats.h"

#include <stdlib.h>
#include <string.h>

/* Codes are ours alone and few; what is over is in the total only. */
enum { CODES_MAX = 64 };

struct command_stats {
    bool track;
    uint64_t calls;
    uint64_t errors;
    struct error_figures codes[CODES_MAX];
    size_t code_count;
    struct command_figures figures[]; /* by command_id */
};

struct command_stats *command_stats_new(void)
{
    struct command_stats *s =
        mem_zalloc(sizeof(*s) + command_id_count() * sizeof(struct command_figures));
    s->track = true;
    return s;
}

void command_stats_reset(struct command_stats *s)
{
    for (size_t i = 0; i < command_id_count(); i++) {
        free(s->figures[i].latency);
        s->figures[i] = (struct command_figures){ 0 };
    }
    s->calls = 0;
    s->errors = 0;
    for (size_t i = 0; i < s->code_count; i++) {
        s->codes[i].count = 0;
    }
}

void command_stats_free(struct command_stats *s)
{
    if (s == NULL) {
        return;
    }
    command_stats_reset(s);
    free(s);
}

void command_stats_track(struct command_stats *s, bool on)
{
    s->track = on;
}

/* find_code returns the place of a code, made when it is new; code_count when there is no room. */
static size_t find_code(struct command_stats *s, struct slice code)
{
    size_t i = 0;
    while (i < s->code_count && !slice_eq(slice_of(s->codes[i].code), code)) {
        i++;
    }
    if (i == s->code_count && i < CODES_MAX && code.len < sizeof(s->codes[i].code)) {
        memcpy(s->codes[i].code, code.p, code.len);
        s->code_count++;
    }
    return i;
}

uint16_t command_stats_code(struct command_stats *s, struct slice reply)
{
    size_t end = 1;
    if (reply.len == 0 || reply.p[0] != '-') {
        return 0;
    }
    while (end < reply.len && reply.p[end] > ' ') {
        end++;
    }
    return (uint16_t)(find_code(s, (struct slice){ reply.p + 1, end - 1 }) + 1);
}

void command_stats_error(struct command_stats *s, uint16_t code)
{
    if (code == 0) {
        return;
    }
    s->errors++;
    if (code <= s->code_count) {
        s->codes[code - 1].count++;
    }
}

void command_stats_call(struct command_stats *s, const struct command *command, uint64_t cost_ns,
                        uint64_t latency_ns, uint16_t error)
{
    struct command_figures *f = &s->figures[command_id(command)];
    command_stats_error(s, error);
    s->calls++;
    f->calls++;
    f->failed += error != 0;
    f->cost_ns += cost_ns;
    if (!s->track) {
        return;
    }
    if (f->latency == NULL) {
        f->latency = mem_zalloc(sizeof(*f->latency));
    }
    histogram_add(f->latency, latency_ns);
}

void command_stats_reject(struct command_stats *s, const struct command *command, uint16_t error)
{
    command_stats_error(s, error);
    if (command != NULL) {
        s->figures[command_id(command)].rejected++;
    }
}

const struct command_figures *command_stats_of(const struct command_stats *s,
                                               const struct command *command)
{
    return &s->figures[command_id(command)];
}

uint64_t command_stats_calls(const struct command_stats *s)
{
    return s->calls;
}

uint64_t command_stats_errors(const struct command_stats *s)
{
    return s->errors;
}

const struct error_figures *command_stats_error_at(const struct command_stats *s, size_t i)
{
    return i < s->code_count ? &s->codes[i] : NULL;
}
