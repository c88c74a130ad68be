/*
 * info_redis: Redis 7.0's sections with all their fields, since tools look for them. What has no meaning here says so by the
 * value that is true all the same: nothing is loading, no replica is connected, nothing was evicted.
 */
#include "commands/info.h"
#include "commands/names.h"
#include "acl/user.h"
#include "core.h"
#include "session.h"
#include "telemetry.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Fields whose value never changes: name, value. */
struct constant {
    const char *name;
    const char *value;
};

static void add_constants(struct buf *out, const struct constant *constants, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        info_text(out, constants[i].name, constants[i].value);
    }
}

#define ADD_CONSTANTS(out, table) add_constants((out), (table), ARRAY_SIZE(table))

/* --- server, clients -------------------------------------------------------------------------- */

static void add_executable(struct buf *out)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
    buf_printf(out, "executable:%.*s\r\n", n > 0 ? (int)n : 0, path);
}

void info_server(struct call *call, struct buf *out)
{
    static const struct constant build[] = {
        { "redis_version", REDIS_VERSION }, { "redis_git_sha1", "00000000" },
        { "redis_git_dirty", "0" },         { "redis_build_id", "0" },
        { "redis_mode", "standalone" },
    };
    static const struct constant system[] = {
        { "monotonic_clock", "POSIX clock_gettime" },
        { "multiplexing_api", "epoll" },
        { "atomicvar_api", "c11-builtin" },
        { "gcc_version", __VERSION__ },
    };
    struct utsname os;
    int64_t up = core_uptime_ms(call->core) / 1000;
    const char *config = core_options(call->core)->config_file;
    ADD_CONSTANTS(out, build);
    if (uname(&os) == 0) {
        buf_printf(out, "os:%s %s %s\r\n", os.sysname, os.release, os.machine);
    }
    info_number(out, "arch_bits", sizeof(void *) * 8);
    ADD_CONSTANTS(out, system);
    info_number(out, "process_id", (uint64_t)getpid());
    info_text(out, "process_supervised", "no");
    info_text(out, "run_id", core_metrics(call->core)->run_id);
    info_number(out, "tcp_port", (uint64_t)info_listener_port(call));
    buf_printf(out, "server_time_usec:%" PRId64 "\r\n", call->now_ms * 1000);
    info_number(out, "uptime_in_seconds", (uint64_t)up);
    info_number(out, "uptime_in_days", (uint64_t)up / 86400);
    info_number(out, "hz", 10);
    info_number(out, "configured_hz", 10);
    info_number(out, "lru_clock", (uint64_t)(call->now_ms / 1000) & 0xffffff);
    add_executable(out);
    info_text(out, "config_file", config != NULL ? config : "");
    info_number(out, "io_threads_active", 0);
}

void info_clients(struct call *call, struct buf *out)
{
    const struct core_metrics *m = core_metrics(call->core);
    const struct core_clients clients = core_clients(call->core);
    info_number(out, "connected_clients", m->sessions_now);
    info_number(out, "cluster_connections", 0);
    info_number(out, "maxclients", (uint64_t)info_gateway_stat(call, "gateway_max_connections"));
    info_number(out, "client_recent_max_input_buffer", clients.longest_input);
    info_number(out, "client_recent_max_output_buffer", clients.longest_output);
    info_number(out, "blocked_clients", m->sessions_paused);
    info_number(out, "tracking_clients", core_tracking(call->core).clients);
    info_number(out, "clients_in_timeout_table", 0);
}

/* --- memory ----------------------------------------------------------------------------------- */

static void add_human(struct buf *out, const char *name, uint64_t bytes)
{
    static const char units[] = "BKMGTP";
    double n = (double)bytes;
    size_t unit = 0;
    while (n >= 1024 && unit < sizeof(units) - 2) {
        n /= 1024;
        unit++;
    }
    buf_printf(out, "%s_human:%.*f%c\r\n", name, unit == 0 ? 0 : 2, n, units[unit]);
}

static void add_bytes(struct buf *out, const char *name, uint64_t bytes)
{
    info_number(out, name, bytes);
    add_human(out, name, bytes);
}

static void add_percent(struct buf *out, const char *name, uint64_t part, uint64_t whole)
{
    buf_printf(out, "%s:%.2f%%\r\n", name, whole == 0 ? 0.0 : (double)part * 100 / (double)whole);
}

