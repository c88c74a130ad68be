/*
 * The audit log as the table cofre.audit: written in batches on a read lane that is idle. Records have a number, so that a batch
 * whose outcome nobody knows is written again and is there once. What waits in memory is lost when the core crashes: a fraction
 * of a second's worth, or what had to wait for the database.
 */
#include "audit_sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"
#include "pg_conn.h"

enum {
    WAITING_MAX = 65536, /* records */
    WAITING_MAX_BYTES = 32 * 1024 * 1024,
    BATCH = 500,
    EVERY_MS = 100,
    RETRY_MS = 1000,
};

struct record {
    struct record *next;
    int64_t number;
    int64_t at_ms;
    const char *event; /* static */
    size_t length;
    uint8_t line[]; /* without its end */
};

struct audit_table {
    struct audit_sink sink;
    int64_t core_number; /* of this process, by chance */
    int64_t next_number;
    struct record *first;
    struct record *last;
    size_t bytes;
    size_t sent; /* from the first: in the batch that is out */
    unsigned lane;
    uint64_t next_ms; /* no batch before */
    struct pg_params params;
};

static struct audit_table *table_of(struct audit_sink *sink)
{
    return container_of(sink, struct audit_table, sink);
}

static bool add(struct audit_sink *sink, const char *event, int64_t at_ms, struct slice line)
{
    struct audit_table *t = table_of(sink);
    if (sink->waiting >= WAITING_MAX || t->bytes + line.len > WAITING_MAX_BYTES) {
        audit_sink_fail(sink, "too many records wait for the database");
        return false;
    }
    struct record *r = mem_alloc(sizeof(*r) + line.len);
    *r = (struct record){
        .number = t->next_number++, .at_ms = at_ms, .event = event, .length = line.len - 1
    };
    memcpy(r->line, line.p, r->length);
    if (t->last)
        t->last->next = r;
    else
        t->first = r;
    t->last = r;
    t->bytes += line.len;
    sink->waiting++;
    return true;
}

static void drop_first(struct audit_table *t)
{
    struct record *r = t->first;
    t->first = r->next;
    if (t->first == NULL)
        t->last = NULL;
    t->bytes -= r->length + 1;
    t->sink.waiting--;
    free(r);
}

static void on_end(void *arg, enum pg_group_status status, const char *sqlstate,
                   const char *message)
{
    struct audit_table *t = arg;
    const uint64_t now = uv_now(t->sink.core->loop);
    (void)sqlstate;
    t->next_ms = now + (status == PG_GROUP_OK ? EVERY_MS : RETRY_MS);
    if (status == PG_GROUP_OK) {
        t->sink.written += t->sent;
        for (; t->sent > 0; t->sent--)
            drop_first(t);
        audit_sink_works(&t->sink);
    } else if (status == PG_GROUP_FAILED) {
        audit_sink_fail(&t->sink, message);
    }
    t->sent = 0;
    if (status != PG_GROUP_LOST)
        lanes_give_back(t->sink.core->lanes, t->lane);
}

static void put_batch(struct audit_table *t)
{
    const struct record *r = t->first;
    pg_int8(&t->params, t->core_number);
    pg_array(&t->params, PG_INT8, t->sent);
    for (size_t i = 0; i < t->sent; i++, r = r->next)
        pg_elem_int8(&t->params, r->number);
    pg_array(&t->params, PG_INT8, t->sent);
    r = t->first;
    for (size_t i = 0; i < t->sent; i++, r = r->next)
        pg_elem_int8(&t->params, r->at_ms);
    pg_array(&t->params, PG_TEXT, t->sent);
    r = t->first;
    for (size_t i = 0; i < t->sent; i++, r = r->next)
        pg_elem_bytes(&t->params, slice_of(r->event));
    pg_array(&t->params, PG_TEXT, t->sent);
    r = t->first;
    for (size_t i = 0; i < t->sent; i++, r = r->next)
        pg_elem_bytes(&t->params, (struct slice){ r->line, r->length });
}

static void flush(struct audit_sink *sink)
{
    struct audit_table *t = table_of(sink);
    const bool hurry = sink->waiting >= BATCH && sink->error[0] == '\0';
    if (t->sent > 0 || t->first == NULL || (uv_now(sink->core->loop) < t->next_ms && !hurry))
        return;
    struct pg_conn *conn = lanes_borrow(sink->core->lanes, &t->lane);
    if (conn == NULL)
        return;
    t->sent = sink->waiting < BATCH ? sink->waiting : BATCH;
    put_batch(t);
    pg_conn_query(conn, SQL_AUDIT, &t->params, 0, NULL, NULL);
    pg_params_clear(&t->params);
    pg_conn_end_group(conn, on_end, t);
}

static void reopen(struct audit_sink *sink)
{
    (void)sink;
}

static void free_table(struct audit_sink *sink)
{
    struct audit_table *t = table_of(sink);
    while (t->first)
        drop_first(t);
    pg_params_release(&t->params);
    free(t);
}

static const struct audit_sink_type type = {
    .add = add,
    .flush = flush,
    .reopen = reopen,
    .free = free_table,
};

struct audit_sink *audit_table_new(struct core *core)
{
    struct audit_table *t = mem_zalloc(sizeof(*t));
    t->sink = (struct audit_sink){ .type = &type, .core = core };
    t->core_number = (int64_t)(slice_random_seed() & INT64_MAX);
    pg_params_init(&t->params);
    return &t->sink;
}
