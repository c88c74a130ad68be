/*
 * store: between working set and PostgreSQL. It turns wanted entries into load statements, dirty entries into save
 * statements, walks into queries, and results back into entries. Each call only queues statements on a connection;
 * the caller (turn.c) decides what goes in one group and what a group's failure means.
 */
#ifndef COFRE_STORE_H
#define COFRE_STORE_H

#include "cache.h"
#include "pg_conn.h"
#include "walk.h"
#include "working_set.h"

struct store;
struct identity;
struct keyspaces;
struct identity_table;

struct store *store_new(const struct keyspaces *keyspaces); /* outlives it */
void store_free(struct store *s);

/* store_use binds the store to the connection and the working set of the turn that starts; store_reset forgets both
 * and gives back the results that entries point into. */
void store_use(struct store *s, struct pg_conn *conn, struct working_set *ws, int64_t now_ms);
void store_reset(struct store *s);

/* --- the writer's row (DESIGN §6.2, knowing what committed) ------------------------------- */

struct store_writer {
    int64_t id; /* 0: none yet */
    int64_t epoch;
    int64_t turn; /* the last one known to be committed */
};
/* store_claim inserts a row, store_recover raises the epoch; the answer is in *out when the group has ended. */
void store_claim(struct store *s, struct pg_conn *conn, int64_t now_ms, struct store_writer *out);
void store_recover(struct store *s, struct pg_conn *conn, struct store_writer *out);
/* store_exclude waits for the write turns of all cores to end, and lets none begin before this transaction has ended. */
void store_exclude(struct store *s);
void store_fence(struct store *s, const struct store_writer *writer, int64_t turn);

/* store_others queues the question what the writers' rows that are not `own` say (cache.h). */
void store_others(struct store *s, const int64_t *own, size_t count, struct cache_others *out);

void store_begin(struct store *s, bool snapshot);
void store_commit(struct store *s);

/* --- load --------------------------------------------------------------------------------- */

/*
 * store_load queues the loading of every entry that is wanted and not loaded, under row locks if `lock`. Values longer
 * than an equal share of `budget` bytes are withheld. Returns the number of statements queued.
 */
unsigned store_load(struct store *s, bool lock, size_t budget);
/* store_load_withheld queues the loading of one withheld value, whatever its length. */
void store_load_withheld(struct store *s, struct entry *e);
/* store_loaded: bytes of values loaded since store_use; store_withheld: whether any value was withheld. */
size_t store_loaded(const struct store *s);
bool store_withheld(const struct store *s);

/* store_take_figures returns the work that was done since it was last asked, also in runs that came to nothing. */
struct store_figures {
    uint64_t loads; /* statements */
    uint64_t rows_loaded, rows_saved;
};
struct store_figures store_take_figures(struct store *s);

/* --- walk and save ------------------------------------------------------------------------ */

void store_walk(struct store *s, struct walk *walk);
/* store_save queues the saving of every dirty entry. Returns the number of statements queued. */
unsigned store_save(struct store *s);
/* store_saved: the group with the saves went through, in a transaction that goes on (a walk comes). */
void store_saved(struct store *s);

/* --- identities --------------------------------------------------------------------------- */

/* store_name queues giving numbers to identities, and sets identity->id when they come. */
void store_name(struct store *s, struct pg_conn *conn, struct identity_table *table,
                struct identity *const *list, size_t count);

/* store_make_keyspace queues making the rows that a private keyspace's databases need. */
void store_make_keyspace(struct store *s, struct pg_conn *conn, uint32_t keyspace,
                         int64_t databases);

/* store_hash is the hash that SCAN walks by: in 1 … INT64_MAX, the same on every core. */
int64_t store_hash(struct slice key);

#endif
