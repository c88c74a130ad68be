/*
 * command_stats: what was done, for INFO and LATENCY HISTOGRAM: calls, errors and times of each command, and how often each
 * error code was answered. Memory alone; the callers (turn.c, dispatch.c) say what happened, once it is certain.
 *
 * Two times are kept of a call, as they answer two questions:
 *
 *   cost     commandstats, SLOWLOG, LATENCY's command events: what the server spent on it. The time that it ran, and that its
 *            own walk (SCAN, KEYS, FIND …) or long values took, and an equal share of all else that its turn waited for.
 *            So a turn's costs add up to the turn, and a KEYS is dear while the GETs beside it are not.
 *   latency  latencystats, LATENCY HISTOGRAM: what the client waited for, from its arrival in the core to its reply.
 */
#ifndef COFRE_COMMAND_STATS_H
#define COFRE_COMMAND_STATS_H

#include "command_table.h"
#include "histogram.h"

struct command_stats;

struct command_figures {
    uint64_t calls;
    uint64_t rejected; /* not run: by a gate of dispatch, or as the database could not take it */
    uint64_t failed;   /* run, and answered with an error */
    uint64_t cost_ns;
    struct histogram *latency; /* NULL: never tracked */
};

struct error_figures {
    char code[32]; /* "ERR", "WRONGTYPE", … */
    uint64_t count;
};

struct command_stats *command_stats_new(void);
void command_stats_free(struct command_stats *s);
void command_stats_reset(struct command_stats *s);

/* command_stats_track: whether latencies are kept (CONFIG latency-tracking). */
void command_stats_track(struct command_stats *s, bool on);

/*
 * command_stats_code returns the number of an error reply's code ("-CODE text"), 0 for any other reply. It holds for the
 * life of the process. command_stats_error counts one such error; 0 is passed over.
 */
uint16_t command_stats_code(struct command_stats *s, struct slice reply);
void command_stats_error(struct command_stats *s, uint16_t code);

/* command_stats_call counts a call that ran, and its error. */
void command_stats_call(struct command_stats *s, const struct command *command, uint64_t cost_ns,
                        uint64_t latency_ns, uint16_t error);
/* command_stats_reject counts one that did not, and why; NULL: the command is unknown. */
void command_stats_reject(struct command_stats *s, const struct command *command, uint16_t error);

const struct command_figures *command_stats_of(const struct command_stats *s,
                                               const struct command *command);
uint64_t command_stats_calls(const struct command_stats *s);
uint64_t command_stats_errors(const struct command_stats *s);
/* command_stats_error_at gives the codes in the order in which they first came, also those that were reset; NULL past the last. */
const struct error_figures *command_stats_error_at(const struct command_stats *s, size_t i);

#endif
