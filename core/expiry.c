/*
 * The purge. A command judges expiry by itself; here only room is made, a grace period later, so that a core whose clock
 * is behind still finds what it believes to be alive, and so that a deleted key's revision outlives any statement that
 * was under way.
 */
#include "expiry.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "lanes.h"
#include "pg_conn.h"

enum {
    TICK_MS = 1000,
    SOON_MS = 20, /* the next batch, while there is more */
    BATCH_ROWS = 1000,
    GRACE_MS = 60 * 1000, /* longer than a statement can be under way */
    COUNT_EVERY_MS = 10 * 1000,
    CLOCK_EVERY_MS = 60 * 1000,
    WRITER_KEPT_MS = 7 * 24 * 3600 * 1000,
    WRITERS_EVERY_MS = 3600 * 1000,
    WRITERS_MAX = 64,
    COUNTS_MAX = 1024,
};

struct count {
    struct slice keyspace; /* its name; owned */
    struct core_key_count keys;
};

struct expiry {
    struct core *core;
    uv_timer_t *timer;
    struct pg_conn *conn; /* borrowed, while a group is out */
    unsigned lane;
    struct pg_params params;
    bool more; /* a batch was full */
    bool counts_wanted;
    uint64_t counted_ms;
    uint64_t clock_ms;
    uint64_t writers_ms;
    int64_t clock_sent_ms;
    struct count counts[COUNTS_MAX];
    size_t count_count;
};

static int64_t monotonic_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

static bool on_purged(void *arg, struct pg_result *r)
{
    struct expiry *x = arg;
    x->core->metrics.expired_keys += (uint64_t)pg_get_int(r, 0, 1);
    x->more = x->more || pg_get_int(r, 0, 0) == BATCH_ROWS;
    return false;
}

/* The rows of a retired space, which were deleted and have not expired. */
static bool on_emptied(void *arg, struct pg_result *r)
{
    struct expiry *x = arg;
    x->more = x->more || pg_changed_rows(r) == BATCH_ROWS;
    return false;
}

static void forget_counts(struct expiry *x)
{
    while (x->count_count > 0)
        free((void *)x->counts[--x->count_count].keyspace.p);
}

static bool on_counted(void *arg, struct pg_result *r)
{
    struct expiry *x = arg;
    forget_counts(x);
    for (int i = 0; i < pg_row_count(r) && i < COUNTS_MAX; i++)
        x->counts[x->count_count++] = (struct count){
            .keyspace = slice_dup(pg_get_bytes(r, i, 0)),
            .keys = { .db_number = (uint32_t)pg_get_int(r, i, 1),
                      .keys = pg_get_int(r, i, 2),
                      .expires = pg_get_int(r, i, 3),
                      .average_ttl = pg_get_int(r, i, 4) },
        };
    return false;
}

static bool on_clock(void *arg, struct pg_result *r)
{
    struct expiry *x = arg;
    x->core->clock_offset = pg_get_int(r, 0, 0) - (x->clock_sent_ms + monotonic_ms()) / 2;
    return false;
}

static void query(struct expiry *x, enum sql_id id, pg_result_fn *fn)
{
    pg_conn_query(x->conn, id, &x->params, 0, fn, x);
    pg_params_clear(&x->params);
}

static void purge_rows(struct expiry *x, int64_t before)
{
    pg_int8(&x->params, before);
    pg_int8(&x->params, BATCH_ROWS);
    query(x, SQL_PURGE, on_purged);
    pg_int8(&x->params, before);
    pg_int8(&x->params, BATCH_ROWS);
    query(x, SQL_PURGE_LATER, NULL);
    pg_int8(&x->params, BATCH_ROWS);
    query(x, SQL_PURGE_SPACE_ROWS, on_emptied);
}

static void purge_spaces(struct expiry *x, int64_t before)
{
    pg_int8(&x->params, before);
    query(x, SQL_PURGE_SPACES, NULL);
}

