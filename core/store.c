/*
 * Entries to statements and back. Results stay until store_reset: loaded values point into them.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "keyspaces.h"

enum {
    PIECE = 1 << 20,     /* bytes of a long value that travel in one row */
    KEYS_AT_ONCE = 1000, /* SCAN with a prefix: a range this small is answered whole */
    KEYS_MAX = 1 << 20,  /* KEYS gives no more than this */
    KEY_BOUND = 2700,    /* longer than any --max-key: what fits an index page of PostgreSQL */
    SPACES_MAX =
        16, /* databases that one turn remembers the space of; others are looked up again */
};

/* A statement's worth of entries being loaded. */
struct load {
    struct store *store;
    struct load *next;
    uint32_t db;
    size_t count;
    struct entry *entries[];
};

struct space {
    uint32_t db;
    int32_t id;
};

struct store {
    const struct keyspaces *keyspaces;
    struct pg_conn *conn;
    struct working_set *ws;
    int64_t now_ms;
    struct pg_params params;
    struct load *loads; /* of this turn */
    struct space spaces[SPACES_MAX];
    size_t space_count;
    size_t loaded;
    bool withheld;
    struct store_figures figures;
    PGresult **results;
    size_t result_count, result_cap;
    struct entry **scratch;
    size_t scratch_cap;
};

int64_t store_hash(struct slice key)
{
    const int64_t hash = (int64_t)(slice_hash(key, 0) & INT64_MAX);
    return hash ? hash : 1;
}

struct store *store_new(const struct keyspaces *keyspaces)
{
    struct store *s = mem_zalloc(sizeof(*s));
    s->keyspaces = keyspaces;
    pg_params_init(&s->params);
    return s;
}

void store_free(struct store *s)
{
    if (s == NULL)
        return;
    store_reset(s);
    pg_params_release(&s->params);
    free(s->results);
    free(s->scratch);
    free(s);
}

void store_use(struct store *s, struct pg_conn *conn, struct working_set *ws, int64_t now_ms)
{
    s->conn = conn;
    s->ws = ws;
    s->now_ms = now_ms;
}

void store_reset(struct store *s)
{
    for (size_t i = 0; i < s->result_count; i++)
        PQclear(s->results[i]);
    s->result_count = 0;
    while (s->loads) {
        struct load *next = s->loads->next;
        free(s->loads);
        s->loads = next;
    }
    s->space_count = 0;
    s->loaded = 0;
    s->withheld = false;
}

static void keep_result(struct store *s, PGresult *r)
{
    if (s->result_count == s->result_cap) {
        s->result_cap = s->result_cap ? s->result_cap * 2 : 8;
        s->results = mem_realloc(s->results, s->result_cap * sizeof(PGresult *));
    }
    s->results[s->result_count++] = r;
}

/* --- parameters that recur ------------------------------------------------------------------ */

static void put_keyspace(struct store *s, uint32_t keyspace)
{
    pg_bytes(&s->params, keyspaces_name(s->keyspaces, keyspace));
}

static void put_database(struct store *s, uint32_t db)
{
    put_keyspace(s, db >> 16);
    pg_int4(&s->params, (int32_t)(db & 0xffff));
}

static const struct space *find_space(const struct store *s, uint32_t db)
{
    for (size_t i = 0; i < s->space_count; i++)
        if (s->spaces[i].db == db)
            return &s->spaces[i];
    return NULL;
}

static void put_space(struct store *s, uint32_t db)
{
    const struct space *space = find_space(s, db);
    if (space)
        pg_int4(&s->params, space->id);
    else
        pg_null(&s->params);
    put_database(s, db);
}

static void note_space(struct store *s, uint32_t db, int32_t id)
{
    if (!find_space(s, db) && s->space_count < SPACES_MAX)
        s->spaces[s->space_count++] = (struct space){ db, id };
}

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

