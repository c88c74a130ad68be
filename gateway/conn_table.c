/*
 * conn_table: an array of slots with a stack of the free ones. Deadlines lie in an array of their own,
 * so that looking for one that has come touches no connection.
 */
#include "conn_table.h"

#include <stdlib.h>
#include <string.h>

enum {
    SLOT_BITS = 24,
    DEADLINE_UNIT_MS = 64, /* u32 of these last 8 years */
};

struct conn_table {
    struct conn **conns;
    uint64_t *sessions;
    uint32_t *deadlines; /* in DEADLINE_UNIT_MS, rounded up; 0: never */
    uint32_t *free_slots;
    size_t free_count;
    size_t size; /* slots ever used */
    size_t cap;
    size_t count;
    uint64_t serial;
};

struct conn_table *conn_table_new(void)
{
    return mem_zalloc(sizeof(struct conn_table));
}

void conn_table_free(struct conn_table *t)
{
    if (t != NULL) {
        free(t->conns);
        free(t->sessions);
        free(t->deadlines);
        free(t->free_slots);
        free(t);
    }
}

static size_t slot_of(uint64_t session)
{
    return session & (((uint64_t)1 << SLOT_BITS) - 1);
}

static void grow(struct conn_table *t)
{
    t->cap = t->cap == 0 ? 256 : t->cap * 2;
    t->conns = mem_realloc(t->conns, t->cap * sizeof(t->conns[0]));
    t->sessions = mem_realloc(t->sessions, t->cap * sizeof(t->sessions[0]));
    t->deadlines = mem_realloc(t->deadlines, t->cap * sizeof(t->deadlines[0]));
    t->free_slots = mem_realloc(t->free_slots, t->cap * sizeof(t->free_slots[0]));
}

uint64_t conn_table_reserve(struct conn_table *t)
{
    size_t slot;
    if (t->free_count > 0) {
        slot = t->free_slots[--t->free_count];
    } else {
        if (t->size == t->cap) {
            grow(t);
        }
        slot = t->size++;
    }
    t->conns[slot] = NULL;
    t->deadlines[slot] = 0;
    t->sessions[slot] = ++t->serial << SLOT_BITS | slot;
    t->count++;
    return t->sessions[slot];
}

void conn_table_set(struct conn_table *t, uint64_t session, struct conn *c)
{
    t->conns[slot_of(session)] = c;
}

void conn_table_drop(struct conn_table *t, uint64_t session)
{
    size_t slot = slot_of(session);
    t->conns[slot] = NULL;
    t->sessions[slot] = 0;
    t->deadlines[slot] = 0;
    t->free_slots[t->free_count++] = (uint32_t)slot;
    t->count--;
}

struct conn *conn_table_find(const struct conn_table *t, uint64_t session)
{
    size_t slot = slot_of(session);
    return slot < t->size && t->sessions[slot] == session ? t->conns[slot] : NULL;
}

struct conn *conn_table_next(const struct conn_table *t, size_t *at)
{
    while (*at < t->size) {
        struct conn *c = t->conns[(*at)++];
        if (c != NULL) {
            return c;
        }
    }
    return NULL;
}

size_t conn_table_count(const struct conn_table *t)
{
    return t->count;
}

void conn_table_set_deadline(struct conn_table *t, uint64_t session, uint64_t at_ms)
{
    t->deadlines[slot_of(session)] = (uint32_t)((at_ms + DEADLINE_UNIT_MS - 1) / DEADLINE_UNIT_MS);
}

struct conn *conn_table_due(struct conn_table *t, uint64_t now_ms, size_t *from)
{
    uint32_t now = (uint32_t)(now_ms / DEADLINE_UNIT_MS);
    for (size_t slot = *from; slot < t->size; slot++) {
        if (t->deadlines[slot] != 0 && t->deadlines[slot] <= now && t->conns[slot] != NULL) {
            t->deadlines[slot] = 0;
            *from = slot + 1;
            return t->conns[slot];
        }
    }
    *from = t->size;
    return NULL;
}
