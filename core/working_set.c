/*
 * working_set: a chained hash table of entries and an arena, both emptied at the end of a turn and kept warm for
 * the next. Nothing here knows SQL: an entry that the store has not filled in is simply not known (NEED_NOTHING).
 */
#include "working_set.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_SIZE = 256 * 1024,
    CHUNK_LARGE = CHUNK_SIZE / 4, /* allocations above get a chunk of their own, freed at reset */
    CHUNKS_KEPT = 8,              /* chunks that survive a reset: 2 MiB */
    BUCKETS_MIN = 1024,
    BUCKETS_KEPT = 64 * 1024,
    ROOM_MIN =
        32, /* holds any 64-bit number: a counter is edited in place from the second time on */
};

struct chunk {
    alignas(max_align_t) struct chunk *next;
    alignas(max_align_t) uint8_t bytes[];
};

struct working_set {
    struct entry **buckets; /* mask + 1 of them */
    size_t mask;
    size_t count;
    struct entry *first;
    struct entry **last;
    uint64_t seed; /* outsiders choose the keys: random, so that they cannot choose the chains */
    int64_t now_ms;
    int32_t identity;
    void (*observer)(void *arg, struct entry *e);
    void *observer_arg;
    void (*on_write)(void *arg, struct entry *e);
    void *on_write_arg;

    uint32_t events; /* the classes that are kept */
    bool writes;
    bool met_expired;
    uint64_t by;
    struct effect *effects;
    struct effect **last_effect;

    /* The arena: [bytes, at) given out · [at, end) free, of chunks' first; spare: for the next turns. */
    uint8_t *at;
    uint8_t *end;
    struct chunk *chunks;
    struct chunk *spare;
    size_t spare_count;
    struct chunk *large;
};

struct working_set *working_set_new(uint64_t seed)
{
    struct working_set *ws = mem_zalloc(sizeof(*ws));
    ws->buckets = mem_zalloc(BUCKETS_MIN * sizeof(struct entry *));
    ws->mask = BUCKETS_MIN - 1;
    ws->last = &ws->first;
    ws->last_effect = &ws->effects;
    ws->seed = seed;
    return ws;
}

static void free_chunks(struct chunk *c)
{
    while (c != NULL) {
        struct chunk *next = c->next;
        free(c);
        c = next;
    }
}

void working_set_free(struct working_set *ws)
{
    if (ws == NULL) {
        return;
    }
    free_chunks(ws->chunks);
    free_chunks(ws->spare);
    free_chunks(ws->large);
    free(ws->buckets);
    free(ws);
}

/* --- arena ------------------------------------------------------------------------------ */

static void *alloc_large(struct working_set *ws, size_t size)
{
    struct chunk *c = mem_alloc(sizeof(*c) + size);
    c->next = ws->large;
    ws->large = c;
    return c->bytes;
}

static void next_chunk(struct working_set *ws)
{
    struct chunk *c = ws->spare;
    if (c != NULL) {
        ws->spare = c->next;
        ws->spare_count--;
    } else {
        c = mem_alloc(sizeof(*c) + CHUNK_SIZE);
    }
    c->next = ws->chunks;
    ws->chunks = c;
    ws->at = c->bytes;
    ws->end = c->bytes + CHUNK_SIZE;
}

void *ws_alloc(struct working_set *ws, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (size > CHUNK_LARGE) {
        return alloc_large(ws, size);
    }
    size = (size + align - 1) & ~(align - 1);
    if ((size_t)(ws->end - ws->at) < size) {
        next_chunk(ws);
    }
    void *p = ws->at;
    ws->at += size;
    return p;
}

struct slice ws_copy(struct working_set *ws, struct slice bytes)
{
    uint8_t *p = ws_alloc(ws, bytes.len);
    if (bytes.len > 0) {
        memcpy(p, bytes.p, bytes.len);
    }
    return (struct slice){ p, bytes.len };
}

static void reset_arena(struct working_set *ws)
{
    while (ws->chunks != NULL) {
        struct chunk *c = ws->chunks;
        ws->chunks = c->next;
        if (ws->spare_count < CHUNKS_KEPT) {
            c->next = ws->spare;
            ws->spare = c;
            ws->spare_count++;
        } else {
            free(c);
        }
    }
    free_chunks(ws->large);
    ws->large = NULL;
    ws->at = NULL;
    ws->end = NULL;
}

/* --- table ------------------------------------------------------------------------------ */

static uint64_t hash_key(const struct working_set *ws, uint32_t db, struct slice key)
{
    return slice_hash(key, ws->seed + db * UINT64_C(0x9E3779B97F4A7C15));
}

static void resize_buckets(struct working_set *ws, size_t size)
{
    free(ws->buckets);
    ws->buckets = mem_zalloc(size * sizeof(struct entry *));
    ws->mask = size - 1;
    for (struct entry *e = ws->first; e != NULL; e = e->next) {
        struct entry **bucket = &ws->buckets[e->hash & ws->mask];
        e->bucket_next = *bucket;
        *bucket = e;
    }
}

