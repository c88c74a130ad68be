/*
 * info: INFO. Redis's sections and field names where they mean something here, then ours. A section is a row.
 */
#include "acl/user.h"
#include "commands/commands.h"
#include "commands/names.h"
#include "core.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { INFO_MAX = 1024 * 1024 };

static void add_number(struct buf *out, const char *name, uint64_t n)
{
    buf_printf(out, "%s:%" PRIu64 "\r\n", name, n);
}

static void add_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "%s:%s\r\n", name, text);
}

/* --- the sections --------------------------------------------------------------------------- */

/* listener_port is the number behind the last colon of the listener's address: the gateway's, where we came in. */
static int64_t listener_port(const struct session *s)
{
    struct slice local = session_open_info(s)->local;
    size_t start = local.len;
    while (start > 0 && local.p[start - 1] != ':') {
        start--;
    }
    int64_t port = 0;
    if (start == 0 ||
        slice_to_i64((struct slice){ local.p + start, local.len - start }, &port) != ERR_OK) {
        return 0;
    }
    return port;
}

static void add_server(struct call *call, struct buf *out)
{
    struct utsname os;
    int64_t up = (call->now_ms - core_metrics(call->core)->started_ms) / 1000;
    add_text(out, "redis_version", REDIS_VERSION);
    add_text(out, "redis_mode", "standalone");
    if (uname(&os) == 0) {
        buf_printf(out, "os:%s %s %s\r\n", os.sysname, os.release, os.machine);
    }
    add_number(out, "arch_bits", sizeof(void *) * 8);
    add_number(out, "process_id", (uint64_t)getpid());
    add_number(out, "tcp_port", (uint64_t)listener_port(call->session));
    buf_printf(out, "server_time_usec:%" PRId64 "\r\n", call->now_ms * 1000);
    add_number(out, "uptime_in_seconds", (uint64_t)(up > 0 ? up : 0));
    add_number(out, "uptime_in_days", (uint64_t)(up > 0 ? up / 86400 : 0));
}

