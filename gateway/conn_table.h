/*
 * conn_table: a worker's connections by session, and their deadlines. A session's low 24 bits are its
 * slot; the bits above never repeat, so that a session is never used again (wire/README.md).
 */
#ifndef COFRE_GATEWAY_CONN_TABLE_H
#define COFRE_GATEWAY_CONN_TABLE_H

#include "base/slice.h"

struct conn;
struct conn_table;

struct conn_table *conn_table_new(void);
void conn_table_free(struct conn_table *t); /* it must be empty */

/* conn_table_reserve gives a new session and its slot; conn_table_set puts the connection there. */
uint64_t conn_table_reserve(struct conn_table *t);
void conn_table_set(struct conn_table *t, uint64_t session, struct conn *c);
void conn_table_drop(struct conn_table *t, uint64_t session);
struct conn *conn_table_find(const struct conn_table *t, uint64_t session);

/*
 * conn_table_next returns the first connection from slot *at on and moves *at behind it; NULL: there is none.
 * Begin with 0. Connections may come and go between two calls.
 */
struct conn *conn_table_next(const struct conn_table *t, size_t *at);
size_t conn_table_count(const struct conn_table *t);

/* conn_table_set_deadline: loop time in ms, 0 for never; one per connection. */
void conn_table_set_deadline(struct conn_table *t, uint64_t session, uint64_t at_ms);

/*
 * conn_table_due returns the next connection from slot *from on whose deadline has come, and clears
 * that; NULL when there is none. A pass over 10,000 connections reads 40 KiB.
 */
struct conn *conn_table_due(struct conn_table *t, uint64_t now_ms, size_t *from);

#endif
