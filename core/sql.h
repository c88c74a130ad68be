/*
 * sql: every statement that the core sends, as rows; prepared by name on each connection that may need it.
 * Portable SQL: no now(), xmax, COLLATE or advisory locks (DESIGN §6.3).
 */
#ifndef COFRE_SQL_H
#define COFRE_SQL_H

#include <stdint.h>

enum {
    SQL_SCHEMA_VERSION = 2,
    SQL_MAX_PARAMS = 10,
};

enum sql_id {
    SQL_BEGIN,
    SQL_BEGIN_SNAPSHOT,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_EXCLUDE,
    SQL_FENCE,
    SQL_RECOVER,
    SQL_WRITER,
    SQL_OTHERS,
    SQL_LOAD,
    SQL_LOAD_LOCKED,
    SQL_LOAD_LARGE,
    SQL_UPSERT,
    SQL_INSERT,
    SQL_TOUCH,
    SQL_SCAN,
    SQL_KEYS,
    SQL_RANDOM,
    SQL_COUNT,
    SQL_FIND,
    SQL_KEY,
    SQL_RENUMBER,
    SQL_RETIRE,
    SQL_FLUSH,
    SQL_IDENTITY_ADD,
    SQL_IDENTITY_IDS,
    SQL_MAKE_KEYSPACE,
    SQL_CLOCK,
    SQL_DISCARD_PLANS,
    SQL_PURGE,
    SQL_PURGE_LATER,
    SQL_PURGE_SPACES,
    SQL_PURGE_SPACE_ROWS,
    SQL_WRITER_SEEN,
    SQL_PURGE_WRITERS,
    SQL_KEY_COUNTS,
    SQL_AUDIT,
    SQL_EXPIRE,
    SQL_PURGE_MESSAGES,
    SQL_PURGE_LISTENERS,
    SQL_TURNS_END, /* those before are for turns and background work, those from here on for the exchange's connection */
    SQL_NO_SYNC = SQL_TURNS_END,
    SQL_LISTEN,
    SQL_LISTENER_JOIN,
    SQL_LISTENER_BEAT,
    SQL_LISTENER_LEAVE,
    SQL_LISTENERS,
    SQL_NOTIFY,
    SQL_NOTIFY_LARGE,
    SQL_MESSAGE,
    SQL_ID_COUNT,
};

/* text with $n, the parameters' type OIDs (0-terminated), and what it is for in a few words */
struct sql_row {
    const char *name;
    const char *text;
    uint32_t types[SQL_MAX_PARAMS + 1];
};
extern const struct sql_row sql_rows[SQL_ID_COUNT];

/* PostgreSQL's type OIDs (src/include/catalog/pg_type.dat). */
enum {
    PG_BYTEA = 17,
    PG_INT8 = 20,
    PG_INT2 = 21,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_BYTEA_ARRAY = 1001,
    PG_INT2_ARRAY = 1005,
    PG_INT4_ARRAY = 1007,
    PG_TEXT_ARRAY = 1009,
    PG_INT8_ARRAY = 1016,
};

/* What --create-schema runs, in one transaction. */
extern const char *const sql_schema;
/* Storage settings that make it fast; a server that does not know one is told so in the log and goes without. */
extern const char *const sql_schema_tuning[];
extern const unsigned sql_schema_tuning_count;

#endif
