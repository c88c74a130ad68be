/*
 * Parameters in PostgreSQL's binary format, network byte order. Arrays: src/backend/utils/adt/arrayfuncs.c, array_recv.
 */
#include "pg_params.h"

#include <arpa/inet.h>

enum { PARAMS_MAX = 1 << 30, PARAMS_KEEP = 1 << 20 };

void pg_params_init(struct pg_params *p)
{
    buf_init(&p->bytes, PARAMS_MAX);
    p->count = 0;
    p->open_array = -1;
}

void pg_params_clear(struct pg_params *p)
{
    if (p->bytes.cap > PARAMS_KEEP)
        buf_release(&p->bytes);
    buf_clear(&p->bytes);
    p->count = 0;
    p->open_array = -1;
}

void pg_params_release(struct pg_params *p)
{
    buf_release(&p->bytes);
}

static void put_u16(struct pg_params *p, uint16_t v)
{
    const uint16_t net = htons(v);
    buf_append(&p->bytes, &net, sizeof(net));
}

static void put_u32(struct pg_params *p, uint32_t v)
{
    const uint32_t net = htonl(v);
    buf_append(&p->bytes, &net, sizeof(net));
}

static void put_u64(struct pg_params *p, uint64_t v)
{
    put_u32(p, (uint32_t)(v >> 32));
    put_u32(p, (uint32_t)v);
}

void pg_params_finish(struct pg_params *p)
{
    if (p->open_array < 0)
        return;
    p->param[p->open_array].length = (int)(buf_len(&p->bytes) - p->param[p->open_array].offset);
    p->open_array = -1;
}

static void next_param(struct pg_params *p, int length)
{
    pg_params_finish(p);
    p->param[p->count].offset = buf_len(&p->bytes);
    p->param[p->count].length = length;
    p->count++;
}

void pg_null(struct pg_params *p)
{
    next_param(p, -1);
}

void pg_int4(struct pg_params *p, int32_t v)
{
    next_param(p, 4);
    put_u32(p, (uint32_t)v);
}

void pg_int8(struct pg_params *p, int64_t v)
{
    next_param(p, 8);
    put_u64(p, (uint64_t)v);
}

void pg_bytes(struct pg_params *p, struct slice s)
{
    next_param(p, (int)s.len);
    buf_append_slice(&p->bytes, s);
}

/* The binary form of an array: dimensions, has-nulls, element type, then size and lower bound of each dimension. */
void pg_array(struct pg_params *p, uint32_t element_oid, size_t n)
{
    next_param(p, 0);
    p->open_array = p->count - 1;
    put_u32(p, n ? 1 : 0);
    put_u32(p, 1);
    put_u32(p, element_oid);
    if (n == 0)
        return;
    put_u32(p, (uint32_t)n);
    put_u32(p, 1);
}

void pg_elem_null(struct pg_params *p)
{
    put_u32(p, UINT32_MAX);
}

void pg_elem_int2(struct pg_params *p, int16_t v)
{
    put_u32(p, 2);
    put_u16(p, (uint16_t)v);
}

void pg_elem_int4(struct pg_params *p, int32_t v)
{
    put_u32(p, 4);
    put_u32(p, (uint32_t)v);
}

void pg_elem_int8(struct pg_params *p, int64_t v)
{
    put_u32(p, 8);
    put_u64(p, (uint64_t)v);
}

void pg_elem_bytes(struct pg_params *p, struct slice s)
{
    put_u32(p, (uint32_t)s.len);
    buf_append_slice(&p->bytes, s);
}
