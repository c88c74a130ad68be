/*
 * The statements. A space is one generation of one database of a keyspace; it is looked up inside each
 * statement, so that every core sees a FLUSHDB at once. Expiry is judged by a time that the core passes in.
 */
#include "sql.h"

#define SPACE_OF(keyspace, db) \
    "(SELECT id FROM cofre.space WHERE keyspace = " keyspace " AND db = " db ")"
#define ALIVE(now)          "(expires_at IS NULL OR expires_at > " now ")"
/* The keys that begin with a prefix are a range of the primary key. */
#define IN_RANGE(low, high) "key >= " low " AND key < " high
/* Whether a range holds more than so many keys; evaluated once, before the rest. Negative: do not look. */
#define LARGE_RANGE(most, keyspace, db, low, high)                                               \
    "(" most " < 0 OR (SELECT count(*) FROM (SELECT 1 FROM cofre.entry WHERE space = " SPACE_OF( \
        keyspace, db) " AND " IN_RANGE(low, high) " LIMIT " most " + 1) AS r) > " most ")"

/* One row for each element of the arrays; in the select list, where PostgreSQL needs no tuplestore for each of them. */
#define ENTRY_ROWS                                                                            \
    "(SELECT unnest($4) AS key, unnest($5) AS hash, unnest($6) AS type, unnest($7) AS value," \
    " unnest($8) AS expires_at, unnest($9) AS modified_by) AS u"

/* What UPSERT and INSERT have in common; their parameters are explained at UPSERT. */
#define INSERT_ENTRIES                                                                                                       \
    "INSERT INTO cofre.entry AS e (space, key, hash, type, value, revision, expires_at, purge_at, modified_at, modified_by)" \
    " SELECT coalesce($1, " SPACE_OF(                                                                                        \
        "$2",                                                                                                                \
        "$3") "), key, hash, type, value, (SELECT nextval('cofre.revision')),"                                               \
              " expires_at, CASE WHEN type = 0 THEN $10 + 60000 ELSE expires_at END, $10, modified_by FROM " ENTRY_ROWS
#define OR_UPDATE                                                                                       \
    " ON CONFLICT (space, key) DO UPDATE SET type = excluded.type, value = excluded.value,"             \
    " revision = greatest(e.revision + 1, excluded.revision), expires_at = excluded.expires_at,"        \
    " purge_at = CASE WHEN excluded.type = 0 THEN excluded.purge_at WHEN excluded.purge_at IS NOT NULL" \
    " THEN least(e.purge_at, excluded.purge_at) END,"                                                   \
    " modified_at = excluded.modified_at, modified_by = excluded.modified_by"
#define INSERT_TYPES                                                                         \
    PG_INT4, PG_TEXT, PG_INT4, PG_BYTEA_ARRAY, PG_INT8_ARRAY, PG_INT2_ARRAY, PG_BYTEA_ARRAY, \
        PG_INT8_ARRAY, PG_INT4_ARRAY, PG_INT8

