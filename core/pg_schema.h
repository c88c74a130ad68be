/* pg_schema: --create-schema. */
#ifndef COFRE_PG_SCHEMA_H
#define COFRE_PG_SCHEMA_H

#include "base/err.h"

/*
 * pg_schema_create connects (blocking), makes or migrates the cofre schema in one transaction, and prints what it did.
 * It can be run again. ERR_SYSTEM with one line on standard error otherwise.
 */
MUST_CHECK enum err pg_schema_create(const char *conninfo);

#endif
