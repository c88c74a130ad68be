/*
 * part_queue: the connections whose long request is being sent in pieces, in the order of their turns.
 */
#ifndef COFRE_GATEWAY_PART_QUEUE_H
#define COFRE_GATEWAY_PART_QUEUE_H

#include "base/slice.h"

struct conn;
struct part_queue;

struct part_queue *part_queue_new(void);
void part_queue_free(struct part_queue *q);
void part_queue_push(struct part_queue *q, struct conn *c);
struct conn *part_queue_pop(struct part_queue *q);                  /* NULL when empty */
void part_queue_remove(struct part_queue *q, const struct conn *c); /* if it is there */

#endif