static void query(struct store *s, enum sql_id id, pg_result_fn *fn, void *arg)
{
    pg_conn_query(s->conn, id, &s->params, 0, fn, arg);
    pg_params_clear(&s->params);
}

void store_begin(struct store *s, bool snapshot)
{
    query(s, snapshot ? SQL_BEGIN_SNAPSHOT : SQL_BEGIN, NULL, NULL);
}

void store_commit(struct store *s)
{
    query(s, SQL_COMMIT, NULL, NULL);
}

/* --- writer ------------------------------------------------------------------------------- */

static bool on_claimed(void *arg, PGresult *r)
{
    struct store_writer *w = arg;
    if (PQntuples(r) == 1)
        *w = (struct store_writer){ pg_get_int(r, 0, 0), pg_get_int(r, 0, 1), pg_get_int(r, 0, 2) };
    return false;
}

void store_claim(struct store *s, struct pg_conn *conn, int64_t now_ms, struct store_writer *out)
{
    *out = (struct store_writer){ 0, 0, 0 };
    pg_int8(&s->params, now_ms);
    pg_conn_query(conn, SQL_WRITER, &s->params, 0, on_claimed, out);
    pg_params_clear(&s->params);
}

/* No row: it was lost in a failover, or taken away; id 0 says so. */
static bool on_recovered(void *arg, PGresult *r)
{
    struct store_writer *w = arg;
    const int64_t id = w->id;
    *w = (struct store_writer){ 0, 0, 0 };
    if (PQntuples(r) == 1)
        *w = (struct store_writer){ id, pg_get_int(r, 0, 0), pg_get_int(r, 0, 1) };
    return false;
}

void store_recover(struct store *s, struct pg_conn *conn, struct store_writer *out)
{
    pg_int8(&s->params, out->id);
    pg_conn_query(conn, SQL_RECOVER, &s->params, 0, on_recovered, out);
    pg_params_clear(&s->params);
}

void store_exclude(struct store *s)
{
    query(s, SQL_EXCLUDE, NULL, NULL);
}

void store_fence(struct store *s, const struct store_writer *writer, int64_t turn)
{
    pg_int8(&s->params, writer->id);
    pg_int8(&s->params, writer->epoch);
    pg_int8(&s->params, turn);
    pg_int8(&s->params, s->now_ms);
    query(s, SQL_FENCE, NULL, NULL);
}

static bool on_others(void *arg, PGresult *r)
{
    struct cache_others *out = arg;
    *out = (struct cache_others){ .count = PQntuples(r) };
    for (int row = 0; row < PQntuples(r); row++) {
        const int64_t id = pg_get_int(r, row, 0);
        out->newest = id > out->newest ? id : out->newest;
        out->turns += pg_get_int(r, row, 1);
    }
    return false;
}

void store_others(struct store *s, const int64_t *own, size_t count, struct cache_others *out)
{
    pg_array(&s->params, PG_INT8, count);
    for (size_t i = 0; i < count; i++)
        pg_elem_int8(&s->params, own[i]);
    query(s, SQL_OTHERS, on_others, out);
}

/* --- load --------------------------------------------------------------------------------- */

enum load_column { LOAD_KEY, LOAD_REVISION, LOAD_EXPIRES, LOAD_LENGTH, LOAD_VALUE, LOAD_SPACE };

static void set_absent(struct entry *e)
{
    e->loaded = NEED_VALUE;
    e->row = false;
    e->exists = false;
    e->withheld = false;
    e->revision = 0;
    e->length = 0;
    e->value = (struct slice){ NULL, 0 };
}

static void set_meta(struct store *s, struct entry *e, int64_t revision, int64_t expires_at,
                     size_t length)
{
    e->row = true;
    e->revision = revision;
    e->expires_at = expires_at;
    e->length = length;
    e->exists = expires_at == 0 || expires_at > s->now_ms;
    e->loaded = NEED_META;
}