static void add_ratio(struct buf *out, const char *name, uint64_t a, uint64_t b)
{
    buf_printf(out, "%s_ratio:%.2f\r\n", name, b == 0 ? 1.0 : (double)a / (double)b);
    buf_printf(out, "%s_bytes:%" PRId64 "\r\n", name, (int64_t)a - (int64_t)b);
}

/* resident_bytes reads the second number of /proc/self/statm, proc(5); 0 where there is none. */
static uint64_t resident_bytes(void)
{
    char line[128] = "";
    FILE *f = fopen("/proc/self/statm", "re");
    if (f != NULL) {
        if (fgets(line, sizeof(line), f) == NULL) {
            line[0] = '\0';
        }
        fclose(f);
    }
    char *pages = line;
    (void)strtoull(line, &pages, 10); /* the first number: all of the address space */
    return strtoull(pages, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What has been given out, what the heap has taken from the system, what of the process is in memory. */
struct memory {
    uint64_t used, active, resident;
};

static struct memory measure(void)
{
    struct mallinfo2 info = mallinfo2();
    return (struct memory){ info.uordblks + info.hblkhd, info.arena + info.hblkhd,
                            resident_bytes() };
}

static void add_used(struct call *call, struct buf *out, const struct memory *now)
{
    const struct core_metrics *m = core_metrics(call->core);
    uint64_t peak = now->used > m->memory_peak ? now->used : m->memory_peak;
    uint64_t data = core_cache(call->core).bytes; /* the only keys and values that stay here */
    uint64_t since_start = now->used > m->memory_at_start ? now->used - m->memory_at_start : 0;
    add_bytes(out, "used_memory", now->used);
    add_bytes(out, "used_memory_rss", now->resident);
    add_bytes(out, "used_memory_peak", peak);
    add_percent(out, "used_memory_peak_perc", now->used, peak);
    info_number(out, "used_memory_overhead", now->used > data ? now->used - data : 0);
    info_number(out, "used_memory_startup", m->memory_at_start);
    info_number(out, "used_memory_dataset", data);
    add_percent(out, "used_memory_dataset_perc", data, since_start > data ? since_start : data);
    info_number(out, "allocator_allocated", now->used);
    info_number(out, "allocator_active", now->active);
    info_number(out, "allocator_resident", now->resident);
    add_bytes(out, "total_system_memory",
              (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
}

void info_memory(struct call *call, struct buf *out)
{
    static const struct constant scripts[] = {
        { "used_memory_lua", "0" },
        { "used_memory_vm_eval", "0" },
        { "used_memory_lua_human", "0B" },
        { "used_memory_scripts_eval", "0" },
        { "number_of_cached_scripts", "0" },
        { "number_of_functions", "0" },
        { "number_of_libraries", "0" },
        { "used_memory_vm_functions", "0" },
        { "used_memory_vm_total", "0" },
        { "used_memory_vm_total_human", "0B" },
        { "used_memory_functions", "0" },
        { "used_memory_scripts", "0" },
        { "used_memory_scripts_human", "0B" },
        { "maxmemory", "0" },
        { "maxmemory_human", "0B" },
        { "maxmemory_policy", "noeviction" },
    };
    static const struct constant rest[] = {
        { "mem_not_counted_for_evict", "0" },
        { "mem_replication_backlog", "0" },
        { "mem_total_replication_buffers", "0" },
        { "mem_clients_slaves", "0" },
    };
    static const struct constant last[] = {
        { "mem_cluster_links", "0" },        { "mem_aof_buffer", "0" },
        { "mem_allocator", "libc" },         { "active_defrag_running", "0" },
        { "lazyfree_pending_objects", "0" }, { "lazyfreed_objects", "0" },
    };
    const struct memory now = measure();
    add_used(call, out, &now);
    ADD_CONSTANTS(out, scripts);
    add_ratio(out, "allocator_frag", now.active, now.used);
    add_ratio(out, "allocator_rss", now.resident, now.active);
    add_ratio(out, "rss_overhead", now.resident, now.resident);
    add_ratio(out, "mem_fragmentation", now.resident, now.used);
    ADD_CONSTANTS(out, rest);
    info_number(out, "mem_clients_normal", core_clients(call->core).bytes);
    ADD_CONSTANTS(out, last);
}

/* --- persistence, stats ----------------------------------------------------------------------- */

/* Every answered write is in PostgreSQL: there is never anything left to save, and now is when it was saved. */
void info_persistence(struct call *call, struct buf *out)
{
    static const struct constant before[] = {
        { "loading", "0" },
        { "async_loading", "0" },
        { "current_cow_peak", "0" },
        { "current_cow_size", "0" },
        { "current_cow_size_age", "0" },
        { "current_fork_perc", "0.00" },
        { "current_save_keys_processed", "0" },
        { "current_save_keys_total", "0" },
        { "rdb_changes_since_last_save", "0" },
        { "rdb_bgsave_in_progress", "0" },
    };
    static const struct constant after[] = {
        { "rdb_last_bgsave_status", "ok" },
        { "rdb_last_bgsave_time_sec", "-1" },
        { "rdb_current_bgsave_time_sec", "-1" },
        { "rdb_saves", "0" },
        { "rdb_last_cow_size", "0" },
        { "rdb_last_load_keys_expired", "0" },
        { "rdb_last_load_keys_loaded", "0" },
        { "aof_enabled", "1" },
        { "aof_rewrite_in_progress", "0" },
        { "aof_rewrite_scheduled", "0" },
        { "aof_last_rewrite_time_sec", "-1" },
        { "aof_current_rewrite_time_sec", "-1" },
        { "aof_last_bgrewrite_status", "ok" },
        { "aof_rewrites", "0" },
        { "aof_rewrites_consecutive_failures", "0" },
        { "aof_last_write_status", "ok" },
        { "aof_last_cow_size", "0" },
        { "module_fork_in_progress", "0" },
        { "module_fork_last_cow_size", "0" },
    };
    ADD_CONSTANTS(out, before);
    buf_printf(out, "rdb_last_save_time:%" PRId64 "\r\n", call->now_ms / 1000);
    ADD_CONSTANTS(out, after);
}

static void add_kbps(struct buf *out, const char *name, const struct telemetry *t, enum rate rate)
{
    buf_printf(out, "%s:%.2f\r\n", name, (double)rates_per_second(&t->rates, rate) / 1024);
}

static void add_traffic(struct call *call, struct buf *out)
{
    const struct core_metrics *m = core_metrics(call->core);
    const struct telemetry *t = core_telemetry(call->core);
    info_number(out, "total_connections_received", m->sessions_opened);
    info_number(out, "total_commands_processed", command_stats_calls(t->commands));
    info_number(out, "instantaneous_ops_per_sec", rates_per_second(&t->rates, RATE_COMMANDS));
    info_number(out, "total_net_input_bytes", m->link_bytes_in);
    info_number(out, "total_net_output_bytes", m->link_bytes_out);
    info_number(out, "total_net_repl_input_bytes", 0);
    info_number(out, "total_net_repl_output_bytes", 0);
    add_kbps(out, "instantaneous_input_kbps", t, RATE_BYTES_IN);
    add_kbps(out, "instantaneous_output_kbps", t, RATE_BYTES_OUT);
    info_text(out, "instantaneous_input_repl_kbps", "0.00");
    info_text(out, "instantaneous_output_repl_kbps", "0.00");
    info_number(out, "rejected_connections",
                (uint64_t)info_gateway_stat(call, "gateway_turned_away"));
}

/* topics: of this keyspace and on this core, as far as PUBSUB tells. */
static uint64_t topics(const struct call *call, enum pubsub_kind kind)
{
    return pubsub_topics(core_pubsub(call->core), kind, call->db >> 16);
}

static void add_keys(struct call *call, struct buf *out)
{
    static const struct constant replication[] = { { "sync_full", "0" },
                                                   { "sync_partial_ok", "0" },
                                                   { "sync_partial_err", "0" } };
    static const struct constant eviction[] = {
        { "expired_stale_perc", "0.00" },
        { "expired_time_cap_reached_count", "0" },
        { "expire_cycle_cpu_milliseconds", "0" },
        { "evicted_keys", "0" },
        { "evicted_clients", "0" },
        { "total_eviction_exceeded_time", "0" },
        { "current_eviction_exceeded_time", "0" },
    };
    const struct core_metrics *m = core_metrics(call->core);
    ADD_CONSTANTS(out, replication);
    info_number(out, "expired_keys", m->expired_keys);
    ADD_CONSTANTS(out, eviction);
    info_number(out, "keyspace_hits", m->keyspace_hits);
    info_number(out, "keyspace_misses", m->keyspace_misses);
    info_number(out, "pubsub_channels", topics(call, PUBSUB_CHANNEL));
    info_number(out, "pubsub_patterns", topics(call, PUBSUB_PATTERN));
    info_number(out, "pubsubshard_channels", topics(call, PUBSUB_SHARD));
}

void info_stats(struct call *call, struct buf *out)
{
    static const struct constant forks[] = {
        { "latest_fork_usec", "0" },         { "total_forks", "0" },
        { "migrate_cached_sockets", "0" },   { "slave_expires_tracked_keys", "0" },
        { "active_defrag_hits", "0" },       { "active_defrag_misses", "0" },
        { "active_defrag_key_hits", "0" },   { "active_defrag_key_misses", "0" },
        { "total_active_defrag_time", "0" }, { "current_active_defrag_time", "0" },
    };
    static const struct constant threads[] = {
        { "io_threaded_reads_processed", "0" },
        { "io_threaded_writes_processed", "0" },
        { "reply_buffer_shrinks", "0" },
        { "reply_buffer_expands", "0" },
    };
    const struct core_metrics *m = core_metrics(call->core);
    const struct tracking_figures tracking = core_tracking(call->core);
    add_traffic(call, out);
    add_keys(call, out);
    ADD_CONSTANTS(out, forks);
    info_number(out, "tracking_total_keys", tracking.keys);
    info_number(out, "tracking_total_items", tracking.items);
    info_number(out, "tracking_total_prefixes", tracking.prefixes);
    info_number(out, "unexpected_error_replies", 0);
    info_number(out, "total_error_replies",
                command_stats_errors(core_telemetry(call->core)->commands));
    info_number(out, "dump_payload_sanitizations", 0);
    info_number(out, "total_reads_processed", m->link_reads);
    info_number(out, "total_writes_processed", m->link_writes);
    ADD_CONSTANTS(out, threads);
}

/* --- the rest --------------------------------------------------------------------------------- */

void info_replication(struct call *call, struct buf *out)
{
    static const struct constant state[] = { { "role", "master" },
                                             { "connected_slaves", "0" },
                                             { "master_failover_state", "no-failover" } };
    static const struct constant backlog[] = {
        { "master_replid2", "0000000000000000000000000000000000000000" },
        { "master_repl_offset", "0" },
        { "second_repl_offset", "-1" },
        { "repl_backlog_active", "0" },
        { "repl_backlog_size", "0" },
        { "repl_backlog_first_byte_offset", "0" },
        { "repl_backlog_histlen", "0" },
    };
    ADD_CONSTANTS(out, state);
    info_text(out, "master_replid", core_metrics(call->core)->run_id);
    ADD_CONSTANTS(out, backlog);
}

static void add_cpu_times(struct buf *out, int who, const char *suffix)
{
    struct rusage used;
    if (getrusage(who, &used) != 0) {
        return;
    }
    buf_printf(out, "used_cpu_sys%s:%ld.%06ld\r\n", suffix, (long)used.ru_stime.tv_sec,
               (long)used.ru_stime.tv_usec);
    buf_printf(out, "used_cpu_user%s:%ld.%06ld\r\n", suffix, (long)used.ru_utime.tv_sec,
               (long)used.ru_utime.tv_usec);
}

void info_cpu(struct call *call, struct buf *out)
{
    (void)call;
    add_cpu_times(out, RUSAGE_SELF, "");
    add_cpu_times(out, RUSAGE_CHILDREN, "_children");
    add_cpu_times(out, RUSAGE_THREAD, "_main_thread");
}

void info_modules(struct call *call, struct buf *out)
{
    (void)call;
    (void)out;
}

void info_cluster(struct call *call, struct buf *out)
{
    (void)call;
    info_number(out, "cluster_enabled", 0);
}

/* Only the databases of the client's own keyspace, and of them those that it may use. */
void info_keyspace(struct call *call, struct buf *out)
{
    const struct acl_user *user = session_user(call->session);
    struct core_key_count count;
    for (size_t i = 0; core_key_counts(call->core, i, &count); i++) {
        if (count.keyspace != session_vars(call->session)->keyspace ||
            !acl_user_has_database(user, count.db_number)) {
            continue;
        }
        buf_printf(out,
                   "db%" PRIu32 ":keys=%" PRId64 ",expires=%" PRId64 ",avg_ttl=%" PRId64 "\r\n",
                   count.db_number, count.keys, count.expires, count.average_ttl);
    }
}
