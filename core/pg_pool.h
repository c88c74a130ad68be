/*
 * pg_pool: a fixed number of connections, each kept alive: hosts of the conninfo tried in turn, backoff with jitter
 * between rounds. Slots have roles that others give them (turn.h); the pool only says which are up.
 */
#ifndef COFRE_PG_POOL_H
#define COFRE_PG_POOL_H

#include "pg_conn.h"

struct pg_pool;

struct pg_pool_events {
    void (*ready)(void *owner, unsigned slot);
    /* lost: a connection that was ready broke, or an attempt failed (first_failure: the first since the last ready). */
    void (*lost)(void *owner, unsigned slot, enum pg_loss loss, const char *why,
                 bool first_failure);
    /* notified: a NOTIFY has come; NULL: the connections are for turns (sql.h). */
    void (*notified)(void *owner, unsigned slot, struct slice payload);
};

/*
 * pg_pool_new parses a libpq connection string or URI (several hosts are allowed). ERR_INVALID with a text in
 * why[] when it is malformed. Nothing is connected before pg_pool_start.
 */
MUST_CHECK enum err pg_pool_new(uv_loop_t *loop, const char *conninfo, unsigned size,
                                const struct pg_pool_events *events, void *owner, char *why,
                                size_t why_size, struct pg_pool **out);
void pg_pool_start(struct pg_pool *pool);
void pg_pool_stop(struct pg_pool *pool); /* closes everything and reconnects no more */
void pg_pool_free(struct pg_pool *pool);

struct pg_conn *pg_pool_conn(struct pg_pool *pool, unsigned slot); /* NULL while it is not ready */

#endif