static void set_from_row(struct store *s, struct entry *e, const PGresult *r, int row)
{
    set_meta(s, e, pg_get_int(r, row, LOAD_REVISION), pg_get_int(r, row, LOAD_EXPIRES),
             (size_t)pg_get_int(r, row, LOAD_LENGTH));
    const struct slice value = pg_get_bytes(r, row, LOAD_VALUE);
    if (value.p) {
        e->value = value;
        e->loaded = NEED_VALUE;
        s->loaded += value.len;
    } else if (e->wanted == NEED_VALUE) {
        e->withheld = true;
        s->withheld = true;
    }
}

static bool on_loaded(void *arg, PGresult *r)
{
    struct load *load = arg;
    struct store *s = load->store;
    s->figures.rows_loaded += (uint64_t)PQntuples(r);
    for (size_t i = 0; i < load->count; i++)
        set_absent(load->entries[i]);
    for (int row = 0; row < PQntuples(r); row++) {
        if (PQnfields(r) > LOAD_SPACE && row == 0)
            note_space(s, load->db, (int32_t)pg_get_int(r, row, LOAD_SPACE));
        const struct slice key = pg_get_bytes(r, row, LOAD_KEY);
        struct entry *e = key.p ? ws_entry(s->ws, load->db, key) : NULL;
        if (e)
            set_from_row(s, e, r, row);
    }
    keep_result(s, r);
    return true;
}

static bool needs_loading(const struct entry *e)
{
    return e->wanted > e->loaded && !e->withheld && !e->dirty;
}

static void queue_load(struct load *load, bool lock, size_t share)
{
    struct store *s = load->store;
    bool values = false;
    put_database(s, load->db);
    pg_array(&s->params, PG_BYTEA, load->count);
    for (size_t i = 0; i < load->count; i++) {
        pg_elem_bytes(&s->params, load->entries[i]->key);
        values = values || load->entries[i]->wanted == NEED_VALUE;
    }
    pg_int4(&s->params, values ? (int32_t)share : -1);
    s->figures.loads++;
    query(s, lock ? SQL_LOAD_LOCKED : SQL_LOAD, on_loaded, load);
}

static int by_db(const void *a, const void *b)
{
    const struct load *x = *(struct load *const *)a;
    const struct load *y = *(struct load *const *)b;
    return x->db < y->db ? -1 : x->db > y->db;
}

/* collect_loads makes one load for each database that has entries to load; returns how many. */
static unsigned collect_loads(struct store *s, size_t *entries)
{
    unsigned count = 0;
    *entries = 0;
    for (struct entry *e = ws_first(s->ws); e; e = e->next)
        *entries += needs_loading(e);
    for (struct entry *e = ws_first(s->ws); e && *entries; e = e->next) {
        if (!needs_loading(e))
            continue;
        struct load *load =
            s->loads; /* the first `count` are of this call, others of an earlier one */
        unsigned i = 0;
        for (; i < count && load->db != e->db; i++)
            load = load->next;
        if (i == count) {
            load = mem_alloc(sizeof(*load) + *entries * sizeof(struct entry *));
            *load = (struct load){ .store = s, .next = s->loads, .db = e->db };
            s->loads = load;
            count++;
        }
        load->entries[load->count++] = e;
    }
    return count;
}

unsigned store_load(struct store *s, bool lock, size_t budget)
{
    size_t entries;
    const unsigned count = collect_loads(s, &entries);
    if (count == 0)
        return 0;
    struct load **sorted = mem_alloc(count * sizeof(*sorted));
    struct load *load = s->loads;
    for (unsigned i = 0; i < count; i++, load = load->next)
        sorted[i] = load;
    qsort(sorted, count, sizeof(*sorted), by_db); /* the same order on every core: no deadlock */
    for (unsigned i = 0; i < count; i++)
        queue_load(sorted[i], lock, budget / entries);
    free(sorted);
    return count;
}

/* --- one long value ----------------------------------------------------------------------- */