const struct sql_row sql_rows[SQL_ID_COUNT] = {
    [SQL_BEGIN] = { "begin", "BEGIN", { 0 } },
    [SQL_BEGIN_SNAPSHOT] = { "begin_snapshot",
                             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                             { 0 } },
    [SQL_COMMIT] = { "commit", "COMMIT", { 0 } },
    [SQL_ROLLBACK] = { "rollback", "ROLLBACK", { 0 } },

    /*
     * All writers' rows, in one order: each write turn begins with its own (FENCE), so this waits until none is under way, on
     * any core, and lets none begin. A core that claims its row at this very moment is missed.
     */
    [SQL_EXCLUDE] = { "exclude",
                      "SELECT count(*) FROM (SELECT id FROM cofre.writer ORDER BY id FOR UPDATE) AS w",
                      { 0 } },
    /*
     * One row changed or division by zero: a transaction whose fence failed cannot commit anything. A statement of its own: what
     * follows has a snapshot from after the wait for the row (EXCLUDE).
     */
    [SQL_FENCE] = { "fence",
                    "WITH f AS (UPDATE cofre.writer SET turn = $3, seen_at = $4"
                    " WHERE id = $1 AND epoch = $2 AND turn = $3 - 1 RETURNING 1) SELECT 1 / count(*) FROM f",
                    { PG_INT8, PG_INT8, PG_INT8, PG_INT8 } },
    [SQL_RECOVER] = { "recover",
                      "UPDATE cofre.writer SET epoch = epoch + 1 WHERE id = $1 RETURNING epoch, turn",
                      { PG_INT8 } },
    [SQL_WRITER] = { "writer",
                     "INSERT INTO cofre.writer (epoch, turn, seen_at) VALUES (1, 0, $1) RETURNING id, epoch, turn",
                     { PG_INT8 } },

    /* Added up in store.c: each write of another core makes a sum greater, and none smaller (cache.h). */
    [SQL_OTHERS] = { "others",
                     "SELECT id, turn FROM cofre.writer WHERE id <> ALL($1)",
                     { PG_INT8_ARRAY } },

    [SQL_LOAD] = { "load",
                   "SELECT key, revision, expires_at, octet_length(value),"
                   " CASE WHEN octet_length(value) <= $4 THEN value END"
                   " FROM cofre.entry WHERE space = " SPACE_OF("$1", "$2") " AND key = ANY($3)",
                   { PG_TEXT, PG_INT4, PG_BYTEA_ARRAY, PG_INT4 } },
    /* Store writes to the space that Load saw, if it saw any row there. */
    [SQL_LOAD_LOCKED] = { "load_locked",
                          "SELECT key, revision, expires_at, octet_length(value),"
                          " CASE WHEN octet_length(value) <= $4 THEN value END, space"
                          " FROM cofre.entry WHERE space = " SPACE_OF(
                              "$1", "$2") " AND key = ANY($3)"
                                          " ORDER BY space, key FOR UPDATE",
                          { PG_TEXT, PG_INT4, PG_BYTEA_ARRAY, PG_INT4 } },
    /* A long value in pieces, so that no buffer on the way has to hold it whole. */
    [SQL_LOAD_LARGE] = { "load_large",
                         "SELECT revision, expires_at, octet_length(value), piece,"
                         " substring(value FROM piece * $4 + 1 FOR $4)"
                         " FROM cofre.entry, generate_series(0, (octet_length(value) - 1) / $4) AS piece"
                         " WHERE space = " SPACE_OF("$1", "$2") " AND key = $3",
                         { PG_TEXT, PG_INT4, PG_BYTEA, PG_INT4 } },

    /*
     * $1 space (null: look it up by $2, $3) · $4 keys, sorted · $5 hashes · $6 types · $7 values · $8 expiries ·
     * $9 identities · $10 time. A purge time says when the purge looks at the row. It only ever moves closer here, so
     * that a TTL that is refreshed leaves the indexed column alone (HOT); a deleted row is looked at when its grace period
     * is over.
     */
    [SQL_UPSERT] = { "upsert", INSERT_ENTRIES OR_UPDATE, { INSERT_TYPES } },
    /* For entries that were absent at Load: another core's insert makes this fail (23505) and the turn start again. */
    [SQL_INSERT] = { "insert", INSERT_ENTRIES, { INSERT_TYPES } },
    /* Expiry alone, the value stays: $1 to $3 as above · $4 keys · $5 expiries · $6 identities · $7 time */
    [SQL_TOUCH] = { "touch",
                    "UPDATE cofre.entry AS e SET revision = greatest(e.revision + 1, (SELECT nextval('cofre.revision'))),"
                    " expires_at = u.expires_at,"
                    " purge_at = CASE WHEN u.expires_at IS NOT NULL THEN least(e.purge_at, u.expires_at) END,"
                    " modified_at = $7, modified_by = u.modified_by"
                    " FROM (SELECT unnest($4) AS key, unnest($5) AS expires_at, unnest($6) AS modified_by) AS u"
                    " WHERE e.space = coalesce($1, " SPACE_OF("$2", "$3") ") AND e.key = u.key",
                    { PG_INT4, PG_TEXT, PG_INT4, PG_BYTEA_ARRAY, PG_INT8_ARRAY, PG_INT4_ARRAY,
                      PG_INT8 } },

    /*
     * $3 after this hash · $4 how many to look at; equal hashes come together · $5, $6 key range · $7 now ·
     * $8 nothing is to be done for a range of no more keys. The first row always comes: where the page ends and how
     * many rows it looked at.
     */
    [SQL_SCAN] = { "scan",
                   "WITH page AS (SELECT max(hash) AS last, count(*) AS seen FROM (SELECT hash FROM cofre.entry"
                   " WHERE space = " SPACE_OF(
                       "$1",
                       "$2") " AND hash > $3"
                             " AND " LARGE_RANGE(
                                 "$8", "$1", "$2", "$5",
                                 "$6") " ORDER BY hash LIMIT $4) AS p)"
                                       " SELECT page.last, page.seen, e.key FROM page LEFT JOIN cofre.entry AS e"
                                       " ON e.space = " SPACE_OF(
                                           "$1", "$2") " AND e.hash > $3 AND e.hash <= page.last"
                                                       " AND " IN_RANGE("$5", "$6") " AND " ALIVE(
                                                           "$7") " ORDER BY e.hash",
                   { PG_TEXT, PG_INT4, PG_INT8, PG_INT8, PG_BYTEA, PG_BYTEA, PG_INT8, PG_INT8 } },
    [SQL_KEYS] = { "keys",
                   "SELECT key FROM cofre.entry WHERE space = " SPACE_OF(
                       "$1",
                       "$2") " AND " IN_RANGE("$3",
                                              "$4") " AND " ALIVE("$5") " ORDER BY key LIMIT $6",
                   { PG_TEXT, PG_INT4, PG_BYTEA, PG_BYTEA, PG_INT8, PG_INT8 } },
    [SQL_RANDOM] = { "random",
                     "SELECT key FROM ((SELECT key FROM cofre.entry WHERE space = " SPACE_OF("$1", "$2") " AND hash >= $3 AND " ALIVE(
                         "$4") " ORDER BY hash LIMIT 1) UNION ALL"
                               " (SELECT key FROM cofre.entry WHERE space = " SPACE_OF(
                                   "$1",
                                   "$2") " AND hash < $3 AND " ALIVE("$4") " ORDER BY hash LIMIT 1)) AS probe LIMIT 1",
                     { PG_TEXT, PG_INT4, PG_INT8, PG_INT8 } },
    [SQL_COUNT] = { "count",
                    "SELECT count(*) FROM cofre.entry WHERE space = " SPACE_OF(
                        "$1", "$2") " AND " ALIVE("$3"),
                    { PG_TEXT, PG_INT4, PG_INT8 } },
    /* The CASE keeps the decoding away from values that are not text, in whatever order conditions run. */
    [SQL_FIND] = { "find",
                   "SELECT key, hash, value FROM cofre.entry WHERE space = " SPACE_OF(
                       "$1",
                       "$2") " AND hash > $3 AND " IN_RANGE("$5",
                                                            "$6") " AND " ALIVE("$7") " AND CASE WHEN type = 1 THEN convert_from(value, 'UTF8') ILIKE $8 ELSE false END"
                                                                                      " ORDER BY hash LIMIT $4",
                   { PG_TEXT, PG_INT4, PG_INT8, PG_INT8, PG_BYTEA, PG_BYTEA, PG_INT8, PG_TEXT } },

    [SQL_KEY] = { "key",
                  "SELECT e.revision, e.modified_at, i.name, e.expires_at, octet_length(e.value), e.type"
                  " FROM cofre.entry AS e LEFT JOIN cofre.identity AS i ON i.id = e.modified_by"
                  " WHERE e.space = " SPACE_OF("$1", "$2") " AND e.key = $3 AND " ALIVE("$4"),
                  { PG_TEXT, PG_INT4, PG_BYTEA, PG_INT8 } },

    /* $2 old number · $3 new number; thrice, over a number that no database has, two databases change places. */
    [SQL_RENUMBER] = { "renumber",
                       "UPDATE cofre.space SET db = $3 WHERE keyspace = $1 AND db = $2",
                       { PG_TEXT, PG_INT4, PG_INT4 } },

    /*
     * The row of a database points at a new space, and the old one is left to the purge. $2 db, or -1: all of the
     * keyspace. The lock: what is retired here is what FLUSH takes away, whoever else flushes or swaps at once.
     */
    [SQL_RETIRE] = { "retire",
                     "INSERT INTO cofre.retired_space (id, retired_at) SELECT id, $3 FROM cofre.space"
                     " WHERE keyspace = $1 AND ($2 < 0 OR db = $2) FOR UPDATE",
                     { PG_TEXT, PG_INT4, PG_INT8 } },
    [SQL_FLUSH] = { "flush",
                    "UPDATE cofre.space SET id = nextval('cofre.space_id')"
                    " WHERE keyspace = $1 AND ($2 < 0 OR db = $2)",
                    { PG_TEXT, PG_INT4 } },

    [SQL_IDENTITY_ADD] = { "identity_add",
                           "INSERT INTO cofre.identity (name) SELECT unnest($1) ON CONFLICT (name) DO NOTHING",
                           { PG_TEXT_ARRAY } },
    [SQL_IDENTITY_IDS] = { "identity_ids",
                           "SELECT name, id FROM cofre.identity WHERE name = ANY($1)",
                           { PG_TEXT_ARRAY } },

    /* $2 the greatest number of a database. Databases that are there stay, of whichever core they are. */
    [SQL_MAKE_KEYSPACE] = { "make_keyspace",
                            "INSERT INTO cofre.space (keyspace, db) SELECT $1, generate_series(0, $2)"
                            " ON CONFLICT (keyspace, db) DO NOTHING",
                            { PG_TEXT, PG_INT4 } },

    [SQL_CLOCK] = { "clock",
                    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
                    { 0 } },

    [SQL_DISCARD_PLANS] = { "discard_plans", "DISCARD PLANS", { 0 } },

    /* $1 purge times up to here are looked at · $2 how many at once · $3 what expired before is not kept any longer */
    [SQL_PURGE] = { "purge",
                    "DELETE FROM cofre.entry WHERE (space, key) IN (SELECT space, key FROM cofre.entry"
                    " WHERE purge_at <= $1 AND (type = 0 OR expires_at <= $3) ORDER BY purge_at LIMIT $2"
                    " FOR UPDATE SKIP LOCKED) RETURNING type, key, expires_at",
                    { PG_INT8, PG_INT8, PG_INT8 } },
    /*
     * $1 now · $2 how many at once · $3 how long a deleted row is kept. What has expired becomes a deleted row, not before
     * the database itself says that its time is over.
     */
    [SQL_EXPIRE] = { "expire",
                     "UPDATE cofre.entry AS e SET type = 0, value = '', expires_at = 1, purge_at = $1 + $3, modified_at = $1"
                     " FROM (SELECT space, key, expires_at FROM cofre.entry WHERE purge_at <= $1 AND type <> 0 AND expires_at <="
                     " (SELECT least($1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint))"
                     " ORDER BY purge_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS d"
                     " WHERE e.space = d.space AND e.key = d.key"
                     " RETURNING (SELECT s.keyspace FROM cofre.space AS s WHERE s.id = e.space),"
                     " (SELECT s.db FROM cofre.space AS s WHERE s.id = e.space), e.key, d.expires_at",
                     { PG_INT8, PG_INT8, PG_INT8 } },
    /* Looked at, but its TTL was refreshed meanwhile: look again when that is over. */
    [SQL_PURGE_LATER] = { "purge_later",
                          "UPDATE cofre.entry SET purge_at = expires_at WHERE (space, key) IN (SELECT space, key"
                          " FROM cofre.entry WHERE purge_at <= $1 AND expires_at > $1 ORDER BY purge_at LIMIT $2"
                          " FOR UPDATE SKIP LOCKED)",
                          { PG_INT8, PG_INT8 } },
    [SQL_PURGE_SPACE_ROWS] = { "purge_space_rows",
                               "DELETE FROM cofre.entry WHERE (space, key) IN (SELECT space, key FROM cofre.entry"
                               " WHERE space = (SELECT min(id) FROM cofre.retired_space) LIMIT $1"
                               " FOR UPDATE SKIP LOCKED)",
                               { PG_INT8 } },
    /* A turn that loaded before the flush may still write into the old space: keep it for the grace period. */
    [SQL_PURGE_SPACES] = { "purge_spaces",
                           "DELETE FROM cofre.retired_space AS r WHERE retired_at <= $1 AND NOT EXISTS"
                           " (SELECT 1 FROM cofre.entry AS e WHERE e.space = r.id)",
                           { PG_INT8 } },
    /* Rows of cores that are no more; a core that has nothing to write says now and then that it is there. */
    [SQL_WRITER_SEEN] = { "writer_seen",
                          "UPDATE cofre.writer SET seen_at = $1 WHERE id = ANY($2)",
                          { PG_INT8, PG_INT8_ARRAY } },
    [SQL_PURGE_WRITERS] = { "purge_writers",
                            "DELETE FROM cofre.writer WHERE seen_at <= $1",
                            { PG_INT8 } },
    [SQL_KEY_COUNTS] = { "key_counts",
                         "SELECT s.keyspace, s.db, count(*), count(e.expires_at),"
                         " coalesce(avg(e.expires_at - $1), 0)::bigint FROM cofre.space AS s"
                         " JOIN cofre.entry AS e ON e.space = s.id WHERE s.keyspace = ANY($2) AND " ALIVE(
                             "$1") " GROUP BY s.keyspace, s.db ORDER BY s.keyspace, s.db",
                         { PG_INT8, PG_TEXT_ARRAY } },

    /* $1 this process · $2 numbers · $3 times · $4 events · $5 records. A batch that is sent twice is there once. */
    [SQL_AUDIT] = { "audit",
                    "INSERT INTO cofre.audit (core, number, at, event, record)"
                    " SELECT $1, unnest($2), unnest($3), unnest($4), unnest($5) ON CONFLICT DO NOTHING",
                    { PG_INT8, PG_INT8_ARRAY, PG_INT8_ARRAY, PG_TEXT_ARRAY, PG_TEXT_ARRAY } },

    /* What other cores have read long ago, or died before they could. */
    [SQL_PURGE_MESSAGES] = { "purge_messages",
                             "DELETE FROM cofre.message WHERE sent_at <= $1",
                             { PG_INT8 } },
    [SQL_PURGE_LISTENERS] = { "purge_listeners",
                              "DELETE FROM cofre.listener WHERE seen_at <= $1",
                              { PG_INT8 } },

    /*
     * Between cores. What they tell each other is told once and kept nowhere: it must not wait for the disk, least of all
     * with the lock that each NOTIFY holds from its commit on, one for all databases of the server.
     */
    [SQL_NO_SYNC] = { "no_sync", "SET synchronous_commit = off", { 0 } },
    [SQL_LISTEN] = { "listen", "LISTEN cofre", { 0 } },
    [SQL_LISTENER_JOIN] = { "listener_join",
                            "INSERT INTO cofre.listener (wants, wish, seen_at) VALUES ($1, $2, $3) RETURNING id",
                            { PG_INT8, PG_INT8, PG_INT8 } },
    [SQL_LISTENER_BEAT] = { "listener_beat",
                            "UPDATE cofre.listener SET wants = $2, wish = $3, seen_at = $4 WHERE id = $1",
                            { PG_INT8, PG_INT8, PG_INT8, PG_INT8 } },
    [SQL_LISTENER_LEAVE] = { "listener_leave",
                             "DELETE FROM cofre.listener WHERE id = $1",
                             { PG_INT8 } },
    [SQL_LISTENERS] = { "listeners",
                        "SELECT id, wants, wish, seen_at FROM cofre.listener WHERE id <> $1",
                        { PG_INT8 } },
    [SQL_NOTIFY] = { "notify", "SELECT pg_notify('cofre', unnest($1))", { PG_TEXT_ARRAY } },
    /* $1 records · $2 time · $3 the payload, to which the row's number is added */
    [SQL_NOTIFY_LARGE] = { "notify_large",
                           "WITH m AS (INSERT INTO cofre.message (body, sent_at) VALUES ($1, $2) RETURNING id)"
                           " SELECT pg_notify('cofre', $3 || id) FROM m",
                           { PG_BYTEA, PG_INT8, PG_TEXT } },
    [SQL_MESSAGE] = { "message", "SELECT body FROM cofre.message WHERE id = $1", { PG_INT8 } },
};

