/* Creating the schema: the only blocking use of libpq, in a process that does nothing else. */
#include "pg_schema.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql.h"

static enum err complain(PGconn *pg, const char *what)
{
    const char *why = PQerrorMessage(pg);
    fprintf(stderr, "cofre-core: cannot %s: %.*s\n", what, (int)strcspn(why, "\n"), why);
    return ERR_SYSTEM;
}

static enum err run(PGconn *pg, const char *sql, const char *what)
{
    PGresult *r = PQexec(pg, sql);
    const ExecStatusType status = PQresultStatus(r);
    PQclear(r);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? ERR_OK : complain(pg, what);
}

/* What makes it faster, but is not needed; a server that knows no such setting goes without. */
static void tune(PGconn *pg)
{
    for (unsigned i = 0; i < sql_schema_tuning_count; i++) {
        PGresult *r = PQexec(pg, sql_schema_tuning[i]);
        if (PQresultStatus(r) != PGRES_COMMAND_OK)
            fprintf(stderr, "cofre-core: goes without a setting that this server refuses: %s",
                    PQerrorMessage(pg));
        PQclear(r);
    }
}

static enum err check_encoding(PGconn *pg)
{
    const char *encoding = PQparameterStatus(pg, "server_encoding");
    if (encoding && strcmp(encoding, "UTF8") == 0)
        return ERR_OK;
    fprintf(stderr, "cofre-core: the database's encoding is %s; create it with ENCODING 'UTF8'\n",
            encoding ? encoding : "unknown");
    return ERR_INVALID;
}

/* A schema of a later release is left alone; an earlier one is brought up to date by the same statements that make one. */
static enum err check_version(PGconn *pg, long *before)
{
    PGresult *r = PQexec(pg, "SELECT version FROM cofre.schema");
    const bool known = PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1;
    *before = known ? strtol(PQgetvalue(r, 0, 0), NULL, 10) : 0;
    PQclear(r);
    if (*before <= SQL_SCHEMA_VERSION)
        return ERR_OK;
    fprintf(
        stderr,
        "cofre-core: the database has a cofre schema of version %ld; this cofre-core knows versions up to %d\n",
        *before, SQL_SCHEMA_VERSION);
    return ERR_INVALID;
}

static enum err grant_to(PGconn *pg, const char *role)
{
    char *quoted = PQescapeIdentifier(pg, role, strlen(role));
    char sql[512];
    const int n = snprintf(
        sql, sizeof(sql),
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA cofre TO %s", quoted);
    PQfreemem(quoted);
    if (n < 0 || (size_t)n >= sizeof(sql))
        return ERR_LIMIT; /* no: a name has 63 bytes */
    return run(pg, sql, "grant the new tables to those who have the old ones");
}

/* New tables of a migration are for the same roles as the old ones. */
static enum err grant_as_before(PGconn *pg)
{
    PGresult *r = PQexec(
        pg, "SELECT DISTINCT grantee::text FROM information_schema.role_table_grants"
            " WHERE table_schema = 'cofre' AND table_name = 'entry' AND privilege_type = 'UPDATE'"
            " AND grantee NOT IN ('PUBLIC', current_user)");
    enum err err = PQresultStatus(r) == PGRES_TUPLES_OK ? ERR_OK : complain(pg, "read the grants");
    for (int i = 0; i < PQntuples(r) && err == ERR_OK; i++)
        err = grant_to(pg, PQgetvalue(r, i, 0));
    PQclear(r);
    return err;
}

static void ignore_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

static enum err create(PGconn *pg)
{
    if (PQstatus(pg) != CONNECTION_OK)
        return complain(pg, "connect to the database");
    PQsetNoticeProcessor(pg, ignore_notice, NULL); /* "already exists, skipping" */
    long before = 0;
    enum err err = check_encoding(pg);
    if (err == ERR_OK)
        err = check_version(pg, &before);
    if (err == ERR_OK)
        err = run(pg, sql_schema, "create the schema");
    if (err == ERR_OK && before > 0 && before < SQL_SCHEMA_VERSION)
        err = grant_as_before(pg);
    if (err != ERR_OK)
        return err;
    tune(pg);
    printf("cofre-core: schema cofre version %d is in place in database \"%s\"\n",
           SQL_SCHEMA_VERSION, PQdb(pg));
    return ERR_OK;
}

enum err pg_schema_create(const char *conninfo)
{
    PGconn *pg = PQconnectdb(conninfo);
    const enum err err = create(pg);
    PQfinish(pg);
    return err;
}
