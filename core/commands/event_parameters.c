/*
 * event_parameters: texts to values and back, as Redis has them.
 */
#include "commands/event_parameters.h"
#include "notify.h"

#include <inttypes.h>

/* --- notify-keyspace-events, tracking-table-max-keys ---------------------------------------- */

static void get_notify(struct core *core, struct buf *out)
{
    notify_format(core_notify_events(core), out);
}

static const char *set_notify(struct core *core, struct slice value, bool check)
{
    uint32_t flags = 0;
    if (notify_parse(value, &flags) != ERR_OK) {
        return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
    }
    if (!check) {
        core_set_notify_events(core, flags);
    }
    return NULL;
}

static void get_max_keys(struct core *core, struct buf *out)
{
    buf_printf(out, "%" PRId64, core_tracking_max_keys(core));
}

static const char *set_max_keys(struct core *core, struct slice value, bool check)
{
    int64_t keys = 0;
    if (slice_to_i64(value, &keys) != ERR_OK) {
        return "argument couldn't be parsed into an integer";
    }
    if (keys < 0) {
        return "argument must be between 0 and 9223372036854775807 inclusive";
    }
    if (!check) {
        core_set_tracking_max_keys(core, keys);
    }
    return NULL;
}

/* --- client-output-buffer-limit ------------------------------------------------------------- */

/* Replies wait for nobody but their own client, within its credit, and there are no replicas: one class has limits. */
static void get_limit(struct core *core, struct buf *out)
{
    struct core_output_limit limit = core_push_limit(core);
    buf_printf(out, "normal 0 0 0 slave 0 0 0 pubsub %" PRId64 " %" PRId64 " %" PRId64, limit.hard,
               limit.soft, limit.soft_ms / 1000);
}

/* word takes the next word; false when there is none. */
static bool word(struct slice *rest, struct slice *out)
{
    size_t start = 0;
    while (start < rest->len && rest->p[start] == ' ') {
        start++;
    }
    size_t end = start;
    while (end < rest->len && rest->p[end] != ' ') {
        end++;
    }
    *out = (struct slice){ rest->p + start, end - start };
    *rest = (struct slice){ rest->p + end, rest->len - end };
    return end > start;
}

static const struct {
    const char *unit;
    int64_t bytes;
} units[] = {
    { "", 1 },
    { "b", 1 },
    { "k", 1000 },
    { "kb", 1024 },
    { "m", 1000 * 1000 },
    { "mb", 1024 * 1024 },
    { "g", 1000 * 1000 * 1000 },
    { "gb", 1024 * 1024 * 1024 },
};

/* parse_bytes reads Redis's memory sizes: 64mb. */
static bool parse_bytes(struct slice text, int64_t *out)
{
    size_t digits = 0;
    while (digits < text.len && text.p[digits] >= '0' && text.p[digits] <= '9') {
        digits++;
    }
    struct slice unit = { text.p + digits, text.len - digits };
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (slice_eq_nocase(unit, slice_of(units[i].unit))) {
            return slice_to_i64((struct slice){ text.p, digits }, out) == ERR_OK &&
                   !__builtin_mul_overflow(*out, units[i].bytes, out);
        }
    }
    return false;
}

/* read_class reads "pubsub 32mb 8mb 60" off the list; returns an error, or NULL. */
static const char *read_class(struct slice *rest, struct core_output_limit *pubsub)
{
    struct slice name;
    struct slice numbers[3];
    struct core_output_limit limit = { 0 };
    if (!word(rest, &name)) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (!word(rest, &numbers[i])) {
            return "Wrong number of arguments in buffer limit configuration.";
        }
    }
    bool is_pubsub = slice_eq_nocase(name, SLICE("pubsub"));
    if (!is_pubsub && !slice_eq_nocase(name, SLICE("normal")) &&
        !slice_eq_nocase(name, SLICE("slave")) && !slice_eq_nocase(name, SLICE("replica"))) {
        return "Invalid client class specified in buffer limit configuration.";
    }
    if (!parse_bytes(numbers[0], &limit.hard) || !parse_bytes(numbers[1], &limit.soft) ||
        slice_to_i64(numbers[2], &limit.soft_ms) != ERR_OK || limit.soft_ms < 0 ||
        __builtin_mul_overflow(limit.soft_ms, 1000, &limit.soft_ms)) {
        return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    }
    if (is_pubsub) {
        *pubsub = limit;
    }
    return NULL;
}

static const char *set_limit(struct core *core, struct slice value, bool check)
{
    struct core_output_limit limit = core_push_limit(core);
    const char *error = NULL;
    while (value.len > 0 && error == NULL) {
        error = read_class(&value, &limit);
    }
    if (error == NULL && !check) {
        core_set_push_limit(core, limit);
    }
    return error;
}

const struct event_parameter event_parameters[] = {
    { "client-output-buffer-limit", get_limit, set_limit },
    { "notify-keyspace-events", get_notify, set_notify },
    { "tracking-table-max-keys", get_max_keys, set_max_keys },
};
const size_t event_parameter_count = ARRAY_SIZE(event_parameters);
