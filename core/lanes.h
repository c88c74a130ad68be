/*
 * lanes: who may talk to PostgreSQL when. The first half of the pool are write lanes, the others read lanes. A lane has one
 * turn in flight, and the next gathers meanwhile; a further lane starts only when that pays. Each write lane has a
 * row of its own in cofre.writer, so that to the database two lanes are as two cores. Here also: recovery after a
 * broken connection, and the store timeout.
 */
#ifndef COFRE_LANES_H
#define COFRE_LANES_H

#include "pg_pool.h"
#include "session_private.h"

struct lanes;

struct lanes_events {
    /* ready: the write lane is up for the first time. fatal: the database can never serve (why: one line). */
    void (*ready)(void *arg);
    void (*fatal)(void *arg, const char *why);
    void *arg;
};

MUST_CHECK enum err lanes_new(struct core *core, const char *conninfo,
                              const struct lanes_events *events, char *why, size_t why_size,
                              struct lanes **out);
void lanes_start(struct lanes *l);
void lanes_free(
    struct lanes *l); /* closes its connections; run the loop once more before closing it */

/* lanes_place puts a session where its units belong (SESSION_IDLE, WAIT_READ, WAIT_WRITE). Cheap; call after any change. */
void lanes_place(struct lanes *l, struct session *s);
/* lanes_forget takes a session off the waiting lists. */
void lanes_forget(struct lanes *l, struct session *s);
/* lanes_run starts the turns that can start; once per loop iteration, before the links are flushed. */
void lanes_run(struct lanes *l);
bool lanes_busy(const struct lanes *l); /* a turn is in flight, or sessions wait */

/* lanes_borrow hands out an idle read connection for background work, or NULL; give it back after the group's end
 * (never after PG_GROUP_LOST). */
struct pg_conn *lanes_borrow(struct lanes *l, unsigned *lane);
void lanes_give_back(struct lanes *l, unsigned lane);

const char *lanes_state(const struct lanes *l); /* for INFO */
struct core_lanes lanes_figures(const struct lanes *l);
/* lanes_writers fills in the ids of this core's rows in cofre.writer; returns how many. */
size_t lanes_writers(const struct lanes *l, int64_t *ids, size_t max);

#endif