static void reset_buckets(struct working_set *ws)
{
    if (ws->count < ws->mask / 16) {
        for (struct entry *e = ws->first; e != NULL; e = e->next) {
            ws->buckets[e->hash & ws->mask] = NULL;
        }
    } else {
        memset(ws->buckets, 0, (ws->mask + 1) * sizeof(struct entry *));
    }
    ws->first = NULL;
    ws->last = &ws->first;
    ws->count = 0;
    if (ws->mask >= BUCKETS_KEPT) {
        resize_buckets(ws, BUCKETS_MIN);
    }
}

void working_set_reset(struct working_set *ws)
{
    ws->effects = NULL;
    ws->last_effect = &ws->effects;
    ws->met_expired = false;
    reset_buckets(ws);
    reset_arena(ws);
}

static struct entry *find_slot(const struct working_set *ws, uint64_t hash, uint32_t db,
                               struct slice key)
{
    struct entry *e = ws->buckets[hash & ws->mask];
    while (e != NULL && !(e->hash == hash && e->db == db && slice_eq(e->key, key))) {
        e = e->bucket_next;
    }
    return e;
}

static struct entry *add_slot(struct working_set *ws, uint64_t hash, uint32_t db, struct slice key)
{
    if (ws->count > ws->mask) {
        resize_buckets(ws, (ws->mask + 1) * 4);
    }
    struct entry *e = ws_alloc(ws, sizeof(*e));
    struct entry **bucket = &ws->buckets[hash & ws->mask];
    *e = (struct entry){ .bucket_next = *bucket, .hash = hash, .db = db, .key = key };
    *bucket = e;
    *ws->last = e;
    ws->last = &e->next;
    ws->count++;
    return e;
}

static struct entry *slot(struct working_set *ws, uint32_t db, struct slice key)
{
    uint64_t hash = hash_key(ws, db, key);
    struct entry *e = find_slot(ws, hash, db, key);
    return e != NULL ? e : add_slot(ws, hash, db, key);
}

struct entry *ws_want(struct working_set *ws, uint32_t db, struct slice key, enum entry_need need)
{
    struct entry *e = slot(ws, db, key);
    if (need == NEED_NOTHING && (ws->events & EVENT_NEW) != 0) {
        need = NEED_META; /* whether it is new is to be told */
    }
    if (e->wanted < need) {
        e->wanted = need;
    }
    if (ws->observer != NULL) {
        ws->observer(ws->observer_arg, e);
    }
    return e;
}

void ws_observe(struct working_set *ws, void (*fn)(void *arg, struct entry *e), void *arg)
{
    ws->observer = fn;
    ws->observer_arg = arg;
}

void ws_on_write(struct working_set *ws, void (*fn)(void *arg, struct entry *e), void *arg)
{
    ws->on_write = fn;
    ws->on_write_arg = arg;
}

struct entry *ws_entry(struct working_set *ws, uint32_t db, struct slice key)
{
    return find_slot(ws, hash_key(ws, db, key), db, key);
}

struct entry *ws_first(struct working_set *ws)
{
    return ws->first;
}

size_t ws_count(const struct working_set *ws)
{
    return ws->count;
}

/* --- what commands do ------------------------------------------------------------------- */

void ws_begin_unit(struct working_set *ws, int64_t now_ms, int32_t identity_id)
{
    ws->now_ms = now_ms;
    ws->identity = identity_id;
}

static bool alive(const struct working_set *ws, const struct entry *e)
{
    return e->exists && (e->expires_at == 0 || e->expires_at > ws->now_ms);
}

/* lapsed: its time has passed and nobody has noted that in its row. A deleted row's is ENTRY_OVER. */
static bool lapsed(const struct working_set *ws, const struct entry *e)
{
    return e->row && e->loaded != NEED_NOTHING && e->expires_at > ENTRY_OVER &&
           e->expires_at <= ws->now_ms;
}

struct entry *ws_find(struct working_set *ws, uint32_t db, struct slice key)
{
    struct entry *e = ws_entry(ws, db, key);
    if (e == NULL || alive(ws, e)) {
        return e;
    }
    ws->met_expired = ws->met_expired || lapsed(ws, e);
    return NULL;
}

/* --- effects ------------------------------------------------------------------------------ */

void ws_listen(struct working_set *ws, uint32_t events, bool writes)
{
    ws->events = events;
    ws->writes = writes;
}

void ws_act_as(struct working_set *ws, uint64_t by)
{
    ws->by = by;
}

struct effect *ws_effect(struct working_set *ws, enum effect_kind kind, uint32_t db)
{
    struct effect *effect = ws_alloc(ws, sizeof(*effect));
    *effect = (struct effect){ .kind = kind, .db = db, .by = ws->by };
    *ws->last_effect = effect;
    ws->last_effect = &effect->next;
    return effect;
}

struct effect *ws_effects(const struct working_set *ws)
{
    return ws->effects;
}

