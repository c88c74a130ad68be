/*
 * arrivals: lists of the stages from old to new, and stacks of the ranks. Why the newest comes first: once
 * there is more to do than can be done, the oldest have waited so long that most of them will give up, and
 * what is done for them is lost; serving the newest, those who are served are served in time.
 */
#include "arrivals/arrivals.h"

#include <stdlib.h>

#include "base/err.h"

enum { TURN_OF_WORST = 4 };

struct stage {
    struct arrival *oldest;
    struct arrival *newest;
    size_t count;
};

struct arrivals {
    size_t max;
    struct stage stages[ARRIVAL_STAGES];
    struct arrival *tops[ARRIVAL_RANKS];
    size_t waiting[ARRIVAL_RANKS];
    bool hold_full;
    unsigned turn;
};

struct arrivals *arrivals_new(size_t max)
{
    struct arrivals *s = mem_zalloc(sizeof(*s));
    s->max = max;
    return s;
}

void arrivals_free(struct arrivals *s)
{
    free(s);
}

/* Stages. */

static void append(struct arrivals *s, struct arrival *a, enum arrival_stage stage)
{
    struct stage *to = &s->stages[stage];
    a->stage = (uint8_t)stage;
    a->older = to->newest;
    a->newer = NULL;
    *(to->newest == NULL ? &to->oldest : &to->newest->newer) = a;
    to->newest = a;
    to->count++;
}

static void cut(struct arrivals *s, struct arrival *a)
{
    struct stage *from = &s->stages[a->stage];
    *(a->older == NULL ? &from->oldest : &a->older->newer) = a->newer;
    *(a->newer == NULL ? &from->newest : &a->newer->older) = a->older;
    from->count--;
}

void arrivals_enter(struct arrivals *s, struct arrival *a)
{
    *a = (struct arrival){ .waits = false };
    append(s, a, ARRIVAL_SILENT);
}

void arrivals_move(struct arrivals *s, struct arrival *a, enum arrival_stage stage)
{
    if (a->stage != stage) {
        cut(s, a);
        append(s, a, stage);
    }
}

size_t arrivals_count(const struct arrivals *s)
{
    size_t n = 0;
    for (size_t i = 0; i < ARRIVAL_STAGES; i++) {
        n += s->stages[i].count;
    }
    return n;
}

struct arrival *arrivals_surplus(const struct arrivals *s)
{
    const struct stage *fullest = &s->stages[0];
    if (arrivals_count(s) <= s->max) {
        return NULL;
    }
    for (size_t i = 1; i < ARRIVAL_STAGES; i++) {
        fullest = s->stages[i].count > fullest->count ? &s->stages[i] : fullest;
    }
    return fullest->oldest;
}

/* The queue. */

static void take_off(struct arrivals *s, struct arrival *a)
{
    *(a->above == NULL ? &s->tops[a->rank] : &a->above->below) = a->below;
    if (a->below != NULL) {
        a->below->above = a->above;
    }
    a->waits = false;
    s->waiting[a->rank]--;
}

void arrivals_queue(struct arrivals *s, struct arrival *a, enum arrival_rank rank)
{
    if (a->waits) {
        return;
    }
    a->waits = true;
    a->rank = (uint8_t)rank;
    a->above = NULL;
    a->below = s->tops[rank];
    if (a->below != NULL) {
        a->below->above = a;
    }
    s->tops[rank] = a;
    s->waiting[rank]++;
}

void arrivals_hold_full(struct arrivals *s, bool hold)
{
    s->hold_full = hold;
}

bool arrivals_ready(const struct arrivals *s)
{
    return arrivals_waiting(s) > (s->hold_full ? s->waiting[ARRIVAL_FULL] : 0);
}

struct arrival *arrivals_next(struct arrivals *s)
{
    if (!arrivals_ready(s)) {
        return NULL;
    }
    size_t ranks = s->hold_full ? ARRIVAL_FULL : ARRIVAL_RANKS; /* it is the worst */
    bool worst_first = ++s->turn % TURN_OF_WORST == 0;
    for (size_t i = 0; i < ranks; i++) {
        struct arrival *a = s->tops[worst_first ? ranks - 1 - i : i];
        if (a != NULL) {
            take_off(s, a);
            return a;
        }
    }
    return NULL;
}

size_t arrivals_waiting(const struct arrivals *s)
{
    size_t all = 0;
    for (size_t i = 0; i < ARRIVAL_RANKS; i++) {
        all += s->waiting[i];
    }
    return all;
}

void arrivals_leave(struct arrivals *s, struct arrival *a)
{
    if (a->waits) {
        take_off(s, a);
    }
    cut(s, a);
}
