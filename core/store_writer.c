/*
 * The rows that say who writes: this core's lanes, the other cores', the identities behind modified_by, and the
 * keyspaces' databases.
 */
#include "store_private.h"

#include "identity.h"

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
    store_queue(s, SQL_EXCLUDE, NULL, NULL);
}

void store_fence(struct store *s, const struct store_writer *writer, int64_t turn)
{
    pg_int8(&s->params, writer->id);
    pg_int8(&s->params, writer->epoch);
    pg_int8(&s->params, turn);
    pg_int8(&s->params, s->now_ms);
    store_queue(s, SQL_FENCE, NULL, NULL);
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
    store_queue(s, SQL_OTHERS, on_others, out);
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
    store_put_keyspace(s, keyspace);
    pg_int4(&s->params, (int32_t)databases - 1);
    pg_conn_query(conn, SQL_MAKE_KEYSPACE, &s->params, 0, NULL, NULL);
    pg_params_clear(&s->params);
}
