/*
 * The inside of a store, for store*.c alone: store.c loads and saves entries, store_walk.c answers walks, store_writer.c
 * keeps the rows that say who writes.
 */
#ifndef COFRE_STORE_PRIVATE_H
#define COFRE_STORE_PRIVATE_H

#include "store.h"

/* Databases that one turn remembers the space of; others are looked up again. */
enum { STORE_SPACES_MAX = 16 };

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
    struct space spaces[STORE_SPACES_MAX];
    size_t space_count;
    size_t loaded;
    bool withheld;
    struct store_figures figures;
    PGresult **results;
    size_t result_count, result_cap;
    struct entry **scratch;
    size_t scratch_cap;
};

/* store_keep_result: entries or rows point into it; it is cleared by store_reset. */
void store_keep_result(struct store *s, PGresult *r);

/* Parameters that recur: a keyspace's name, with the database's number, and before them the space if it is known. */
void store_put_keyspace(struct store *s, uint32_t keyspace);
void store_put_database(struct store *s, uint32_t db);
void store_put_space(struct store *s, uint32_t db);

/* store_queue queues a statement with the parameters put so far, on the turn's connection. */
void store_queue(struct store *s, enum sql_id id, pg_result_fn *fn, void *arg);

#endif