const char *const sql_schema =
    "CREATE SCHEMA IF NOT EXISTS cofre;"
    "CREATE TABLE IF NOT EXISTS cofre.schema (version int NOT NULL);"
    "CREATE SEQUENCE IF NOT EXISTS cofre.revision;"
    "CREATE SEQUENCE IF NOT EXISTS cofre.space_id AS int;"
    "CREATE TABLE IF NOT EXISTS cofre.space ("
    " keyspace text NOT NULL, db int NOT NULL, id int NOT NULL UNIQUE DEFAULT nextval('cofre.space_id'),"
    " PRIMARY KEY (keyspace, db));"
    "CREATE TABLE IF NOT EXISTS cofre.retired_space (id int PRIMARY KEY, retired_at bigint NOT NULL);"
    "CREATE TABLE IF NOT EXISTS cofre.identity ("
    " id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);"
    "CREATE TABLE IF NOT EXISTS cofre.writer ("
    " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, epoch bigint NOT NULL, turn bigint NOT NULL,"
    " seen_at bigint NOT NULL);"
    "CREATE TABLE IF NOT EXISTS cofre.entry ("
    " space int NOT NULL, key bytea NOT NULL, hash bigint NOT NULL, type smallint NOT NULL,"
    " value bytea NOT NULL, revision bigint NOT NULL, expires_at bigint, purge_at bigint,"
    " modified_at bigint NOT NULL, modified_by int NOT NULL, PRIMARY KEY (space, key));"
    "CREATE INDEX IF NOT EXISTS entry_hash ON cofre.entry (space, hash);"
    "CREATE INDEX IF NOT EXISTS entry_purge ON cofre.entry (purge_at) WHERE purge_at IS NOT NULL;"
    "INSERT INTO cofre.space (keyspace, db) SELECT '', n FROM generate_series(0, 15) AS n"
    " ON CONFLICT (keyspace, db) DO NOTHING;"
    /* from version 2 on: the audit log, one record of JSON a row */
    "CREATE TABLE IF NOT EXISTS cofre.audit ("
    " core bigint NOT NULL, number bigint NOT NULL, at bigint NOT NULL, event text NOT NULL,"
    " record text NOT NULL, PRIMARY KEY (core, number));"
    "CREATE INDEX IF NOT EXISTS audit_at ON cofre.audit (at);"
    /* from version 2 on: what cores tell each other */
    "CREATE TABLE IF NOT EXISTS cofre.listener ("
    " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wants bigint NOT NULL, wish bigint NOT NULL,"
    " seen_at bigint NOT NULL);"
    "CREATE TABLE IF NOT EXISTS cofre.message ("
    " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sent_at bigint NOT NULL, body bytea NOT NULL);"
    "INSERT INTO cofre.schema (version) SELECT 2 WHERE NOT EXISTS (SELECT 1 FROM cofre.schema);"
    "UPDATE cofre.schema SET version = 2;";