struct large {
    struct store *store;
    struct entry *entry;
    uint8_t *bytes;
    size_t length;
    size_t filled;
};

enum large_column { LARGE_REVISION, LARGE_EXPIRES, LARGE_LENGTH, LARGE_PIECE, LARGE_BYTES };

static void add_piece(struct large *large, const PGresult *r, int row)
{
    const size_t length = (size_t)pg_get_int(r, row, LARGE_LENGTH);
    const struct slice piece = pg_get_bytes(r, row, LARGE_BYTES);
    if (large->bytes == NULL) {
        large->length = length;
        large->bytes = ws_alloc(large->store->ws, length ? length : 1);
        set_meta(large->store, large->entry, pg_get_int(r, row, LARGE_REVISION),
                 pg_get_int(r, row, LARGE_EXPIRES), length);
    }
    if (piece.len > large->length - large->filled)
        return; /* cannot be: the pieces are of one row */
    memcpy(large->bytes + large->filled, piece.p, piece.len);
    large->filled += piece.len;
}

static bool on_piece(void *arg, PGresult *r)
{
    struct large *large = arg;
    struct entry *e = large->entry;
    for (int row = 0; row < PQntuples(r); row++)
        add_piece(large, r, row);
    if (PQresultStatus(r) != PGRES_TUPLES_OK) /* more rows come */
        return false;
    e->withheld = false;
    if (large->bytes == NULL) {
        set_absent(e);
        return false;
    }
    e->value = (struct slice){ large->bytes, large->filled };
    e->length = large->filled;
    e->loaded = NEED_VALUE;
    large->store->loaded += large->filled;
    return false;
}

void store_load_withheld(struct store *s, struct entry *e)
{
    struct large *large = ws_alloc(s->ws, sizeof(*large));
    *large = (struct large){ .store = s, .entry = e };
    put_database(s, e->db);
    pg_bytes(&s->params, e->key);
    pg_int4(&s->params, PIECE);
    s->figures.loads++;
    pg_conn_query(s->conn, SQL_LOAD_LARGE, &s->params, PG_ROW_BY_ROW, on_piece, large);
    pg_params_clear(&s->params);
}

size_t store_loaded(const struct store *s)
{
    return s->loaded;
}

bool store_withheld(const struct store *s)
{
    return s->withheld;
}

struct store_figures store_take_figures(struct store *s)
{
    const struct store_figures taken = s->figures;
    s->figures = (struct store_figures){ 0 };
    return taken;
}

/* --- save --------------------------------------------------------------------------------- */

/* How an entry is saved; the order in which the statements run. */
enum save_kind { SAVE_UPSERT, SAVE_INSERT, SAVE_TOUCH };

static enum save_kind save_kind(const struct entry *e)
{
    if (e->loaded != NEED_NOTHING && !e->row)
        return SAVE_INSERT;
    return e->value_changed || !e->exists ? SAVE_UPSERT : SAVE_TOUCH;
}

static int by_save_order(const void *a, const void *b)
{
    const struct entry *x = *(struct entry *const *)a;
    const struct entry *y = *(struct entry *const *)b;
    if (x->db != y->db)
        return x->db < y->db ? -1 : 1;
    const int kinds = (int)save_kind(x) - (int)save_kind(y);
    return kinds ? kinds : slice_cmp(x->key, y->key);
}

static size_t collect_dirty(struct store *s)
{
    size_t n = 0;
    for (struct entry *e = ws_first(s->ws); e; e = e->next) {
        if (!e->dirty)
            continue;
        if (n == s->scratch_cap) {
            s->scratch_cap = s->scratch_cap ? s->scratch_cap * 2 : 256;
            s->scratch = mem_realloc(s->scratch, s->scratch_cap * sizeof(struct entry *));
        }
        e->stored = true;
        s->scratch[n++] = e;
    }
    if (n > 1)
        qsort(s->scratch, n, sizeof(*s->scratch), by_save_order);
    return n;
}

