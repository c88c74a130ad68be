/*
 * pg_conn: one connection to PostgreSQL: nonblocking libpq in pipeline mode on a uv_poll handle.
 * It connects (own timeout, names resolved off the loop), checks the server, prepares every statement of
 * sql.h, and then carries groups of statements. It knows nothing of entries, turns or sessions.
 */
#ifndef COFRE_PG_CONN_H
#define COFRE_PG_CONN_H

#include <libpq-fe.h>
#include <uv.h>

#include "pg_params.h"

struct pg_conn;

/* Where to connect: one host of the pool's list, as keyword/value pairs for PQconnectStartParams. */
struct pg_target {
    const char *const *keywords;
    const char *const *values;
    const char *host; /* name to resolve, or NULL for a Unix socket or a hostaddr */
    const char *port;
    uint64_t timeout_ms; /* to connect and prepare */
};

enum pg_loss {
    PG_LOSS_NETWORK,   /* could not connect, or the connection broke */
    PG_LOSS_READ_ONLY, /* the server takes no writes (25006) */
    PG_LOSS_SCHEMA,    /* no cofre schema, or another version of it */
    PG_LOSS_SETTINGS,  /* a server setting that would lose writes, or an encoding other than UTF8 */
};

struct pg_conn_events {
    void (*ready)(struct pg_conn *c, void *owner);
    /* lost: after every outstanding group was called with PG_GROUP_LOST. The conn is closed, and may be opened again. */
    void (*lost)(struct pg_conn *c, enum pg_loss loss, const char *why, void *owner);
    /* notified: a NOTIFY has come. NULL: the connection is one for turns, and cannot listen (sql.h). */
    void (*notified)(struct pg_conn *c, struct slice payload, void *owner);
};

struct pg_conn *pg_conn_new(uv_loop_t *loop, const struct pg_conn_events *events, void *owner);
void pg_conn_open(struct pg_conn *c,
                  const struct pg_target *target); /* target must outlive the attempt */
/* pg_conn_drop closes now and calls lost; pg_conn_free closes without calls and frees. */
void pg_conn_drop(struct pg_conn *c, enum pg_loss loss, const char *why);
void pg_conn_free(struct pg_conn *c);

bool pg_conn_is_ready(const struct pg_conn *c);
const char *pg_conn_server_version(const struct pg_conn *c);
/* pg_conn_clock_offset: database's unix ms minus uv_now-style monotonic ms (uv_hrtime / 10^6), measured while connecting. */
int64_t pg_conn_clock_offset(const struct pg_conn *c);
/* pg_conn_setup_ns: how long it took from pg_conn_open until it was ready. */
uint64_t pg_conn_setup_ns(const struct pg_conn *c);

/*
 * Results, for whoever is not to call libpq itself (struct pg_result is libpq's PGresult): rows returned, rows that a
 * statement changed, and binary columns. pg_get_bytes points into the result; a NULL gives p == NULL. */
int pg_row_count(const struct pg_result *r);
int64_t pg_changed_rows(struct pg_result *r);
void pg_result_free(struct pg_result *r); /* one that was kept; NULL is fine */
struct slice pg_get_bytes(const PGresult *r, int row, int column);
int64_t pg_get_int(const PGresult *r, int row, int column); /* int2, int4, int8; 0 for NULL */

enum pg_group_status {
    PG_GROUP_OK,
    PG_GROUP_FAILED, /* a statement failed, the others of the group did nothing; sqlstate is set */
    PG_GROUP_LOST,   /* the connection broke: nobody knows */
};

/*
 * A statement's result goes to its function as it arrives (with PG_ROW_BY_ROW: in several results); it returns true to
 * keep the PGresult (then it must PQclear it), false to let it be cleared. Failures are told to the group's function
 * alone, which always is called exactly once.
 */
typedef bool pg_result_fn(void *arg, PGresult *result);
typedef void pg_group_fn(void *arg, enum pg_group_status status, const char *sqlstate,
                         const char *message);

enum pg_query_flag { PG_ROW_BY_ROW = 1 };
void pg_conn_query(struct pg_conn *c, enum sql_id id, const struct pg_params *params, int flags,
                   pg_result_fn *fn, void *arg);
/* pg_conn_end_group sends what was queued with a Sync behind it. Outside BEGIN … COMMIT the group is one transaction. */
void pg_conn_end_group(struct pg_conn *c, pg_group_fn *fn, void *arg);

#endif
