/*
 * turn_telemetry: what is measured while a turn runs, and what it leaves behind in statistics and logs once it is settled; never
 * before, as a turn may run again. command_stats.h says what the times mean.
 */
#ifndef COFRE_TURN_TELEMETRY_H
#define COFRE_TURN_TELEMETRY_H

#include "apply.h"

/* While it runs: one look at the clock for each command, for each stop of apply and for each step. */

void turn_telemetry_gather(struct turn *t); /* its first session */
void turn_telemetry_send(struct turn *t);   /* a step is about to be sent */

/* turn_telemetry_apply … turn_telemetry_applied are around each stretch of apply; stopped: the next command is waited for. */
struct turn_mark {
    uint64_t hits, misses;
};
struct turn_mark turn_telemetry_apply(struct turn *t);
void turn_telemetry_applied(struct turn *t, const struct turn_mark *mark, bool stopped);
/* A command was run, or was not, or is a transaction that begins; its reply is written, from reply_at. */
void turn_telemetry_ran(struct turn *t, struct request *r, size_t reply_at);
void turn_telemetry_refused(struct turn *t, struct request *r, size_t reply_at);
void turn_telemetry_exec(struct request *r);
void turn_telemetry_rewind(struct turn *t);

/* Once it is settled: first the turn, then each unit, before it is freed. */

void turn_telemetry_settled(struct turn *t);
/* turn_telemetry_later: a transaction's command was run after the commit. */
void turn_telemetry_later(struct turn *t, struct request *r, uint64_t began_ns, struct slice reply);
void turn_telemetry_unit(struct turn *t, struct session *s, const struct request *r);

#endif
