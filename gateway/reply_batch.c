/*
 * reply_batch: two arrays that grow to what one read of the link needs and then stay.
 */
#include "reply_batch.h"

#include <stdlib.h>

struct piece {
    struct slice bytes;
    uint32_t next; /* index + 1 */
};

struct reply_batch {
    struct piece *pieces;
    uint32_t piece_count;
    uint32_t piece_cap;
    struct conn **conns; /* [popped, conn_count) are still to be delivered */
    uint32_t conn_count;
    uint32_t conn_cap;
    uint32_t popped;
};

struct reply_batch *reply_batch_new(void)
{
    return mem_zalloc(sizeof(struct reply_batch));
}

void reply_batch_free(struct reply_batch *b)
{
    if (b != NULL) {
        free(b->pieces);
        free(b->conns);
        free(b);
    }
}

static void add_conn(struct reply_batch *b, struct conn *c)
{
    if (b->conn_count == b->conn_cap) {
        b->conn_cap = b->conn_cap == 0 ? 64 : b->conn_cap * 2;
        b->conns = mem_realloc(b->conns, b->conn_cap * sizeof(b->conns[0]));
    }
    b->conns[b->conn_count++] = c;
}

void reply_batch_add(struct reply_batch *b, struct conn *c, struct reply_chain *chain,
                     struct slice bytes)
{
    if (b->piece_count == b->piece_cap) {
        b->piece_cap = b->piece_cap == 0 ? 64 : b->piece_cap * 2;
        b->pieces = mem_realloc(b->pieces, b->piece_cap * sizeof(b->pieces[0]));
    }
    b->pieces[b->piece_count++] = (struct piece){ .bytes = bytes };
    if (chain->first == 0) {
        chain->first = b->piece_count;
        add_conn(b, c);
    } else {
        b->pieces[chain->last - 1].next = b->piece_count;
    }
    chain->last = b->piece_count;
}

struct slice reply_batch_take(struct reply_batch *b, struct reply_chain *chain, bool *more)
{
    const struct piece *p = &b->pieces[chain->first - 1];
    chain->first = p->next;
    *more = p->next != 0;
    return p->bytes;
}

struct conn *reply_batch_pop(struct reply_batch *b)
{
    return b->popped < b->conn_count ? b->conns[b->popped++] : NULL;
}

void reply_batch_clear(struct reply_batch *b)
{
    b->piece_count = 0;
    b->conn_count = 0;
    b->popped = 0;
}
