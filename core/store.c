/*
 * Entries to statements and back. Results stay until store_reset: loaded values point into them.
 */
#include "store_private.h"

#include <stdlib.h>
#include <string.h>

#include "keyspaces.h"

enum {
    PIECE = 1 << 20, /* bytes of a long value that travel in one row */
};

/* A statement's worth of entries being loaded. */
struct load {
    struct store *store;
    struct load *next;
    uint32_t db;
    size_t count;
    struct entry *entries[];
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

void store_keep_result(struct store *s, PGresult *r)
{
    if (s->result_count == s->result_cap) {
        s->result_cap = s->result_cap ? s->result_cap * 2 : 8;
        s->results = mem_realloc(s->results, s->result_cap * sizeof(PGresult *));
    }
    s->results[s->result_count++] = r;
}

/* --- parameters that recur ------------------------------------------------------------------ */

void store_put_keyspace(struct store *s, uint32_t keyspace)
{
    pg_bytes(&s->params, keyspaces_name(s->keyspaces, keyspace));
}

void store_put_database(struct store *s, uint32_t db)
{
    store_put_keyspace(s, db >> 16);
    pg_int4(&s->params, (int32_t)(db & 0xffff));
}

static const struct space *find_space(const struct store *s, uint32_t db)
{
    for (size_t i = 0; i < s->space_count; i++)
        if (s->spaces[i].db == db)
            return &s->spaces[i];
    return NULL;
}

void store_put_space(struct store *s, uint32_t db)
{
    const struct space *space = find_space(s, db);
    if (space)
        pg_int4(&s->params, space->id);
    else
        pg_null(&s->params);
    store_put_database(s, db);
}

static void note_space(struct store *s, uint32_t db, int32_t id)
{
    if (!find_space(s, db) && s->space_count < STORE_SPACES_MAX)
        s->spaces[s->space_count++] = (struct space){ db, id };
}

void store_queue(struct store *s, enum sql_id id, pg_result_fn *fn, void *arg)
{
    pg_conn_query(s->conn, id, &s->params, 0, fn, arg);
    pg_params_clear(&s->params);
}

void store_begin(struct store *s, bool snapshot)
{
    store_queue(s, snapshot ? SQL_BEGIN_SNAPSHOT : SQL_BEGIN, NULL, NULL);
}

void store_commit(struct store *s)
{
    store_queue(s, SQL_COMMIT, NULL, NULL);
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
    store_keep_result(s, r);
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
    store_put_database(s, load->db);
    pg_array(&s->params, PG_BYTEA, load->count);
    for (size_t i = 0; i < load->count; i++) {
        pg_elem_bytes(&s->params, load->entries[i]->key);
        values = values || load->entries[i]->wanted == NEED_VALUE;
    }
    pg_int4(&s->params, values ? (int32_t)share : -1);
    s->figures.loads++;
    store_queue(s, lock ? SQL_LOAD_LOCKED : SQL_LOAD, on_loaded, load);
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
    store_put_database(s, e->db);
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
    store_put_space(s, list[0]->db);
    put_keys(s, list, n);
    if (kind != SAVE_TOUCH)
        put_values(s, list, n);
    put_expiries_and_writers(s, list, n);
    store_queue(s, statement[kind], NULL, NULL);
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
