/*
 * config_table: the parameters of CONFIG. Those that can be changed take effect at once. The others are there because clients
 * ask for them, or set them at their start: they say what is true here, and take no other value.
 */
#include "commands/config.h"
#include "commands/info.h"
#include "core.h"
#include "telemetry.h"

#include <inttypes.h>

/* --- values that are found out ----------------------------------------------------------------- */

/* The gateways decide about these. */
static void get_maxclients(struct call *call, struct buf *out)
{
    buf_printf(out, "%" PRId64, info_gateway_stat(call, "gateway_max_connections"));
}

static void get_timeout(struct call *call, struct buf *out)
{
    buf_printf(out, "%" PRId64, info_gateway_stat(call, "gateway_idle_timeout_seconds"));
}

static void get_tls_port(struct call *call, struct buf *out)
{
    buf_printf(out, "%" PRId64, info_listener_port(call));
}

static void get_databases(struct call *call, struct buf *out)
{
    buf_printf(out, "%" PRId64, core_options(call->core)->databases);
}

static void get_pool_size(struct call *call, struct buf *out)
{
    buf_printf(out, "%" PRId64, core_options(call->core)->pool_size);
}

static void get_cache_size(struct call *call, struct buf *out)
{
    buf_printf(out, "%" PRId64, core_options(call->core)->cache_size);
}

static void get_acl_file(struct call *call, struct buf *out)
{
    const char *file = core_options(call->core)->acl_file;
    buf_printf(out, "%s", file != NULL ? file : "");
}

static void get_audit(struct call *call, struct buf *out)
{
    buf_printf(out, "%s", core_options(call->core)->audit);
}

static void get_audit_file(struct call *call, struct buf *out)
{
    const char *file = core_options(call->core)->audit_file;
    buf_printf(out, "%s", file != NULL ? file : "");
}

static void get_audit_required(struct call *call, struct buf *out)
{
    buf_printf(out, "%s", core_options(call->core)->audit_required ? "yes" : "no");
}

static void get_audit_writes(struct call *call, struct buf *out)
{
    buf_printf(out, "%s", core_options(call->core)->audit_writes ? "yes" : "no");
}

/* --- rows ------------------------------------------------------------------------------------- */

#define IS(name, kind, value)                                             \
    {                                                                     \
        (name), (kind), 0, (value), NULL, PLACE_NONE, 0, 0, 0, NULL, NULL \
    }
#define NEVER(name, kind, value)                                                        \
    {                                                                                   \
        (name), (kind), PARAM_IMMUTABLE, (value), NULL, PLACE_NONE, 0, 0, 0, NULL, NULL \
    }
#define PROTECTED(name, value)                                                              \
    {                                                                                       \
        (name), PARAM_TEXT, PARAM_PROTECTED, (value), NULL, PLACE_NONE, 0, 0, 0, NULL, NULL \
    }
#define ONE_OF(name, value, choices)                                                 \
    {                                                                                \
        (name), PARAM_CHOICE, 0, (value), NULL, PLACE_NONE, 0, 0, 0, NULL, (choices) \
    }
#define SHOWN(name, kind, get)                                          \
    {                                                                   \
        (name), (kind), 0, NULL, (get), PLACE_NONE, 0, 0, 0, NULL, NULL \
    }
#define SETTING(name, kind, field, min, max)                                     \
    {                                                                            \
        (name), (kind), PARAM_SETTABLE, NULL, NULL, PLACE_SETTINGS,              \
            offsetof(struct telemetry_settings, field), (min), (max), NULL, NULL \
    }
#define OPTION(name, kind, field, min, max)                                \
    {                                                                      \
        (name), (kind), PARAM_SETTABLE, NULL, NULL, PLACE_OPTIONS,         \
            offsetof(struct core_options, field), (min), (max), NULL, NULL \
    }
#define FORM(name, get, set)                                                              \
    {                                                                                     \
        (name), PARAM_TEXT, PARAM_SETTABLE, NULL, (get), PLACE_NONE, 0, 0, 0, (set), NULL \
    }
#define CHOICE(name, get, set, choices)                                                          \
    {                                                                                            \
        (name), PARAM_CHOICE, PARAM_SETTABLE, NULL, (get), PLACE_NONE, 0, 0, 0, (set), (choices) \
    }

#define POLICIES \
    "volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction"

enum { VALUE_LARGEST = 64 * 1024 * 1024, KEY_LARGEST = 2600 };

/* clang-format off */

