/*
 * Walks to queries, and rows to what the walks ask for.
 */
#include "store_private.h"

#include <stdlib.h>
#include <string.h>

enum {
    KEYS_AT_ONCE = 1000, /* SCAN with a prefix: a range this small is answered whole */
    KEYS_MAX = 1 << 20,  /* KEYS gives no more than this */
    KEY_BOUND = 2700,    /* longer than any --max-key: what fits an index page of PostgreSQL */
};

struct walking {
    struct store *store;
    struct walk *walk;
    bool whole; /* SCAN: the prefix's range was small, and is answered already */
};

/*
 * The range of keys that begin with a prefix: up to the first key past them. Where there is none (no prefix, or one of
 * 0xff bytes) the bound is a key longer and greater than any.
 */
static void put_prefix_range(struct store *s, struct slice prefix)
{
    uint8_t high[KEY_BOUND];
    size_t len = prefix.len < sizeof(high) ? prefix.len : sizeof(high);
    if (len)
        memcpy(high, prefix.p, len);
    while (len > 0 && high[len - 1] == 0xff)
        len--;
    if (len > 0) {
        high[len - 1]++;
    } else {
        len = sizeof(high);
        memset(high, 0xff, len);
    }
    pg_bytes(&s->params, prefix);
    pg_bytes(&s->params, (struct slice){ high, len });
}

/* set_rows points the walk's rows into a result, which is kept. */
static bool set_rows(struct walking *w, PGresult *r, int key_column, int value_column, int first)
{
    const int n = PQntuples(r) - first;
    struct walk_row *rows = ws_alloc(w->store->ws, (size_t)(n > 0 ? n : 1) * sizeof(*rows));
    for (int i = 0; i < n; i++) {
        rows[i].key = pg_get_bytes(r, first + i, key_column);
        rows[i].value =
            value_column < 0 ? (struct slice){ NULL, 0 } : pg_get_bytes(r, first + i, value_column);
    }
    w->walk->rows = rows;
    w->walk->row_count = n > 0 ? (size_t)n : 0;
    store_keep_result(w->store, r);
    return true;
}

static bool on_keys(void *arg, PGresult *r)
{
    struct walking *w = arg;
    if (PQntuples(r) > KEYS_MAX) {
        w->walk->error = "ERR KEYS would return more than 1048576 keys; use SCAN";
        return false;
    }
    return set_rows(w, r, 0, -1, 0);
}

static bool on_small_range(void *arg, PGresult *r)
{
    struct walking *w = arg;
    if ((uint64_t)PQntuples(r) > KEYS_AT_ONCE)
        return false;
    w->whole = true;
    return set_rows(w, r, 0, -1, 0);
}

enum scan_column { SCAN_LAST, SCAN_SEEN, SCAN_KEY };

static bool on_scanned(void *arg, PGresult *r)
{
    struct walking *w = arg;
    if (w->whole || PQntuples(r) == 0)
        return false;
    const uint64_t last = (uint64_t)pg_get_int(r, 0, SCAN_LAST);
    const uint64_t seen = (uint64_t)pg_get_int(r, 0, SCAN_SEEN);
    w->walk->next_cursor = seen < w->walk->count ? 0 : last;
    const bool none = PQgetisnull(r, 0, SCAN_KEY);
    return set_rows(w, r, SCAN_KEY, -1, none ? 1 : 0);
}

static bool on_random(void *arg, PGresult *r)
{
    return set_rows(arg, r, 0, -1, 0);
}

static bool on_count(void *arg, PGresult *r)
{
    struct walking *w = arg;
    w->walk->total = pg_get_int(r, 0, 0);
    return false;
}

enum find_column { FIND_KEY, FIND_HASH, FIND_VALUE };

/* A full page ends before its last hash, as another key with that hash may follow; it was asked one longer. */
static bool on_found(void *arg, PGresult *r)
{
    struct walking *w = arg;
    const int n = PQntuples(r);
    set_rows(w, r, FIND_KEY, FIND_VALUE, 0);
    if ((uint64_t)n <= w->walk->count)
        return true;
    int keep = n - 1;
    while (keep > 1 && pg_get_int(r, keep - 1, FIND_HASH) == pg_get_int(r, keep, FIND_HASH))
        keep--;
    w->walk->row_count = (size_t)keep;
    w->walk->next_cursor = (uint64_t)pg_get_int(r, keep - 1, FIND_HASH);
    return true;
}

enum key_column { KEY_REVISION, KEY_MODIFIED_AT, KEY_NAME, KEY_EXPIRES, KEY_LENGTH, KEY_TYPE };

static bool on_key(void *arg, PGresult *r)
{
    struct walking *w = arg;
    if (PQntuples(r) == 0)
        return false;
    struct walk_key *key = ws_alloc(w->store->ws, sizeof(*key));
    *key = (struct walk_key){
        .revision = pg_get_int(r, 0, KEY_REVISION),
        .modified_at = pg_get_int(r, 0, KEY_MODIFIED_AT),
        .modified_by = pg_get_bytes(r, 0, KEY_NAME),
        .expires_at = pg_get_int(r, 0, KEY_EXPIRES),
        .length = (size_t)pg_get_int(r, 0, KEY_LENGTH),
        .text = pg_get_int(r, 0, KEY_TYPE) == ENTRY_TEXT,
    };
    w->walk->found = key;
    store_keep_result(w->store, r);
    return true;
}

