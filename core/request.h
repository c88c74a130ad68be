/*
 * request: one command as it arrived, in one allocation: this struct, the argument slices, the bytes.
 * Also the unit of a turn: a plain command is one, and an EXEC is one with the queued commands as its body.
 */
#ifndef COFRE_REQUEST_H
#define COFRE_REQUEST_H

#include "acl/check.h"
#include "command_table.h"

struct request {
    struct request *next; /* in a session's queue, in its units, or in a body */
    const struct command
        *command;         /* the row (of the subcommand, where there is one), once past the gates */
    struct request *body; /* EXEC: the queued commands */
    struct walk *walk;    /* set by the turn when the command walks */
    uint64_t arrived_ns;  /* monotonic */
    uint32_t argc;
    uint32_t size; /* bytes of the payload that it came in */
    bool writes;   /* it, or its body, may change entries */
    bool silent;   /* no reply leaves (CLIENT REPLY) */
    bool walks;
    bool walked;    /* the walk has its answer */
    bool caching;   /* CLIENT CACHING was about it */
    bool exclusive; /* it, or its body, is to run while no other write turn does */
    bool snapshot;  /* its parts need one snapshot that a single statement cannot give */
    struct acl_verdict verdict;  /* denied since it passed the gate: it is answered with that */
    bool ran;                    /* in this run of the turn; what follows is of that */
    uint16_t error;              /* the number of its error (command_stats_code), or 0 */
    uint64_t own_ns;             /* what it took for itself alone (command_stats.h) */
    struct written_key *written; /* what it wrote, where that is recorded (turn_audit.h) */
    struct slice argv[];
};

/* request_new decodes a REQUEST payload; NULL when it is malformed (the link is at fault). */
struct request *request_new(struct slice payload, uint64_t now_ns);
void request_free(struct request *r); /* and its body */
/* request_resp_size returns how many bytes the client sent for it, as a RESP array. */
size_t request_resp_size(const struct request *r);

/* request_follow_select: a SELECT of one of so many databases moves what comes after it; true when it is one. */
bool request_follow_select(const struct request *r, int64_t databases, uint32_t *db_number);

/* A list of requests, first in first out. */
struct request_list {
    struct request *first;
    struct request *last;
    size_t count;
};
void request_push(struct request_list *list, struct request *r);
struct request *request_pop(struct request_list *list); /* NULL when empty */
/* request_put_back puts all of `front` before what is in the list. */
void request_put_back(struct request_list *list, struct request_list *front);
void request_free_all(struct request_list *list);

#endif
