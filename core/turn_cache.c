/*
 * A turn and the cache. All that a turn answers is as of one moment: when part was found and part was loaded, the found
 * entries must still be current when the loaded ones arrive; else the turn runs again and loads everything.
 */
#include "turn_cache.h"

#include <stdlib.h>
#include <uv.h>

#include "lanes.h"

enum { WRITERS_MAX = 64 };

static struct cache *cache_of(const struct turn *t)
{
    return t->core->cache;
}

/* A turn that is one snapshot reads all of it there. */
void turn_cache_start(struct turn *t)
{
    const bool usable = cache_usable(cache_of(t), uv_now(t->core->loop), &t->cache.mark);
    t->cache.used = usable && t->kind == TURN_READ && !t->snapshot && !t->cache.missed;
    t->cache.asked = false;
    t->cache.holds = false;
}

static void unpin(struct turn *t)
{
    for (size_t i = 0; i < t->cache.found_count; i++)
        cache_unpin(cache_of(t), t->cache.found[i]);
    t->cache.found_count = 0;
}

static void end_writes(struct turn *t)
{
    for (size_t i = 0; i < t->cache.written_count; i++)
        cache_write_end(cache_of(t), t->cache.written[i].entry->hash);
    t->cache.written_count = 0;
    if (t->cache.emptying)
        cache_release(cache_of(t));
    t->cache.emptying = false;
}

void turn_cache_stop(struct turn *t)
{
    unpin(t);
    end_writes(t);
}

/* --- read turns ----------------------------------------------------------------------------- */

static void note_found(struct turn *t, struct cached *c)
{
    if (t->cache.found_count == t->cache.found_cap) {
        t->cache.found_cap = t->cache.found_cap ? t->cache.found_cap * 2 : 256;
        t->cache.found = mem_realloc(t->cache.found, t->cache.found_cap * sizeof(*t->cache.found));
    }
    t->cache.found[t->cache.found_count++] = c;
}

static void take(struct turn *t, struct entry *e)
{
    struct cached *c = cache_find(cache_of(t), e->hash, e->db, e->key);
    if (c == NULL)
        return;
    if (e->exact && c->revision == REVISION_UNKNOWN) {
        cache_unpin(cache_of(t), c);
        return;
    }
    note_found(t, c);
    e->cached = true;
    e->row = c->row;
    e->revision = c->revision;
    e->expires_at = c->expires_at;
    e->exists = c->expires_at == 0 || c->expires_at > t->now_ms;
    e->length = c->length;
    e->value = cached_value(c);
    e->loaded = NEED_VALUE;
}

void turn_cache_find(struct turn *t)
{
    if (!t->cache.used)
        return;
    for (struct entry *e = ws_first(t->ws); e; e = e->next)
        if (e->wanted > e->loaded)
            take(t, e);
}

static void ask(struct turn *t)
{
    int64_t own[WRITERS_MAX];
    store_others(t->store, own, lanes_writers(t->core->lanes, own, WRITERS_MAX), &t->cache.others);
    t->cache.asked = true;
}

void turn_cache_ask(struct turn *t)
{
    if (t->cache.used)
        ask(t);
}

static bool still_current(const struct turn *t)
{
    for (size_t i = 0; i < t->cache.found_count; i++)
        if (!cache_current(cache_of(t), t->cache.found[i]))
            return false;
    return true;
}

bool turn_cache_holds(struct turn *t)
{
    if (!t->cache.asked || t->cache.holds)
        return true;
    t->cache.holds =
        cache_check(cache_of(t), &t->cache.mark, &t->cache.others, uv_now(t->core->loop));
    if (t->cache.found_count == 0)
        return true;
    const bool mixed = t->cache.found_count < ws_count(t->ws);
    t->cache.missed = !t->cache.holds || (mixed && !still_current(t));
    return !t->cache.missed;
}

static void keep_loaded(struct turn *t)
{
    for (const struct entry *e = ws_first(t->ws); e; e = e->next)
        if (e->loaded == NEED_VALUE && !e->cached)
            cache_fill(cache_of(t), &t->cache.mark, e);
}

/* --- write turns ---------------------------------------------------------------------------- */

void turn_cache_writing(struct turn *t)
{
    for (struct entry *e = ws_first(t->ws); e; e = e->next) {
        if (!e->dirty)
            continue;
        if (t->cache.written_count == t->cache.written_cap) {
            t->cache.written_cap = t->cache.written_cap ? t->cache.written_cap * 2 : 256;
            t->cache.written =
                mem_realloc(t->cache.written, t->cache.written_cap * sizeof(*t->cache.written));
        }
        t->cache.written[t->cache.written_count++] =
            (struct written){ e, cache_write_begin(cache_of(t), e->hash) };
    }
    if (cache_wants_others(cache_of(t), uv_now(t->core->loop)))
        ask(t);
}

void turn_cache_emptying(struct turn *t)
{
    if (!t->cache.emptying)
        cache_hold(cache_of(t));
    t->cache.emptying = true;
}

static void keep_written(struct turn *t)
{
    enum { AHEAD = 8 };
    const struct written *w = t->cache.written;
    const size_t n = t->cache.written_count;
    for (size_t i = 0; i < n; i++) {
        if (i + 2 * AHEAD < n)
            cache_prefetch(cache_of(t), w[i + 2 * AHEAD].entry->hash, PREFETCH_BUCKET);
        if (i + AHEAD < n)
            cache_prefetch(cache_of(t), w[i + AHEAD].entry->hash, PREFETCH_ENTRY);
        cache_update(cache_of(t), &t->cache.mark, w[i].began, w[i].entry);
    }
}

void turn_cache_settle(struct turn *t)
{
    if (t->cache.holds && t->kind == TURN_READ)
        keep_loaded(t);
    keep_written(t);
    t->cache.missed = false;
}
