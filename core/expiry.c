/*
 * The purge. A command judges expiry by itself; here only room is made, a grace period later, so that a core whose clock
 * is behind still finds what it believes to be alive, and so that a deleted key's revision outlives any statement that
 * was under way.
 *
 * While somebody waits for keys to expire (keyspace events, client-side caches), rows whose time is over are turned into
 * deleted ones as soon as they are found. A row is turned once, by one core, and that core tells.
 */
#include "expiry.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "events.h"
#include "exchange.h"
#include "keyspaces.h"
#include "lanes.h"
#include "pause.h"
#include "pg_conn.h"

enum {
    TICK_MS = 1000,
    TICK_WAITED_FOR_MS = 100, /* while somebody waits for keys to expire */
    SOON_MS = 20,             /* the next batch, while there is more */
    BATCH_ROWS = 1000,
    GRACE_MS = 60 * 1000, /* longer than a statement can be under way */
    COUNT_EVERY_MS = 10 * 1000,
    CLOCK_EVERY_MS = 60 * 1000,
    WRITER_KEPT_MS = 7 * 24 * 3600 * 1000,
    WRITERS_EVERY_MS = 3600 * 1000,
    WRITERS_MAX = 64,
    MESSAGE_KEPT_MS = 60 * 1000, /* longer than a core can be behind and not be given up */
};

struct expiry {
    struct core *core;
    uv_timer_t *timer;
    struct pg_conn *conn; /* borrowed, while a group is out */
    unsigned lane;
    struct pg_params params;
    struct pg_result *expired; /* rows that were turned in the group that is out */
    bool more;                 /* a batch was full */
    bool again;                /* expiry_look was called meanwhile */
    bool started;
    int64_t waited_since_ms; /* since when somebody waits for keys to expire; 0: nobody does */
    bool counts_wanted;
    uint64_t counted_ms;
    uint64_t clock_ms;
    uint64_t writers_ms;
    int64_t clock_sent_ms;
    struct core_key_count *counts;
    size_t count_count;
};

static int64_t monotonic_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

static bool on_moved(void *arg, struct pg_result *r)
{
    struct expiry *x = arg;
    x->more = x->more || pg_changed_rows(r) == BATCH_ROWS;
    return false;
}

/* A row that was not a deleted one had expired. */
static bool on_purged(void *arg, struct pg_result *r)
{
    struct expiry *x = arg;
    for (int i = 0; i < pg_row_count(r); i++)
        if (pg_get_int(r, i, 0) != ENTRY_GONE)
            core_count_expired(x->core, pg_get_bytes(r, i, 1), pg_get_int(r, i, 2));
    x->more = x->more || pg_row_count(r) == BATCH_ROWS;
    return false;
}

enum expired_column { EXPIRED_KEYSPACE, EXPIRED_DB, EXPIRED_KEY, EXPIRED_AT };

/* What was over before anybody waited is no news, but a cache may have it all the same. */
static void tell_expired(struct expiry *x, struct pg_result *r, int row)
{
    struct notice n = { .db_number = (uint32_t)pg_get_int(r, row, EXPIRED_DB),
                        .a = EVENT_EXPIRED,
                        .subject = SLICE("expired"),
                        .body = pg_get_bytes(r, row, EXPIRED_KEY) };
    const struct slice keyspace = pg_get_bytes(r, row, EXPIRED_KEYSPACE);
    if (keyspace.p == NULL)
        return; /* of a space that was flushed */
    n.keyspace = keyspaces_index(x->core->keyspaces, keyspace);
    if (n.keyspace == KEYSPACES_FULL)
        return;
    if (pg_get_int(r, row, EXPIRED_AT) >= x->waited_since_ms) {
        n.kind = NOTICE_EVENT;
        events_tell(x->core->events, &n);
    }
    n.kind = NOTICE_WROTE;
    events_tell(x->core->events, &n);
}

static bool on_expired(void *arg, struct pg_result *r)
{
    struct expiry *x = arg;
    x->expired = r;
    for (int i = 0; i < pg_row_count(r); i++)
        core_count_expired(x->core, pg_get_bytes(r, i, EXPIRED_KEY), pg_get_int(r, i, EXPIRED_AT));
    x->more = x->more || pg_row_count(r) == BATCH_ROWS;
    return true;
}