static enum entry_type entry_type(const struct entry *e)
{
    if (!e->exists)
        return ENTRY_GONE;
    return slice_is_text(e->value) ? ENTRY_TEXT : ENTRY_BINARY;
}

static void put_expiry(struct store *s, const struct entry *e)
{
    if (!e->exists)
        pg_elem_int8(&s->params, ENTRY_OVER);
    else if (e->expires_at == 0)
        pg_elem_null(&s->params);
    else
        pg_elem_int8(&s->params, e->expires_at);
}

static void put_keys(struct store *s, struct entry *const *list, size_t n)
{
    pg_array(&s->params, PG_BYTEA, n);
    for (size_t i = 0; i < n; i++)
        pg_elem_bytes(&s->params, list[i]->key);
}

static void put_values(struct store *s, struct entry *const *list, size_t n)
{
    pg_array(&s->params, PG_INT8, n);
    for (size_t i = 0; i < n; i++)
        pg_elem_int8(&s->params, store_hash(list[i]->key));
    pg_array(&s->params, PG_INT2, n);
    for (size_t i = 0; i < n; i++)
        pg_elem_int2(&s->params, (int16_t)entry_type(list[i]));
    pg_array(&s->params, PG_BYTEA, n);
    for (size_t i = 0; i < n; i++)
        pg_elem_bytes(&s->params, list[i]->exists ? list[i]->value : (struct slice){ NULL, 0 });
}

static void put_expiries_and_writers(struct store *s, struct entry *const *list, size_t n)
{
    pg_array(&s->params, PG_INT8, n);
    for (size_t i = 0; i < n; i++)
        put_expiry(s, list[i]);
    pg_array(&s->params, PG_INT4, n);
    for (size_t i = 0; i < n; i++)
        pg_elem_int4(&s->params, list[i]->modified_by);
    pg_int8(&s->params, s->now_ms);
}

static void save_run(struct store *s, enum save_kind kind, struct entry *const *list, size_t n)
{
    static const enum sql_id statement[] = {
        [SAVE_UPSERT] = SQL_UPSERT, [SAVE_INSERT] = SQL_INSERT, [SAVE_TOUCH] = SQL_TOUCH
    };
    put_space(s, list[0]->db);
    put_keys(s, list, n);
    if (kind != SAVE_TOUCH)
        put_values(s, list, n);
    put_expiries_and_writers(s, list, n);
    query(s, statement[kind], NULL, NULL);
}

unsigned store_save(struct store *s)
{
    const size_t n = collect_dirty(s);
    unsigned statements = 0;
    s->figures.rows_saved += n;
    for (size_t i = 0, end; i < n; i = end, statements++) {
        const enum save_kind kind = save_kind(s->scratch[i]);
        for (end = i + 1; end < n; end++)
            if (s->scratch[end]->db != s->scratch[i]->db || save_kind(s->scratch[end]) != kind)
                break;
        save_run(s, kind, s->scratch + i, end - i);
    }
    return statements;
}

void store_saved(struct store *s)
{
    ws_clean(s->ws);
}

/* --- walks -------------------------------------------------------------------------------- */

struct walking {
    struct store *store;
    struct walk *walk;
    bool whole; /* SCAN: the prefix's range was small, and is answered already */
};

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
    keep_result(w->store, r);
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
    keep_result(w->store, r);
    return true;
}

static void put_page(struct store *s, const struct walk *walk, int64_t count)
{
    put_database(s, walk->db);
    pg_int8(&s->params, (int64_t)(walk->cursor & INT64_MAX));
    pg_int8(&s->params, count);
    put_prefix_range(s, walk->prefix);
    pg_int8(&s->params, s->now_ms);
}

static void put_keys_query(struct store *s, const struct walk *walk, int64_t limit)
{
    put_database(s, walk->db);
    put_prefix_range(s, walk->prefix);
    pg_int8(&s->params, s->now_ms);
    pg_int8(&s->params, limit);
}

