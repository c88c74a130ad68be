/*
 * config_values: parameters whose values are lists or have a form of their own.
 */
#include "commands/config.h"
#include "base/log.h"
#include "core.h"
#include "notify.h"
#include "telemetry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- reading ---------------------------------------------------------------------------------- */

bool config_memory(struct slice s, int64_t *out)
{
    static const struct {
        const char *suffix;
        int64_t factor;
    } units[] = { { "", 1 },           { "b", 1 },
                  { "k", 1000 },       { "kb", 1024 },
                  { "m", 1000000 },    { "mb", 1024 * 1024 },
                  { "g", 1000000000 }, { "gb", 1024 * 1024 * 1024 } };
    size_t digits = 0;
    int64_t n = 0;
    while (digits < s.len && s.p[digits] >= '0' && s.p[digits] <= '9') {
        digits++;
    }
    if (slice_to_i64((struct slice){ s.p, digits }, &n) != ERR_OK) {
        return false;
    }
    const struct slice suffix = { s.p + digits, s.len - digits };
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (slice_eq_nocase(suffix, slice_of(units[i].suffix))) {
            return !__builtin_mul_overflow(n, units[i].factor, out);
        }
    }
    return false;
}

/* next_word cuts the next word off a list with spaces; false at its end. */
static bool next_word(struct slice *rest, struct slice *word)
{
    while (rest->len > 0 && rest->p[0] == ' ') {
        *rest = (struct slice){ rest->p + 1, rest->len - 1 };
    }
    size_t n = 0;
    while (n < rest->len && rest->p[n] != ' ') {
        n++;
    }
    *word = (struct slice){ rest->p, n };
    *rest = (struct slice){ rest->p + n, rest->len - n };
    return n > 0;
}

static struct telemetry_settings *settings_of(struct core *core)
{
    return &core_telemetry(core)->settings;
}

/* --- notify-keyspace-events, tracking-table-max-keys -------------------------------------------- */

void get_keyspace_events(struct call *call, struct buf *out)
{
    notify_format(core_notify_events(call->core), out);
}

const char *set_keyspace_events(struct core *core, struct slice value, bool apply)
{
    uint32_t flags = 0;
    if (notify_parse(value, &flags) != ERR_OK) {
        return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
    }
    if (apply) {
        core_set_notify_events(core, flags);
    }
    return NULL;
}

void get_tracking_max_keys(struct call *call, struct buf *out)
{
    buf_printf(out, "%" PRId64, core_tracking_max_keys(call->core));
}

const char *set_tracking_max_keys(struct core *core, struct slice value, bool apply)
{
    int64_t keys = 0;
    if (slice_to_i64(value, &keys) != ERR_OK) {
        return "argument couldn't be parsed into an integer";
    }
    if (keys < 0) {
        return "argument must be between 0 and 9223372036854775807 inclusive";
    }
    if (apply) {
        core_set_tracking_max_keys(core, keys);
    }
    return NULL;
}

/* --- client-output-buffer-limit ----------------------------------------------------------------- */

static const char *const class_names[CLASS_COUNT] = {
    [CLASS_NORMAL] = "normal",
    [CLASS_REPLICA] = "slave",
    [CLASS_PUBSUB] = "pubsub",
};

static bool find_class(struct slice name, size_t *out)
{
    if (slice_eq_nocase(name, SLICE("replica"))) {
        name = SLICE("slave");
    }
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        if (slice_eq_nocase(name, slice_of(class_names[i]))) {
            *out = i;
            return true;
        }
    }
    return false;
}

static const char *parse_limit(struct slice *rest, struct output_limit limits[CLASS_COUNT])
{
    struct slice words[4];
    size_t which = 0;
    struct output_limit limit;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (!next_word(rest, &words[i])) {
            return "Wrong number of arguments in buffer limit configuration.";
        }
    }
    if (!find_class(words[0], &which)) {
        return "Invalid client class specified in buffer limit configuration.";
    }
    if (!config_memory(words[1], &limit.hard) || !config_memory(words[2], &limit.soft) ||
        slice_to_i64(words[3], &limit.seconds) != ERR_OK || limit.seconds < 0 ||
        limit.seconds > INT64_MAX / 1000) {
        return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    }
    limits[which] = limit;
    return NULL;
}

void get_output_limits(struct call *call, struct buf *out)
{
    const struct output_limit *limits = settings_of(call->core)->output_limits;
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        buf_printf(out, "%s%s %" PRId64 " %" PRId64 " %" PRId64, i > 0 ? " " : "", class_names[i],
                   limits[i].hard, limits[i].soft, limits[i].seconds);
    }
}