static bool on_counted(void *arg, struct pg_result *r)
{
    struct expiry *x = arg;
    const int rows = pg_row_count(r);
    x->count_count = (size_t)rows;
    x->counts = mem_realloc(x->counts, ((size_t)rows + 1) * sizeof(*x->counts));
    for (int i = 0; i < rows; i++)
        x->counts[i] = (struct core_key_count){
            .keyspace = keyspaces_index(x->core->keyspaces, pg_get_bytes(r, i, 0)),
            .db_number = (uint32_t)pg_get_int(r, i, 1),
            .keys = pg_get_int(r, i, 2),
            .expires = pg_get_int(r, i, 3),
            .average_ttl = pg_get_int(r, i, 4),
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

/*
 * Rows are found by their purge time. While somebody waits, everything up to now is taken on, so that there is never much
 * between the start and now; else all waits for the grace period.
 */
static void purge_rows(struct expiry *x, int64_t now, int64_t before)
{
    const int64_t look = x->waited_since_ms ? now : before;
    pg_int8(&x->params, look);
    pg_int8(&x->params, BATCH_ROWS);
    query(x, SQL_PURGE_LATER, on_moved);
    pg_int8(&x->params, look);
    pg_int8(&x->params, BATCH_ROWS);
    pg_int8(&x->params, before);
    query(x, SQL_PURGE, on_purged);
    if (x->waited_since_ms) {
        pg_int8(&x->params, now);
        pg_int8(&x->params, BATCH_ROWS);
        pg_int8(&x->params, GRACE_MS);
        query(x, SQL_EXPIRE, on_expired);
    }
    pg_int8(&x->params, BATCH_ROWS);
    query(x, SQL_PURGE_SPACE_ROWS, on_moved);
}

static void purge_exchange(struct expiry *x, int64_t now)
{
    pg_int8(&x->params, now - MESSAGE_KEPT_MS);
    query(x, SQL_PURGE_MESSAGES, NULL);
    pg_int8(&x->params, now - MESSAGE_KEPT_MS);
    query(x, SQL_PURGE_LISTENERS, NULL);
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
    const struct keyspaces *keyspaces = x->core->keyspaces;
    pg_int8(&x->params, core_now_ms(x->core));
    pg_array(&x->params, PG_TEXT, keyspaces_count(keyspaces));
    for (uint32_t i = 0; i < keyspaces_count(keyspaces); i++)
        pg_elem_bytes(&x->params, keyspaces_name(keyspaces, i));
    query(x, SQL_KEY_COUNTS, on_counted);
}

static void schedule(struct expiry *x);

/* Only now is it known that the rows were turned. Where that cannot be known, everything may have been. */
static void tell_all(struct expiry *x, enum pg_group_status status)
{
    if (status == PG_GROUP_LOST && x->waited_since_ms)
        exchange_lost(x->core->exchange);
    if (x->expired == NULL)
        return;
    if (status == PG_GROUP_OK)
        for (int row = 0; row < pg_row_count(x->expired); row++)
            tell_expired(x, x->expired, row);
    pg_result_free(x->expired);
    x->expired = NULL;
}

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
    tell_all(x, status);
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
    x->again = false;
    x->waited_since_ms = events_expired_since(x->core->events);
    read_clock(x, monotonic);
    count_keys(x, monotonic);
    purge_writers(x, monotonic, now);
    if (!pauses_keep_keys(x->core->pauses))
        purge_rows(x, now, now - GRACE_MS);
    purge_spaces(x, now - GRACE_MS);
    purge_exchange(x, now);
    pg_conn_end_group(x->conn, on_end, x);
}

static void schedule(struct expiry *x)
{
    const bool waited_for = events_expired_since(x->core->events) > 0;
    const uint64_t tick = x->again || x->more ? SOON_MS : waited_for ? TICK_WAITED_FOR_MS : TICK_MS;
    uv_timer_start(x->timer, on_timer, tick, 0);
    x->started = true;
}

void expiry_look(struct expiry *x)
{
    if (!x->started || events_expired_since(x->core->events) == 0)
        return;
    if (x->conn == NULL)
        uv_timer_start(x->timer, on_timer, 0, 0);
    else
        x->again = true;
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
    pg_result_free(x->expired);
    pg_params_release(&x->params);
    free(x->counts);
    free(x);
}

bool expiry_key_count(struct expiry *x, size_t index, struct core_key_count *out)
{
    x->counts_wanted = true;
    if (index >= x->count_count)
        return false;
    *out = x->counts[index];
    return true;
}