const struct parameter config_parameters[] = {
    { "aclfile", PARAM_TEXT, PARAM_IMMUTABLE, NULL, get_acl_file, PLACE_NONE, 0, 0, 0, NULL, NULL },
    SETTING("acllog-max-len", PARAM_NUMBER, acllog_max_len, 0, INT64_MAX),
    IS("activedefrag", PARAM_BOOL, "no"),
    ONE_OF("appendfsync", "always", "everysec, always, no"), /* a reply means that it is stored */
    IS("appendonly", PARAM_BOOL, "yes"),
    IS("auto-aof-rewrite-percentage", PARAM_NUMBER, "0"),
    IS("bind", PARAM_TEXT, ""),
    FORM("client-output-buffer-limit", get_output_limits, set_output_limits),
    NEVER("cluster-enabled", PARAM_BOOL, "no"),
    SHOWN("cofre-audit", PARAM_TEXT, get_audit), /* whoever is recorded cannot change what is */
    SHOWN("cofre-audit-file", PARAM_TEXT, get_audit_file),
    SHOWN("cofre-audit-required", PARAM_BOOL, get_audit_required),
    SHOWN("cofre-audit-writes", PARAM_BOOL, get_audit_writes),
    { "cofre-cache-size", PARAM_BYTES, PARAM_SETTABLE, NULL, get_cache_size, PLACE_NONE, 0, 0, 0, set_cache_size, NULL },
    CHOICE("cofre-log-level", get_cofre_loglevel, set_cofre_loglevel, "debug, info, warning, error"),
    OPTION("cofre-max-key", PARAM_BYTES, max_key, 1, KEY_LARGEST),
    OPTION("cofre-max-value", PARAM_BYTES, max_value, 1, VALUE_LARGEST),
    SHOWN("cofre-pool-size", PARAM_NUMBER, get_pool_size),
    FORM("cofre-store-timeout", get_store_timeout, set_store_timeout), /* seconds */
    NEVER("daemonize", PARAM_BOOL, "no"),
    { "databases", PARAM_NUMBER, PARAM_IMMUTABLE, NULL, get_databases, PLACE_NONE, 0, 0, 0, NULL, NULL },
    PROTECTED("dbfilename", ""),
    PROTECTED("dir", ""),
    IS("dynamic-hz", PARAM_BOOL, "no"),
    NEVER("enable-debug-command", PARAM_TEXT, "no"),
    NEVER("enable-module-command", PARAM_TEXT, "no"),
    NEVER("enable-protected-configs", PARAM_TEXT, "no"),
    IS("hll-sparse-max-bytes", PARAM_NUMBER, "3000"),
    IS("hz", PARAM_NUMBER, "10"),
    NEVER("io-threads", PARAM_NUMBER, "1"),
    SETTING("latency-monitor-threshold", PARAM_NUMBER, latency_monitor_threshold, 0, INT64_MAX),
    SETTING("latency-tracking", PARAM_BOOL, latency_tracking, 0, 1),
    FORM("latency-tracking-info-percentiles", get_percentiles, set_percentiles),
    /* Deleted rows are always collected later, by the purge. */
    IS("lazyfree-lazy-eviction", PARAM_BOOL, "yes"),
    IS("lazyfree-lazy-expire", PARAM_BOOL, "yes"),
    IS("lazyfree-lazy-server-del", PARAM_BOOL, "yes"),
    IS("lazyfree-lazy-user-del", PARAM_BOOL, "yes"),
    IS("lazyfree-lazy-user-flush", PARAM_BOOL, "yes"),
    NEVER("logfile", PARAM_TEXT, ""), /* standard error */
    CHOICE("loglevel", get_loglevel, set_loglevel, "debug, verbose, notice, warning"),
    IS("lua-time-limit", PARAM_NUMBER, "5000"),
    IS("masterauth", PARAM_TEXT, ""),
    IS("masteruser", PARAM_TEXT, ""),
    SHOWN("maxclients", PARAM_NUMBER, get_maxclients),
    IS("maxmemory", PARAM_BYTES, "0"), /* nothing is ever dropped to save memory */
    IS("maxmemory-clients", PARAM_TEXT, "0"),
    ONE_OF("maxmemory-policy", "noeviction", POLICIES),
    IS("maxmemory-samples", PARAM_NUMBER, "5"),
    IS("min-replicas-to-write", PARAM_NUMBER, "0"),
    IS("min-slaves-to-write", PARAM_NUMBER, "0"),
    FORM("notify-keyspace-events", get_keyspace_events, set_keyspace_events),
    NEVER("pidfile", PARAM_TEXT, ""),
    IS("port", PARAM_NUMBER, "0"), /* no plaintext listener */
    IS("protected-mode", PARAM_BOOL, "yes"),
    OPTION("proto-max-bulk-len", PARAM_BYTES, max_value, 1, VALUE_LARGEST),
    IS("replicaof", PARAM_TEXT, ""),
    IS("requirepass", PARAM_TEXT, ""), /* certificates say who a client is */
    IS("save", PARAM_TEXT, ""),
    IS("slaveof", PARAM_TEXT, ""),
    SETTING("slowlog-log-slower-than", PARAM_NUMBER, slowlog_log_slower_than, -1, INT64_MAX),
    SETTING("slowlog-max-len", PARAM_NUMBER, slowlog_max_len, 0, INT64_MAX),
    IS("stop-writes-on-bgsave-error", PARAM_BOOL, "yes"),
    NEVER("supervised", PARAM_TEXT, "no"),
    NEVER("syslog-enabled", PARAM_BOOL, "no"),
    SHOWN("timeout", PARAM_NUMBER, get_timeout),
    ONE_OF("tls-auth-clients", "yes", "no, yes, optional"),
    SHOWN("tls-port", PARAM_NUMBER, get_tls_port),
    IS("tls-protocols", PARAM_TEXT, "TLSv1.2 TLSv1.3"),
    FORM("tracking-table-max-keys", get_tracking_max_keys, set_tracking_max_keys),
    NEVER("unixsocket", PARAM_TEXT, ""),
};

/* clang-format on */

const size_t config_parameter_count = ARRAY_SIZE(config_parameters);
