/* The root struct: what commands may ask of the process, and its list of sessions. */
#include "core.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl/acl.h"
#include "core_private.h"
#include "events.h"
#include "exchange.h"
#include "expiry.h"
#include "lanes.h"
#include "link_server.h"
#include "session_private.h"

const struct core_options *core_options(const struct core *core)
{
    return &core->options;
}

struct core_options *core_changeable(struct core *core)
{
    return &core->options;
}

void core_changed(struct core *core)
{
    telemetry_apply(&core->telemetry);
    acl_log_limit(acl_refusals(core->acl), (size_t)core->telemetry.settings.acllog_max_len);
    cache_resize(core->cache, (size_t)core->options.cache_size);
}

struct telemetry *core_telemetry(const struct core *core)
{
    return (struct telemetry *)&core->telemetry;
}

struct core_metrics *core_metrics(struct core *core)
{
    return &core->metrics;
}

void core_reset_metrics(struct core *core)
{
    const size_t counts = offsetof(struct core_metrics, sessions_opened);
    memset((uint8_t *)&core->metrics + counts, 0, sizeof(core->metrics) - counts);
    cache_reset_figures(core->cache);
    telemetry_reset(&core->telemetry);
}

static void make_run_id(char out[41])
{
    uint8_t bytes[20];
    for (size_t i = 0; i < sizeof(bytes); i += sizeof(uint32_t)) {
        const uint64_t random = slice_random_seed();
        memcpy(bytes + i, &random, sizeof(uint32_t));
    }
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* core_memory is what the C library has given out. */
static uint64_t core_memory(void)
{
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

void core_start(struct core *core)
{
    telemetry_init(&core->telemetry);
    make_run_id(core->metrics.run_id);
    core->metrics.memory_at_start = core->metrics.memory_peak = core_memory();
    core->started_ms = uv_hrtime() / 1000000;
}

static void sample_memory(struct core *core)
{
    const uint64_t now = core_memory();
    if (now > core->metrics.memory_peak)
        core->metrics.memory_peak = now;
}

void core_tick(struct core *core)
{
    enum { MEMORY_EVERY = 10 }; /* ticks: counting free memory is not free */
    const struct core_metrics *m = &core->metrics;
    const uint64_t totals[RATE_COUNT] = {
        [RATE_COMMANDS] = command_stats_calls(core->telemetry.commands),
        [RATE_BYTES_IN] = m->link_bytes_in,
        [RATE_BYTES_OUT] = m->link_bytes_out,
    };
    rates_sample(&core->telemetry.rates, uv_now(core->loop), totals);
    if (core->ticks++ % MEMORY_EVERY == 0)
        sample_memory(core);
}

const char *core_database_state(const struct core *core)
{
    return lanes_state(core->lanes);
}

struct slice core_database_version(const struct core *core)
{
    return slice_of(core->server_version);
}

struct cache_figures core_cache(const struct core *core)
{
    return cache_figures(core->cache);
}

struct audit_figures core_audit(const struct core *core)
{
    return audit_figures(core->audit);
}

int64_t core_now_ms(const struct core *core)
{
    return (int64_t)(uv_hrtime() / 1000000) + core->clock_offset;
}

void core_count_expired(struct core *core, struct slice key, int64_t expires_at)
{
    const uint64_t hash = slice_hash(key, (uint64_t)expires_at);
    uint64_t *counted = &core->expired_counted[hash % EXPIRED_COUNTED];
    core->metrics.expired_keys += *counted != hash;
    *counted = hash;
}

void core_note_use(struct core *core, uint32_t db, struct slice key, int64_t now_ms,
                   int64_t used_ms)
{
    const uint64_t hash = slice_hash(key, db);
    core->uses[hash % USES] = (struct use){ hash, now_ms, used_ms };
}

int64_t core_last_used(const struct core *core, uint32_t db, struct slice key, int64_t modified_at)
{
    const uint64_t hash = slice_hash(key, db);
    const struct use *use = &core->uses[hash % USES];
    return use->hash == hash && use->noted_ms >= modified_at ? use->used_ms : modified_at;
}

int64_t core_uptime_ms(const struct core *core)
{
    return (int64_t)(uv_hrtime() / 1000000 - core->started_ms);
}

struct core_lanes core_lanes(const struct core *core)
{
    return lanes_figures(core->lanes);
}

bool core_key_counts(const struct core *core, size_t index, struct core_key_count *out)
{
    return expiry_key_count(core->expiry, index, out);
}

bool core_gateway_stat(const struct core *core, size_t index, struct link_stat *out)
{
    return link_stat(core->links, index, out);
}

/* --- events ---------------------------------------------------------------------------------- */

const struct pubsub *core_pubsub(const struct core *core)
{
    return events_pubsub(core->events);
}

struct tracking_figures core_tracking(const struct core *core)
{
    return events_tracking(core->events);
}

struct core_exchange core_exchange(const struct core *core)
{
    const struct exchange_figures f = exchange_figures(core->exchange);
    return (struct core_exchange){ f.peers, f.sent, f.received, f.dropped, f.lost };
}

uint32_t core_notify_events(const struct core *core)
{
    return events_notify(core->events);
}

void core_set_notify_events(struct core *core, uint32_t flags)
{
    events_set_notify(core->events, flags);
}

int64_t core_tracking_max_keys(const struct core *core)
{
    return (int64_t)events_tracking_limit(core->events);
}

void core_set_tracking_max_keys(struct core *core, int64_t keys)
{
    events_set_tracking_limit(core->events, (size_t)keys);
}

/* --- sessions ------------------------------------------------------------------------------- */

static struct session **by_id(const struct core *core, uint64_t id)
{
    return &core->by_id[id & (core->by_id_size - 1)];
}

static void put_by_id(struct core *core, struct session *s)
{
    struct session **bucket = by_id(core, s->id);
    s->id_next = *bucket;
    *bucket = s;
}

static void grow_by_id(struct core *core)
{
    enum { SIZE_MIN = 256 };
    free(core->by_id);
    core->by_id_size = core->by_id_size ? core->by_id_size * 2 : SIZE_MIN;
    core->by_id = mem_zalloc(core->by_id_size * sizeof(struct session *));
    for (struct session *s = core->first_session; s; s = s->all.next)
        put_by_id(core, s);
}

void core_add_session(struct core *core, struct session *s)
{
    if (core->metrics.sessions_now >= core->by_id_size)
        grow_by_id(core);
    put_by_id(core, s);
    s->all.prev = core->last_session;
    if (core->last_session)
        core->last_session->all.next = s;
    else
        core->first_session = s;
    core->last_session = s;
    core->metrics.sessions_now++;
    core->metrics.sessions_opened++;
}

void core_remove_session(struct core *core, struct session *s)
{
    struct session **at = by_id(core, s->id);
    while (*at != s)
        at = &(*at)->id_next;
    *at = s->id_next;
    if (s->all.prev)
        s->all.prev->all.next = s->all.next;
    else
        core->first_session = s->all.next;
    if (s->all.next)
        s->all.next->all.prev = s->all.prev;
    else
        core->last_session = s->all.prev;
    core->metrics.sessions_now--;
}

void core_add_watcher(struct core *core, struct session *s)
{
    s->watching = (struct session_link){ .next = core->first_watcher };
    if (core->first_watcher)
        core->first_watcher->watching.prev = s;
    core->first_watcher = s;
}

void core_remove_watcher(struct core *core, struct session *s)
{
    if (s->watching.prev)
        s->watching.prev->watching.next = s->watching.next;
    else
        core->first_watcher = s->watching.next;
    if (s->watching.next)
        s->watching.next->watching.prev = s->watching.prev;
}

void core_each_session(struct core *core, void (*visit)(struct session *s, void *arg), void *arg)
{
    for (struct session *s = core->first_session, *next; s; s = next) {
        next = s->all.next;
        if (s->life != SESSION_GONE && s->ending == NULL)
            visit(s, arg);
    }
}

struct session *core_find_session(struct core *core, uint64_t id)
{
    struct session *s = core->by_id ? *by_id(core, id) : NULL;
    while (s && (s->id != id || s->life == SESSION_GONE || s->ending))
        s = s->id_next;
    return s;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

struct client_count {
    struct core_clients clients;
    int64_t soon; /* unix s */
};

static void count_client(struct session *s, void *arg)
{
    struct client_count *count = arg;
    struct core_clients *c = &count->clients;
    c->bytes += sizeof(*s) + s->out.cap + s->assembling.cap;
    c->longest_input = larger(c->longest_input, buf_len(&s->assembling));
    c->longest_output = larger(c->longest_output, buf_len(&s->out));
    c->tls_1_2 += slice_eq(s->info.tls_version, SLICE("TLSv1.2"));
    c->tls_1_3 += slice_eq(s->info.tls_version, SLICE("TLSv1.3"));
    c->ending_soon += s->info.not_after < count->soon;
}

struct core_clients core_clients(struct core *core)
{
    enum { WEEK = 7 * 24 * 3600 };
    struct client_count count = { .soon = core_now_ms(core) / 1000 + WEEK };
    core_each_session(core, count_client, &count);
    return count.clients;
}
