/* The root struct: what commands may ask of the process, and its list of sessions. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

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

struct core_metrics *core_metrics(struct core *core)
{
    return &core->metrics;
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

int64_t core_now_ms(const struct core *core)
{
    return (int64_t)(uv_hrtime() / 1000000) + core->clock_offset;
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

bool core_key_counts(const struct core *core, size_t index, struct core_key_count *out)
{
    return expiry_key_count(core->expiry, index, out);
}

bool core_gateway_stat(const struct core *core, size_t index, struct slice *name, int64_t *value)
{
    return link_stat(core->links, index, name, value);
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

struct core_output_limit core_push_limit(const struct core *core)
{
    return core->push_limit;
}

void core_set_push_limit(struct core *core, struct core_output_limit limit)
{
    core->push_limit = limit;
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