const char *set_output_limits(struct core *core, struct slice value, bool apply)
{
    struct output_limit *current = settings_of(core)->output_limits;
    struct output_limit limits[CLASS_COUNT]; /* to be changed here before any of it counts */
    struct slice rest = value;
    struct slice word;
    const char *error = NULL;
    memcpy(limits, current, sizeof(limits));
    for (struct slice ahead = rest; error == NULL && next_word(&ahead, &word); ahead = rest) {
        error = parse_limit(&rest, limits);
    }
    if (error == NULL && apply) {
        memcpy(current, limits, sizeof(limits));
    }
    return error;
}

/* --- latency-tracking-info-percentiles -------------------------------------------------------- */

static const char *parse_percentile(struct slice word, double *out)
{
    char text[32];
    char *end = NULL;
    if (word.len >= sizeof(text)) {
        return "Invalid latency-tracking-info-percentiles parameters";
    }
    memcpy(text, word.p, word.len);
    text[word.len] = '\0';
    *out = strtod(text, &end);
    if (end != text + word.len || *out != *out) {
        return "Invalid latency-tracking-info-percentiles parameters";
    }
    if (*out < 0 || *out > 100) {
        return "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
    }
    return NULL;
}

void get_percentiles(struct call *call, struct buf *out)
{
    const struct telemetry_settings *s = settings_of(call->core);
    for (size_t i = 0; i < s->percentile_count; i++) {
        buf_printf(out, "%s%.15g", i > 0 ? " " : "", s->percentiles[i]);
    }
}

const char *set_percentiles(struct core *core, struct slice value, bool apply)
{
    double percentiles[PERCENTILES_MAX];
    size_t n = 0;
    struct slice word;
    while (next_word(&value, &word)) {
        const char *error = n == PERCENTILES_MAX
                                ? "Invalid latency-tracking-info-percentiles parameters"
                                : parse_percentile(word, &percentiles[n]);
        if (error != NULL) {
            return error;
        }
        n++;
    }
    if (apply) {
        memcpy(settings_of(core)->percentiles, percentiles, n * sizeof(*percentiles));
        settings_of(core)->percentile_count = n;
    }
    return NULL;
}

/* --- ours ------------------------------------------------------------------------------------- */

void get_store_timeout(struct call *call, struct buf *out)
{
    buf_printf(out, "%.15g", (double)core_options(call->core)->store_timeout_ms / 1000);
}

const char *set_store_timeout(struct core *core, struct slice value, bool apply)
{
    char text[32];
    char *end = NULL;
    double seconds = 0;
    if (value.len > 0 && value.len < sizeof(text)) {
        memcpy(text, value.p, value.len);
        text[value.len] = '\0';
        seconds = strtod(text, &end);
    }
    if (end == NULL || end != text + value.len || !(seconds >= 0.1 && seconds <= 3600)) {
        return "argument must be between 0.1 and 3600 inclusive";
    }
    if (apply) {
        core_changeable(core)->store_timeout_ms = (int64_t)(seconds * 1000 + 0.5);
    }
    return NULL;
}

/* The cache's table is made for its size: no larger than the machine's memory. */
const char *set_cache_size(struct core *core, struct slice value, bool apply)
{
    const int64_t most = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t bytes = 0;
    if (!config_memory(value, &bytes)) {
        return "argument must be a memory value";
    }
    if (bytes > most) {
        return "that is more than the memory of this machine";
    }
    if (apply) {
        core_changeable(core)->cache_size = bytes;
    }
    return NULL;
}

/* Redis's words for the log's levels: what is shown for each of ours, and which of ours each means. */
static const char *const redis_levels[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "notice",
    [LOG_WARNING] = "warning",
    [LOG_ERROR] = "warning",
};

void get_loglevel(struct call *call, struct buf *out)
{
    (void)call;
    buf_printf(out, "%s", redis_levels[log_level()]);
}

const char *set_loglevel(struct core *core, struct slice value, bool apply)
{
    (void)core;
    if (apply && !slice_eq_nocase(value, slice_of(redis_levels[log_level()]))) {
        log_set_level(slice_eq_nocase(value, SLICE("warning"))  ? LOG_WARNING
                      : slice_eq_nocase(value, SLICE("notice")) ? LOG_INFO
                                                                : LOG_DEBUG);
    }
    return NULL;
}

static const char *const our_levels[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARNING] = "warning",
    [LOG_ERROR] = "error",
};

void get_cofre_loglevel(struct call *call, struct buf *out)
{
    (void)call;
    buf_printf(out, "%s", our_levels[log_level()]);
}

const char *set_cofre_loglevel(struct core *core, struct slice value, bool apply)
{
    (void)core;
    for (size_t i = 0; i < ARRAY_SIZE(our_levels) && apply; i++) {
        if (slice_eq_nocase(value, slice_of(our_levels[i]))) {
            log_set_level((enum log_level)i);
        }
    }
    return NULL;
}
