/*
 * pg_params: the parameters of one statement.
 */
#ifndef COFRE_PG_PARAMS_H
#define COFRE_PG_PARAMS_H

#include "base/buf.h"
#include "sql.h"

/*
 * pg_params: parameters in PostgreSQL's binary format, built in one buffer that is used again.
 * Arrays: pg_array(oid, n), then n elements.
 */
struct pg_params {
    struct buf bytes;
    int count;
    int open_array; /* index of the array being filled, or -1 */
    struct {
        size_t offset;
        int length; /* -1: NULL */
    } param[SQL_MAX_PARAMS];
};
void pg_params_init(struct pg_params *p);
void pg_params_clear(struct pg_params *p); /* also gives back what a large value needed */
void pg_params_release(struct pg_params *p);
/* pg_params_finish ends an array that is open; the next parameter does so too, and the query that takes them. */
void pg_params_finish(struct pg_params *p);
void pg_null(struct pg_params *p);
void pg_int4(struct pg_params *p, int32_t v);
void pg_int8(struct pg_params *p, int64_t v);
void pg_bytes(struct pg_params *p, struct slice s); /* bytea or text */
void pg_array(struct pg_params *p, uint32_t element_oid, size_t n);
void pg_elem_null(struct pg_params *p);
void pg_elem_int2(struct pg_params *p, int16_t v);
void pg_elem_int4(struct pg_params *p, int32_t v);
void pg_elem_int8(struct pg_params *p, int64_t v);
void pg_elem_bytes(struct pg_params *p, struct slice s);

#endif