static void purge_writers(struct expiry *x, uint64_t monotonic, int64_t now)
{
    int64_t ids[WRITERS_MAX];
    if (x->writers_ms && monotonic - x->writers_ms < WRITERS_EVERY_MS)
        return;
    x->writers_ms = monotonic;
    const size_t n = lanes_writers(x->core->lanes, ids, WRITERS_MAX);
    pg_int8(&x->params, now);
    pg_array(&x->params, PG_INT8, n);
    for (size_t i = 0; i < n; i++)
        pg_elem_int8(&x->params, ids[i]);
    query(x, SQL_WRITER_SEEN, NULL);
    pg_int8(&x->params, now - WRITER_KEPT_MS);
    query(x, SQL_PURGE_WRITERS, NULL);
}

static void read_clock(struct expiry *x, uint64_t now)
{
    if (now - x->clock_ms < CLOCK_EVERY_MS)
        return;
    x->clock_ms = now;
    x->clock_sent_ms = monotonic_ms();
    query(x, SQL_CLOCK, on_clock);
}

static void count_keys(struct expiry *x, uint64_t now)
{
    if (!x->counts_wanted || (x->counted_ms && now - x->counted_ms < COUNT_EVERY_MS))
        return;
    x->counted_ms = now;
    x->counts_wanted = false;
    pg_int8(&x->params, core_now_ms(x->core));
    query(x, SQL_KEY_COUNTS, on_counted);
}

static void schedule(struct expiry *x);

static void on_end(void *arg, enum pg_group_status status, const char *sqlstate,
                   const char *message)
{
    struct expiry *x = arg;
    if (status == PG_GROUP_FAILED)
        log_event(LOG_WARNING, "the purge failed; it will be tried again",
                  LF_STR("sqlstate", sqlstate), LF_STR("error", message));
    if (status != PG_GROUP_LOST)
        lanes_give_back(x->core->lanes, x->lane);
    x->conn = NULL;
    schedule(x);
}

static void on_timer(uv_timer_t *timer)
{
    struct expiry *x = timer->data;
    x->conn = lanes_borrow(x->core->lanes, &x->lane);
    if (x->conn == NULL) {
        schedule(x);
        return;
    }
    const int64_t now = core_now_ms(x->core);
    const uint64_t monotonic = uv_now(x->core->loop);
    x->more = false;
    read_clock(x, monotonic);
    count_keys(x, monotonic);
    purge_writers(x, monotonic, now);
    purge_rows(x, now - GRACE_MS);
    purge_spaces(x, now - GRACE_MS);
    pg_conn_end_group(x->conn, on_end, x);
}

static void schedule(struct expiry *x)
{
    uv_timer_start(x->timer, on_timer, x->more ? SOON_MS : TICK_MS, 0);
}

struct expiry *expiry_new(struct core *core)
{
    struct expiry *x = mem_zalloc(sizeof(*x));
    x->core = core;
    x->counts_wanted = true;
    pg_params_init(&x->params);
    x->timer = mem_alloc(sizeof(*x->timer));
    x->timer->data = x;
    uv_timer_init(core->loop, x->timer);
    return x;
}

void expiry_start(struct expiry *x)
{
    schedule(x);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void expiry_free(struct expiry *x)
{
    if (x == NULL)
        return;
    uv_close((uv_handle_t *)x->timer, free_handle);
    pg_params_release(&x->params);
    forget_counts(x);
    free(x);
}

/* Names of keyspaces other than the common one come with the ACL that names them. */
static struct slice keyspace_name(const struct expiry *x, uint32_t keyspace)
{
    (void)x;
    return keyspace == 0 ? SLICE("") : (struct slice){ NULL, SIZE_MAX };
}

bool expiry_key_count(struct expiry *x, uint32_t keyspace, size_t index, struct core_key_count *out)
{
    const struct slice name = keyspace_name(x, keyspace);
    x->counts_wanted = true;
    for (size_t i = 0; i < x->count_count; i++) {
        if (!slice_eq(x->counts[i].keyspace, name) || index-- > 0)
            continue;
        *out = x->counts[i].keys;
        return true;
    }
    return false;
}