bool ws_met_expired(const struct working_set *ws)
{
    return ws->met_expired;
}

void ws_event(struct working_set *ws, uint32_t event, const char *name, uint32_t db,
              struct slice key)
{
    if ((ws->events & event) == 0) {
        return;
    }
    struct effect *effect = ws_effect(ws, EFFECT_EVENT, db);
    effect->event = event;
    effect->name = name;
    effect->key = key;
}

/* note_arrival: the key was not there. If its time was over and nobody had told yet, this is when it went. */
static void note_arrival(struct working_set *ws, struct entry *e)
{
    if (lapsed(ws, e)) {
        ws_event(ws, EVENT_EXPIRED, "expired", e->db, e->key);
    }
    ws_event(ws, EVENT_NEW, "new", e->db, e->key);
}

static void touch(struct working_set *ws, struct entry *e)
{
    if (ws->on_write != NULL) {
        ws->on_write(ws->on_write_arg, e);
    }
    if (ws->writes) {
        ws_effect(ws, EFFECT_WROTE, e->db)->key = e->key;
    }
    e->dirty = true;
    e->modified_at = ws->now_ms;
    e->modified_by = ws->identity;
}

void ws_set_value(struct working_set *ws, struct entry *e, struct slice value)
{
    e->value = value;
    e->length = value.len;
    e->room = 0;
    e->value_changed = true;
    touch(ws, e);
}

struct entry *ws_put(struct working_set *ws, uint32_t db, struct slice key, struct slice value,
                     int64_t expires_at)
{
    struct entry *e = slot(ws, db, key);
    if (!alive(ws, e)) {
        note_arrival(ws, e);
    }
    e->exists = true;
    e->expires_at = expires_at;
    ws_set_value(ws, e, value);
    return e;
}

static size_t room_for(const struct entry *e, size_t length)
{
    size_t twice = e->room * 2; /* only a value that grew once is given room to grow */
    size_t room = twice > length ? twice : length;
    return room < ROOM_MIN ? ROOM_MIN : room;
}

uint8_t *ws_edit(struct working_set *ws, struct entry *e, size_t length)
{
    size_t old = e->value.len;
    uint8_t *p = (uint8_t *)e->value.p; /* ours to write when room > 0 */
    if (length > e->room) {
        size_t room = room_for(e, length);
        p = ws_alloc(ws, room);
        if (old > 0) {
            memcpy(p, e->value.p, old < length ? old : length);
        }
        e->room = room;
    }
    if (length > old) {
        memset(p + old, 0, length - old);
    }
    e->value = (struct slice){ p, length };
    e->length = length;
    e->value_changed = true;
    touch(ws, e);
    return p;
}

void ws_expire(struct working_set *ws, struct entry *e, int64_t expires_at)
{
    e->expires_at = expires_at;
    touch(ws, e);
}

void ws_remove(struct working_set *ws, struct entry *e)
{
    e->exists = false;
    e->expires_at = 0;
    ws_set_value(ws, e, (struct slice){ NULL, 0 });
    if (e->loaded >= NEED_META && !e->row) {
        e->dirty = false; /* there was no row, and none is needed to say that there is no key */
        e->value_changed = false;
    }
}

struct slice ws_share(struct entry *e)
{
    e->room = 0;
    return e->value;
}

/* --- what the turn does ----------------------------------------------------------------- */

static bool in_database(const struct entry *e, uint32_t db)
{
    bool whole_keyspace = (db & UINT16_MAX) == UINT16_MAX;
    return e->db == db || (whole_keyspace && e->db >> 16 == db >> 16);
}

/* forget: nothing is known but that, up to `loaded`, there is nothing. */
static void forget(struct entry *e, enum entry_need loaded)
{
    e->loaded = loaded;
    e->row = false;
    e->withheld = false;
    e->exists = false;
    e->dirty = false;
    e->value_changed = false;
    e->value = (struct slice){ NULL, 0 };
    e->length = 0;
    e->room = 0;
    e->expires_at = 0;
    e->revision = 0;
}

void ws_forget(struct working_set *ws, uint32_t db)
{
    for (struct entry *e = ws->first; e != NULL; e = e->next) {
        if (in_database(e, db)) {
            forget(e, NEED_VALUE);
        }
    }
}

void ws_unload(struct working_set *ws, uint32_t db)
{
    for (struct entry *e = ws->first; e != NULL; e = e->next) {
        if (e->db == db) {
            forget(e, NEED_NOTHING);
        }
    }
}

static void clean(struct entry *e)
{
    if (e->value_changed) {
        e->loaded = NEED_VALUE;
    }
    e->row = true;
    e->withheld = false;
    e->dirty = false;
    e->value_changed = false;
    e->revision = REVISION_UNKNOWN;
}

void ws_clean(struct working_set *ws)
{
    for (struct entry *e = ws->first; e != NULL; e = e->next) {
        if (e->dirty) {
            clean(e);
        }
    }
}
