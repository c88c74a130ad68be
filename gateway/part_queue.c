/*
 * part_queue: a ring of pointers. Few connections send long requests at once, so that removing one
 * may look through all of them.
 */
#include "part_queue.h"

#include <stdlib.h>

struct part_queue {
    struct conn **ring; /* cap is a power of two */
    size_t head;
    size_t count;
    size_t cap;
};

struct part_queue *part_queue_new(void)
{
    return mem_zalloc(sizeof(struct part_queue));
}

void part_queue_free(struct part_queue *q)
{
    if (q != NULL) {
        free(q->ring);
        free(q);
    }
}

static void grow(struct part_queue *q)
{
    size_t cap = q->cap == 0 ? 16 : q->cap * 2;
    struct conn **ring = mem_alloc(cap * sizeof(ring[0]));
    for (size_t i = 0; i < q->count; i++) {
        ring[i] = q->ring[(q->head + i) & (q->cap - 1)];
    }
    free(q->ring);
    q->ring = ring;
    q->cap = cap;
    q->head = 0;
}

void part_queue_push(struct part_queue *q, struct conn *c)
{
    if (q->count == q->cap) {
        grow(q);
    }
    q->ring[(q->head + q->count++) & (q->cap - 1)] = c;
}

struct conn *part_queue_pop(struct part_queue *q)
{
    if (q->count == 0) {
        return NULL;
    }
    struct conn *c = q->ring[q->head];
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    return c;
}

void part_queue_remove(struct part_queue *q, const struct conn *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < q->count; i++) {
        struct conn *each = q->ring[(q->head + i) & (q->cap - 1)];
        if (each != c) {
            q->ring[(q->head + kept++) & (q->cap - 1)] = each;
        }
    }
    q->count = kept;
}
