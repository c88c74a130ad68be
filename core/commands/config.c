/*
 * config: CONFIG GET: what clients and tools ask a Redis for, answered with what holds here.
 */
#include "commands/commands.h"
#include "commands/event_parameters.h"
#include "core.h"

typedef int64_t config_number(const struct core_options *options);

static int64_t max_value(const struct core_options *options)
{
    return options->max_value;
}

static int64_t databases(const struct core_options *options)
{
    return options->databases;
}

static int64_t max_key(const struct core_options *options)
{
    return options->max_key;
}

static int64_t store_timeout(const struct core_options *options)
{
    return options->store_timeout_ms / 1000;
}

static int64_t cache_size(const struct core_options *options)
{
    return options->cache_size;
}

static int64_t pool_size(const struct core_options *options)
{
    return options->pool_size;
}

/*
 * name     Redis's, or ours where it begins with cofre-
 * text     the value, or NULL
 * number   where it comes from otherwise
 */
static const struct parameter {
    const char *name;
    const char *text;
    config_number *number;
} parameters[] = {
    { "appendfsync", "always", NULL }, /* a reply means that it is stored */
    { "appendonly", "yes", NULL },
    { "bind", "", NULL },
    { "cofre-cache-size", NULL, cache_size },
    { "cofre-max-key", NULL, max_key },
    { "cofre-max-value", NULL, max_value },
    { "cofre-pool-size", NULL, pool_size },
    { "cofre-store-timeout", NULL, store_timeout },
    { "databases", NULL, databases },
    { "dir", "", NULL },
    { "lua-time-limit", "5000", NULL },
    { "maxclients", "10000", NULL },
    { "maxmemory", "0", NULL },
    { "maxmemory-policy", "noeviction", NULL },
    { "port", "0", NULL }, /* no plaintext listener */
    { "proto-max-bulk-len", NULL, max_value },
    { "requirepass", "", NULL },
    { "save", "", NULL },
    { "slowlog-log-slower-than", "10000", NULL },
    { "slowlog-max-len", "128", NULL },
    { "timeout", "0", NULL },
    { "tls-auth-clients", "yes", NULL },
    { "tls-protocols", "TLSv1.2 TLSv1.3", NULL },
};

/* asked returns the argument that matches, 0 for none: a parameter that several match is given once. */
static uint32_t asked(const struct call *call, const char *name)
{
    for (uint32_t i = 2; i < call->argc; i++) {
        if (slice_glob(call->argv[i], slice_of(name), true)) {
            return i;
        }
    }
    return 0;
}

/* reply_parameter: a name that was spelled out comes back as it was spelled, in whatever case. */
static void reply_name(struct call *call, const char *name, uint32_t arg)
{
    bool spelled = slice_eq_nocase(call->argv[arg], slice_of(name));
    resp_bulk(call->reply, spelled ? call->argv[arg] : slice_of(name));
}

static void reply_parameter(struct call *call, const struct parameter *parameter, uint32_t arg)
{
    reply_name(call, parameter->name, arg);
    if (parameter->text != NULL) {
        resp_bulk_text(call->reply, parameter->text);
    } else {
        resp_bulk_int(call->reply, parameter->number(core_options(call->core)));
    }
}

static void reply_event_parameter(struct call *call, const struct event_parameter *parameter,
                                  uint32_t arg)
{
    enum { VALUE_MAX = 1024 };
    struct buf value;
    buf_init(&value, VALUE_MAX);
    parameter->get(call->core, &value);
    reply_name(call, parameter->name, arg);
    resp_bulk(call->reply, buf_slice(&value));
    buf_release(&value);
}

void run_config_get(struct call *call)
{
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
        count += asked(call, parameters[i].name) != 0;
    }
    for (size_t i = 0; i < event_parameter_count; i++) {
        count += asked(call, event_parameters[i].name) != 0;
    }
    resp_map(call->reply, count);
    for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
        uint32_t arg = asked(call, parameters[i].name);
        if (arg != 0) {
            reply_parameter(call, &parameters[i], arg);
        }
    }
    for (size_t i = 0; i < event_parameter_count; i++) {
        uint32_t arg = asked(call, event_parameters[i].name);
        if (arg != 0) {
            reply_event_parameter(call, &event_parameters[i], arg);
        }
    }
}

static const struct event_parameter *find_settable(struct slice name)
{
    for (size_t i = 0; i < event_parameter_count; i++) {
        if (slice_eq_nocase(name, slice_of(event_parameters[i].name))) {
            return &event_parameters[i];
        }
    }
    return NULL;
}

/* set_pairs goes through all pairs; false after an error reply. */
static bool set_pairs(struct call *call, bool check)
{
    for (uint32_t i = 2; i < call->argc; i += 2) {
        const struct event_parameter *parameter = find_settable(call->argv[i]);
        if (parameter == NULL) {
            resp_error(call->reply,
                       "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                       (int)(call->argv[i].len < 128 ? call->argv[i].len : 128),
                       (const char *)call->argv[i].p);
            return false;
        }
        const char *error = parameter->set(call->core, call->argv[i + 1], check);
        if (error != NULL) {
            resp_error(call->reply,
                       "ERR CONFIG SET failed (possibly related to argument '%s') - %s",
                       parameter->name, error);
            return false;
        }
    }
    return true;
}

void run_config_set(struct call *call)
{
    if (call->argc % 2 != 0) {
        reply_syntax_error(call);
    } else if (set_pairs(call, true) && set_pairs(call, false)) {
        resp_ok(call->reply);
    }
}

void run_config_help(struct call *call)
{
    static const char *const lines[] = {
        "GET <pattern>",
        "    Return parameters matching the glob-like <pattern> and their values.",
        "SET <directive> <value>",
        "    Set the configuration <directive> to <value>.",
    };
    reply_help(call, "CONFIG", lines, ARRAY_SIZE(lines));
}