static void add_clients(struct call *call, struct buf *out)
{
    add_number(out, "connected_clients", core_metrics(call->core)->sessions_now);
    add_number(out, "blocked_clients", core_metrics(call->core)->sessions_paused);
    add_number(out, "tracking_clients", core_tracking(call->core).clients);
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

static void add_memory(struct call *call, struct buf *out)
{
    (void)call;
    struct mallinfo2 info = mallinfo2();
    add_number(out, "used_memory", info.uordblks + info.hblkhd);
    add_number(out, "used_memory_rss", resident_bytes());
    add_number(out, "maxmemory", 0);
    add_text(out, "maxmemory_policy", "noeviction");
    add_text(out, "mem_allocator", "libc");
}

/* Every answered write is in PostgreSQL: there is never anything left to save. */
static void add_persistence(struct call *call, struct buf *out)
{
    (void)call;
    add_number(out, "loading", 0);
    add_number(out, "rdb_changes_since_last_save", 0);
    add_number(out, "rdb_bgsave_in_progress", 0);
    add_text(out, "rdb_last_bgsave_status", "ok");
    add_number(out, "aof_enabled", 1);
    add_number(out, "aof_rewrite_in_progress", 0);
    add_text(out, "aof_last_write_status", "ok");
}

/* topics: of this keyspace and on this core, as far as PUBSUB tells. */
static uint64_t topics(const struct call *call, enum pubsub_kind kind)
{
    return pubsub_topics(core_pubsub(call->core), kind, call->db >> 16);
}

static void add_stats(struct call *call, struct buf *out)
{
    const struct core_metrics *m = core_metrics(call->core);
    add_number(out, "total_connections_received", m->sessions_opened);
    add_number(out, "total_commands_processed", m->commands);
    add_number(out, "total_net_input_bytes", m->link_bytes_in);
    add_number(out, "total_net_output_bytes", m->link_bytes_out);
    add_number(out, "rejected_connections", 0);
    add_number(out, "expired_keys", m->expired_keys);
    add_number(out, "evicted_keys", 0);
    add_number(out, "keyspace_hits", m->keyspace_hits);
    add_number(out, "keyspace_misses", m->keyspace_misses);
    add_number(out, "pubsub_channels", topics(call, PUBSUB_CHANNEL));
    add_number(out, "pubsub_patterns", topics(call, PUBSUB_PATTERN));
    add_number(out, "pubsubshard_channels", topics(call, PUBSUB_SHARD));
    const struct tracking_figures tracking = core_tracking(call->core);
    add_number(out, "tracking_total_keys", tracking.keys);
    add_number(out, "tracking_total_items", tracking.items);
    add_number(out, "tracking_total_prefixes", tracking.prefixes);
    add_number(out, "total_error_replies", m->errors);
}

static void add_replication(struct call *call, struct buf *out)
{
    (void)call;
    add_text(out, "role", "master");
    add_number(out, "connected_slaves", 0);
}

static void add_cpu_time(struct buf *out, const char *name, struct timeval t)
{
    buf_printf(out, "%s:%ld.%06ld\r\n", name, (long)t.tv_sec, (long)t.tv_usec);
}

static void add_cpu(struct call *call, struct buf *out)
{
    (void)call;
    struct rusage self;
    if (getrusage(RUSAGE_SELF, &self) == 0) {
        add_cpu_time(out, "used_cpu_sys", self.ru_stime);
        add_cpu_time(out, "used_cpu_user", self.ru_utime);
    }
}

static void add_cluster(struct call *call, struct buf *out)
{
    (void)call;
    add_number(out, "cluster_enabled", 0);
}

static void add_keyspace(struct call *call, struct buf *out)
{
    const struct acl_user *user = session_user(call->session);
    struct core_key_count count;
    for (size_t i = 0; core_key_counts(call->core, i, &count); i++) {
        if (count.keyspace != session_vars(call->session)->keyspace ||
            !acl_user_has_database(user, count.db_number)) {
            continue;
        }
        buf_printf(out, "db%" PRIu32 ":keys=%" PRId64 ",expires=%" PRId64 ",avg_ttl=0\r\n",
                   count.db_number, count.keys, count.expires);
    }
}

static void add_gateways(struct call *call, struct buf *out)
{
    struct slice name;
    int64_t value = 0;
    for (size_t i = 0; core_gateway_stat(call->core, i, &name, &value); i++) {
        buf_printf(out, "gateway_%.*s:%" PRId64 "\r\n", (int)name.len, (const char *)name.p, value);
    }
}

static void add_cofre(struct call *call, struct buf *out)
{
    const struct core_metrics *m = core_metrics(call->core);
    struct slice version = core_database_version(call->core);
    add_text(out, "cofre_version", COFRE_VERSION);
    add_text(out, "database_state", core_database_state(call->core));
    buf_printf(out, "database_version:%.*s\r\n", (int)version.len, (const char *)version.p);
    add_number(out, "database_connections_lost", m->connections_lost);
    add_number(out, "turns_write", m->turns_write);
    add_number(out, "turns_read", m->turns_read);
    add_number(out, "turns_restarted", m->turns_restarted);
    add_number(out, "turns_recovered", m->turns_recovered);
    add_number(out, "units_write", m->units_write);
    add_number(out, "units_read", m->units_read);
    const struct cache_figures cache = core_cache(call->core);
    add_number(out, "cache_max_bytes", cache.max_bytes);
    add_number(out, "cache_bytes", cache.bytes);
    add_number(out, "cache_entries", cache.entries);
    add_number(out, "cache_hits", cache.hits);
    add_number(out, "cache_misses", cache.misses);
    add_number(out, "cache_forgotten", cache.forgotten);
    const struct core_exchange exchange = core_exchange(call->core);
    add_number(out, "cores", exchange.peers + 1);
    add_number(out, "exchange_sent", exchange.sent);
    add_number(out, "exchange_received", exchange.received);
    add_number(out, "exchange_dropped", exchange.dropped);
    add_number(out, "exchange_missed", exchange.lost);
    add_number(out, "replies_uncertain", m->uncertain);
    add_number(out, "turns_lost_by_failover", m->acknowledged_lost);
    add_gateways(call, out);
}

/* name as it is asked for; heading; what writes it */
static const struct info_section {
    const char *name;
    const char *heading;
    void (*add)(struct call *call, struct buf *out);
} sections[] = {
    { "server", "Server", add_server },
    { "clients", "Clients", add_clients },
    { "memory", "Memory", add_memory },
    { "persistence", "Persistence", add_persistence },
    { "stats", "Stats", add_stats },
    { "replication", "Replication", add_replication },
    { "cpu", "CPU", add_cpu },
    { "cluster", "Cluster", add_cluster },
    { "keyspace", "Keyspace", add_keyspace },
    { "cofre", "Cofre", add_cofre },
};

/* --- INFO ----------------------------------------------------------------------------------- */

static bool asked(const struct call *call, const struct info_section *section)
{
    bool wanted = call->argc == 1;
    for (uint32_t i = 1; i < call->argc && !wanted; i++) {
        wanted = call_arg_is(call, i, section->name) || call_arg_is(call, i, "all") ||
                 call_arg_is(call, i, "default") || call_arg_is(call, i, "everything");
    }
    return wanted;
}

void run_info(struct call *call)
{
    struct buf out;
    buf_init(&out, INFO_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        if (asked(call, &sections[i])) {
            buf_printf(&out, "%s# %s\r\n", buf_len(&out) > 0 ? "\r\n" : "", sections[i].heading);
            sections[i].add(call, &out);
        }
    }
    resp_verbatim(call->reply, "txt", buf_slice(&out));
    buf_release(&out);
}