static void walk_scan(struct store *s, struct walking *w)
{
    const bool small = w->walk->cursor == 0 && w->walk->prefix.len > 0;
    if (small) {
        put_keys_query(s, w->walk, KEYS_AT_ONCE + 1);
        query(s, SQL_KEYS, on_small_range, w);
    }
    put_page(s, w->walk, w->walk->count);
    pg_int8(&s->params, small ? KEYS_AT_ONCE : -1);
    query(s, SQL_SCAN, on_scanned, w);
}

static void walk_keys(struct store *s, struct walking *w)
{
    put_keys_query(s, w->walk, KEYS_MAX + 1);
    query(s, SQL_KEYS, on_keys, w);
}

static void walk_random(struct store *s, struct walking *w)
{
    put_database(s, w->walk->db);
    pg_int8(&s->params, (int64_t)random() << 32 ^ (int64_t)random() << 1);
    pg_int8(&s->params, s->now_ms);
    query(s, SQL_RANDOM, on_random, w);
}

static void walk_count(struct store *s, struct walking *w)
{
    put_database(s, w->walk->db);
    pg_int8(&s->params, s->now_ms);
    query(s, SQL_COUNT, on_count, w);
}

static void walk_find(struct store *s, struct walking *w)
{
    put_page(s, w->walk, (int64_t)w->walk->count + 1);
    pg_bytes(&s->params, w->walk->ilike);
    query(s, SQL_FIND, on_found, w);
}

static void walk_key(struct store *s, struct walking *w)
{
    put_database(s, w->walk->db);
    pg_bytes(&s->params, w->walk->key);
    pg_int8(&s->params, s->now_ms);
    query(s, SQL_KEY, on_key, w);
}

enum { EVERY_DB = -1 };

static void flush(struct store *s, uint32_t keyspace, int32_t db)
{
    put_keyspace(s, keyspace);
    pg_int4(&s->params, db);
    pg_int8(&s->params, s->now_ms);
    query(s, SQL_RETIRE, NULL, NULL);
    put_keyspace(s, keyspace);
    pg_int4(&s->params, db);
    query(s, SQL_FLUSH, NULL, NULL);
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
    put_database(s, db_ref(keyspace, from));
    pg_int4(&s->params, (int32_t)to);
    query(s, SQL_RENUMBER, NULL, NULL);
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

/* --- identities --------------------------------------------------------------------------- */

static bool on_named(void *arg, PGresult *r)
{
    for (int row = 0; row < PQntuples(r); row++) {
        struct identity *identity = identity_find(arg, pg_get_bytes(r, row, 0));
        if (identity)
            identity->id = (int32_t)pg_get_int(r, row, 1);
    }
    return false;
}

static void put_names(struct store *s, struct identity *const *list, size_t count)
{
    pg_array(&s->params, PG_TEXT, count);
    for (size_t i = 0; i < count; i++)
        pg_elem_bytes(&s->params, list[i]->name);
}

void store_name(struct store *s, struct pg_conn *conn, struct identity_table *table,
                struct identity *const *list, size_t count)
{
    put_names(s, list, count);
    pg_conn_query(conn, SQL_IDENTITY_ADD, &s->params, 0, NULL, NULL);
    pg_params_clear(&s->params);
    put_names(s, list, count);
    pg_conn_query(conn, SQL_IDENTITY_IDS, &s->params, 0, on_named, table);
    pg_params_clear(&s->params);
}

/* --- keyspaces ---------------------------------------------------------------------------- */

void store_make_keyspace(struct store *s, struct pg_conn *conn, uint32_t keyspace,
                         int64_t databases)
{
    put_keyspace(s, keyspace);
    pg_int4(&s->params, (int32_t)databases - 1);
    pg_conn_query(conn, SQL_MAKE_KEYSPACE, &s->params, 0, NULL, NULL);
    pg_params_clear(&s->params);
}
