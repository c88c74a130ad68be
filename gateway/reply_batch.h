/*
 * reply_batch: the reply bytes that one read of the link brought, by connection. Pieces of the same
 * connection are chained, so that they leave in one TLS write; nothing is copied here.
 */
#ifndef COFRE_GATEWAY_REPLY_BATCH_H
#define COFRE_GATEWAY_REPLY_BATCH_H

#include "base/slice.h"

struct conn;
struct reply_batch;

struct reply_batch *reply_batch_new(void);
void reply_batch_free(struct reply_batch *b);

/* A connection's place in the batch; zeroed at first. */
struct reply_chain {
    uint32_t first; /* index + 1 in the batch's table; 0: none */
    uint32_t last;
};

/* reply_batch_add chains a piece; the first one of a connection also puts it in the batch's list. */
void reply_batch_add(struct reply_batch *b, struct conn *c, struct reply_chain *chain,
                     struct slice bytes);

/* reply_batch_take returns the chain's next piece and whether another one follows. */
struct slice reply_batch_take(struct reply_batch *b, struct reply_chain *chain, bool *more);

/* reply_batch_pop returns each connection of the batch once, then NULL. */
struct conn *reply_batch_pop(struct reply_batch *b);
void reply_batch_clear(struct reply_batch *b);

#endif