static void put_page(struct store *s, const struct walk *walk, int64_t count)
{
    store_put_database(s, walk->db);
    pg_int8(&s->params, (int64_t)(walk->cursor & INT64_MAX));
    pg_int8(&s->params, count);
    put_prefix_range(s, walk->prefix);
    pg_int8(&s->params, s->now_ms);
}

static void put_keys_query(struct store *s, const struct walk *walk, int64_t limit)
{
    store_put_database(s, walk->db);
    put_prefix_range(s, walk->prefix);
    pg_int8(&s->params, s->now_ms);
    pg_int8(&s->params, limit);
}

static void walk_scan(struct store *s, struct walking *w)
{
    const bool small = w->walk->cursor == 0 && w->walk->prefix.len > 0;
    if (small) {
        put_keys_query(s, w->walk, KEYS_AT_ONCE + 1);
        store_queue(s, SQL_KEYS, on_small_range, w);
    }
    put_page(s, w->walk, w->walk->count);
    pg_int8(&s->params, small ? KEYS_AT_ONCE : -1);
    store_queue(s, SQL_SCAN, on_scanned, w);
}

static void walk_keys(struct store *s, struct walking *w)
{
    put_keys_query(s, w->walk, KEYS_MAX + 1);
    store_queue(s, SQL_KEYS, on_keys, w);
}

static void walk_random(struct store *s, struct walking *w)
{
    store_put_database(s, w->walk->db);
    pg_int8(&s->params, (int64_t)random() << 32 ^ (int64_t)random() << 1);
    pg_int8(&s->params, s->now_ms);
    store_queue(s, SQL_RANDOM, on_random, w);
}

static void walk_count(struct store *s, struct walking *w)
{
    store_put_database(s, w->walk->db);
    pg_int8(&s->params, s->now_ms);
    store_queue(s, SQL_COUNT, on_count, w);
}

static void walk_find(struct store *s, struct walking *w)
{
    put_page(s, w->walk, (int64_t)w->walk->count + 1);
    pg_bytes(&s->params, w->walk->ilike);
    store_queue(s, SQL_FIND, on_found, w);
}

static void walk_key(struct store *s, struct walking *w)
{
    store_put_database(s, w->walk->db);
    pg_bytes(&s->params, w->walk->key);
    pg_int8(&s->params, s->now_ms);
    store_queue(s, SQL_KEY, on_key, w);
}

enum { EVERY_DB = -1 };

static void flush(struct store *s, uint32_t keyspace, int32_t db)
{
    store_put_keyspace(s, keyspace);
    pg_int4(&s->params, db);
    pg_int8(&s->params, s->now_ms);
    store_queue(s, SQL_RETIRE, NULL, NULL);
    store_put_keyspace(s, keyspace);
    pg_int4(&s->params, db);
    store_queue(s, SQL_FLUSH, NULL, NULL);
    s->space_count = 0;
}

static void walk_flush_db(struct store *s, struct walking *w)
{
    flush(s, w->walk->db >> 16, (int32_t)(w->walk->db & UINT16_MAX));
    ws_forget(s->ws, w->walk->db);
}

static void walk_flush_all(struct store *s, struct walking *w)
{
    flush(s, w->walk->db >> 16, EVERY_DB);
    ws_forget(s->ws, w->walk->db | UINT16_MAX);
}

/* A number that no database has; the two that change places need a third. */
enum { NO_DB = UINT16_MAX };

static void renumber(struct store *s, uint32_t keyspace, uint32_t from, uint32_t to)
{
    store_put_database(s, db_ref(keyspace, from));
    pg_int4(&s->params, (int32_t)to);
    store_queue(s, SQL_RENUMBER, NULL, NULL);
}

/*
 * The turn is an exclusive one (CMD_EXCLUSIVE): no other has looked a space up and writes to it yet. What was known of
 * both databases is no longer so.
 */
static void walk_swap(struct store *s, struct walking *w)
{
    const uint32_t keyspace = w->walk->db >> 16;
    const uint32_t one = w->walk->db & UINT16_MAX;
    const uint32_t other = w->walk->other_db & UINT16_MAX;
    renumber(s, keyspace, one, NO_DB);
    renumber(s, keyspace, other, one);
    renumber(s, keyspace, NO_DB, other);
    s->space_count = 0;
    ws_unload(s->ws, w->walk->db);
    ws_unload(s->ws, w->walk->other_db);
}

void store_walk(struct store *s, struct walk *walk)
{
    static void (*const by_kind[])(struct store *, struct walking *) = {
        [WALK_SCAN] = walk_scan,           [WALK_KEYS] = walk_keys, [WALK_RANDOM] = walk_random,
        [WALK_COUNT] = walk_count,         [WALK_FIND] = walk_find, [WALK_FLUSH_DB] = walk_flush_db,
        [WALK_FLUSH_ALL] = walk_flush_all, [WALK_SWAP] = walk_swap, [WALK_KEY] = walk_key,
    };
    if (walk->kind == WALK_NONE)
        return;
    struct walking *w = ws_alloc(s->ws, sizeof(*w));
    *w = (struct walking){ .store = s, .walk = walk };
    by_kind[walk->kind](s, w);
}
