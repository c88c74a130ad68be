/*
 * turn: the unit of work (DESIGN §6.2): the units of many sessions, run against one working set, stored in one
 * transaction.
 *
 *     gather ──▶ load ──▶ apply ──▶ store ──▶ settle
 *                  ▲        │
 *                  └────────┘ a long value, or a walk (SCAN, DBSIZE, FLUSHDB …), is needed first
 *
 * A turn knows one connection while it runs. When that breaks, or PostgreSQL refuses, its owner (lanes.c) is told
 * and decides: run it again, settle it as committed, or answer an error.
 */
#ifndef COFRE_TURN_H
#define COFRE_TURN_H

#include "core_private.h"
#include "session_private.h"
#include "store.h"

struct turn;

enum turn_kind { TURN_READ, TURN_WRITE };

enum turn_end {
    TURN_SETTLED,   /* every session was answered */
    TURN_LOST,      /* the connection broke; turn_in_doubt says whether it may have committed */
    TURN_FENCED,    /* the writer's row is not as expected: recover, then run again */
    TURN_READ_ONLY, /* the server takes no writes any more: find another, then run again */
};

struct turn_owner {
    void (*ended)(void *arg, struct turn *t, enum turn_end end);
    void *arg;
};

struct turn *turn_new(struct core *core, enum turn_kind kind, const struct turn_owner *owner);
void turn_free(struct turn *t);

/* turn_add takes all units of a session; false when the turn is full. */
bool turn_add(struct turn *t, struct session *s);
bool turn_is_empty(const struct turn *t);

/*
 * turn_run starts or restarts the turn. writer (write turns only) must outlive the run; the turn takes the number
 * writer->turn + 1, and writer->turn moves on when it has committed. `snapshot`: one snapshot for the whole read turn.
 */
void turn_run(struct turn *t, struct pg_conn *conn, struct store_writer *writer, bool snapshot);

bool turn_in_doubt(const struct turn *t);  /* Store was sent and no answer came */
bool turn_is_cached(const struct turn *t); /* all that it runs is in the cache */
uint64_t turn_age_ms(const struct turn *t);
/* turn_wants_snapshot: units were put back that need one snapshot for several statements. */
bool turn_wants_snapshot(const struct turn *t);

/* How a turn that did not settle itself ends; each empties the turn. */
void turn_settle(struct turn *t); /* it is known to have committed: the replies are true */
void turn_fail(struct turn *t, const char *error); /* every unit is answered with this error */
void turn_put_back(struct turn *t);                /* nothing happened: the units wait again */

#endif
