/*
 * info_cofre: INFO's sections that Redis has not: what runs here, what the gateways say of TLS, and how it goes with
 * PostgreSQL.
 */
#include "commands/info.h"
#include "audit.h"
#include "core.h"
#include "session.h"
#include "telemetry.h"

#include <inttypes.h>

void info_cofre(struct call *call, struct buf *out)
{
    const struct core_options *o = core_options(call->core);
    const struct core_metrics *m = core_metrics(call->core);
    const struct cache_figures cache = core_cache(call->core);
    const struct audit_figures audit = core_audit(call->core);
    const struct core_exchange exchange = core_exchange(call->core);
    info_text(out, "cofre_version", COFRE_VERSION);
    info_number(out, "max_key", (uint64_t)o->max_key);
    info_number(out, "max_value", (uint64_t)o->max_value);
    info_number(out, "store_timeout_ms", (uint64_t)o->store_timeout_ms);
    info_number(out, "sessions_refused", m->sessions_refused);
    info_number(out, "cache_max_bytes", cache.max_bytes);
    info_number(out, "cache_bytes", cache.bytes);
    info_number(out, "cache_entries", cache.entries);
    info_number(out, "cache_hits", cache.hits);
    info_number(out, "cache_misses", cache.misses);
    info_number(out, "cache_forgotten", cache.forgotten);
    info_number(out, "cores", exchange.peers + 1);
    info_number(out, "exchange_sent", exchange.sent);
    info_number(out, "exchange_received", exchange.received);
    info_number(out, "exchange_dropped", exchange.dropped);
    info_number(out, "exchange_missed", exchange.lost);
    info_text(out, "audit_state", audit.state);
    info_number(out, "audit_records_written", audit.written);
    info_number(out, "audit_records_waiting", audit.waiting);
    info_number(out, "audit_records_lost", audit.lost);
}

/* --- TLS -------------------------------------------------------------------------------------- */

enum { ISSUERS_MAX = 32 };

struct issuers {
    struct slice names[ISSUERS_MAX];
    uint64_t clients[ISSUERS_MAX];
    size_t count;
};

static void count_issuer(struct session *s, void *arg)
{
    struct issuers *all = arg;
    const struct slice issuer = session_open_info(s)->issuer;
    size_t i = 0;
    while (i < all->count && !slice_eq(all->names[i], issuer)) {
        i++;
    }
    if (i == ISSUERS_MAX) {
        return;
    }
    all->names[i] = issuer;
    all->clients[i]++;
    all->count += i == all->count;
}

static void info_issuers(struct call *call, struct buf *out)
{
    struct issuers all = { .count = 0 };
    core_each_session(call->core, count_issuer, &all);
    for (size_t i = 0; i < all.count; i++) {
        buf_printf(out, "clients_issuer_%zu:clients=%" PRIu64 ",issuer=%.*s\r\n", i, all.clients[i],
                   (int)all.names[i].len, (const char *)all.names[i].p);
    }
}

void info_tls(struct call *call, struct buf *out)
{
    const struct core_clients clients = core_clients(call->core);
    struct link_stat stat;
    info_number(out, "clients_tls_1_2", clients.tls_1_2);
    info_number(out, "clients_tls_1_3", clients.tls_1_3);
    info_number(out, "clients_certificate_ends_within_week", clients.ending_soon);
    info_issuers(call, out);
    for (size_t i = 0; core_gateway_stat(call->core, i, &stat); i++) {
        if (stat.kind == LINK_STAT_TEXT) {
            info_text(out, stat.name, stat.text);
        } else if (stat.kind != LINK_STAT_NONE) {
            buf_printf(out, "%s:%" PRId64 "\r\n", stat.name, stat.value);
        }
    }
}

/* --- PostgreSQL ------------------------------------------------------------------------------- */

static void add_lanes(struct buf *out, const char *kind, const unsigned counts[LANES_STATES])
{
    static const char *const names[LANES_STATES] = {
        [LANES_DOWN] = "down",       [LANES_RECOVERING] = "recovering", [LANES_IDLE] = "idle",
        [LANES_RUNNING] = "running", [LANES_LENT] = "background",
    };
    for (size_t i = 0; i < LANES_STATES; i++) {
        buf_printf(out, "pool_%s_%s:%u\r\n", kind, names[i], counts[i]);
    }
}

/* Microseconds: half of them took no longer than p50, and so on. */
static void add_times(struct buf *out, const char *name, const struct histogram *h)
{
    static const struct {
        const char *name;
        double percent;
    } points[] = { { "p50", 50 }, { "p99", 99 }, { "p999", 99.9 }, { "max", 100 } };
    for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
        buf_printf(out, "%s_usec_%s:%" PRIu64 "\r\n", name, points[i].name,
                   histogram_percentile(h, points[i].percent) / 1000);
    }
}

static void add_turns(struct buf *out, const struct core_metrics *m)
{
    info_number(out, "turns_write", m->turns_write);
    info_number(out, "turns_read", m->turns_read);
    info_number(out, "turns_restarted", m->turns_restarted);
    info_number(out, "turns_recovered", m->turns_recovered);
    info_number(out, "turns_failed", m->turns_failed);
    info_number(out, "turns_uncertain", m->uncertain);
    info_number(out, "turns_lost_by_failover", m->acknowledged_lost);
    info_number(out, "units_write", m->units_write);
    info_number(out, "units_read", m->units_read);
    info_number(out, "round_trips", m->round_trips);
    info_number(out, "loads", m->loads);
    info_number(out, "rows_loaded", m->rows_loaded);
    info_number(out, "rows_saved", m->rows_saved);
}

void info_postgresql(struct call *call, struct buf *out)
{
    const struct core_metrics *m = core_metrics(call->core);
    const struct telemetry *t = core_telemetry(call->core);
    const struct core_lanes lanes = core_lanes(call->core);
    struct slice version = core_database_version(call->core);
    buf_printf(out, "database_version:%.*s\r\n", (int)version.len, (const char *)version.p);
    info_text(out, "database_state", core_database_state(call->core));
    info_number(out, "pool_size", (uint64_t)core_options(call->core)->pool_size);
    add_lanes(out, "write", lanes.write);
    add_lanes(out, "read", lanes.read);
    info_number(out, "sessions_waiting_write", lanes.waiting_write);
    info_number(out, "sessions_waiting_read", lanes.waiting_read);
    info_number(out, "connections_lost", m->connections_lost);
    info_number(out, "connections_failed", m->connections_failed);
    add_turns(out, m);
    add_times(out, "turn_write", &t->write_turns);
    add_times(out, "turn_read", &t->read_turns);
    add_times(out, "store", &t->stores);
    add_times(out, "connect", &t->connects);
}