const char *const sql_schema_tuning[] = {
    /* Room on each page for the next version of a row, so that updates stay HOT. */
    "ALTER TABLE cofre.entry SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05,"
    " autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.1)",
    "ALTER TABLE cofre.listener SET (fillfactor = 10, autovacuum_vacuum_scale_factor = 0,"
    " autovacuum_vacuum_threshold = 1000)",
    "ALTER TABLE cofre.message ALTER COLUMN body SET STORAGE EXTERNAL",
    "ALTER TABLE cofre.writer SET (fillfactor = 10, autovacuum_vacuum_scale_factor = 0,"
    " autovacuum_vacuum_threshold = 1000)",
    /*
     * Statistics of a small table ("each space has one row") must not lead to plans that look at every key of a space:
     * all keys may be in one, and no key is there twice.
     */
    "ALTER TABLE cofre.entry ALTER COLUMN space SET (n_distinct = 1), ALTER COLUMN key SET (n_distinct = -1)",
    /* Values are stored as they come: no compression attempt on each write, and slices can be read alone. */
    "ALTER TABLE cofre.entry ALTER COLUMN value SET STORAGE EXTERNAL",
};
const unsigned sql_schema_tuning_count = sizeof(sql_schema_tuning) / sizeof(sql_schema_tuning[0]);
