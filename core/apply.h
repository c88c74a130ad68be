/*
 * apply: running a turn's units against its working set. The private half of turn.h: turn.c talks to PostgreSQL,
 * apply.c to the commands.
 */
#ifndef COFRE_APPLY_H
#define COFRE_APPLY_H

#include "cache.h"
#include "turn.h"

enum {
    TURN_LOAD_BUDGET = 16 * 1024 * 1024, /* bytes of values that a turn loads */
    TURN_REPLIES_MAX = 1 << 30,
    UNIT_LOAD_MAX =
        128 * 1024 * 1024, /* bytes of values that one command or transaction may load */
};

enum turn_step {
    STEP_IDLE,
    STEP_NAMING,
    STEP_LOADING,
    STEP_WALKING,
    STEP_COMMITTING,
    STEP_CLOSING
};

enum refused { REFUSED_CONFLICT, REFUSED_FENCE, REFUSED_READ_ONLY, REFUSED_ERROR };

struct written {
    struct entry *entry;
    uint64_t began;
};

/* What a run of the turn does with the cache (turn_cache.c). */
struct turn_cache {
    bool used;   /* this run looks there */
    bool missed; /* the last run found what did not hold: this one loads everything */
    bool asked;
    bool holds; /* the answer is in: what was found or loaded counts */
    bool emptying;
    struct cache_mark mark;
    struct cache_others others; /* the answer */
    struct cached **found;      /* pinned */
    size_t found_count, found_cap;
    struct written *written; /* in writing */
    size_t written_count, written_cap;
};

/* What a part has added to one of the turn's bufs so far. */
struct span {
    size_t start;
    size_t len;
};

/* What is measured of a turn, and counted in this run of it (turn_telemetry.c). Nanoseconds, monotonic. */
struct turn_times {
    uint64_t began;    /* when the turn was gathered */
    uint64_t sent;     /* when the step that is out was sent */
    uint64_t lap;      /* when apply last looked at the clock */
    uint64_t waited;   /* what the command that is next was waited for */
    uint64_t own;      /* what commands took for themselves, together */
    uint64_t share;    /* of the rest, for each command; once settled */
    uint64_t now;      /* when it was settled */
    int64_t now_ms;    /* the same, unix ms */
    uint64_t commands; /* that ran; of a transaction its body */
    uint64_t hits, misses;
    bool stopped;   /* apply stopped for a command */
    bool committed; /* the step that is over was the last of a write turn */
};

/* One session's share of a turn. */
struct part {
    struct session *session;
    struct request_list units;
    size_t done;          /* units run so far, from the first */
    struct request *next; /* the unit to run next */
    struct request *body; /* in_exec: the command of its body to run next */
    bool in_exec;         /* stopped inside a transaction */
    size_t reply_start;   /* in the turn's replies */
    size_t reply_len;
    struct span deeds;
    struct span lines;
    struct session_vars vars; /* as they were before: put back when the turn starts again */
    bool later;               /* some of its commands run as the turn settles */
};

struct turn {
    struct core *core;
    enum turn_kind kind;
    struct turn_owner owner;
    enum turn_step step;
    struct working_set *ws;
    struct store *store;
    struct turn_cache cache;
    struct buf replies;
    struct buf deeds; /* see deeds.h */
    struct buf lines; /* for monitors */
    struct part *parts;
    size_t part_count, part_cap;
    size_t units;
    size_t bytes;
    uint64_t started_ms;
    int64_t now_ms; /* on the database's clock, for the whole run */
    uint64_t mark;  /* of what is read (events.h) */

    struct pg_conn *conn;
    struct store_writer *writer;
    int64_t number;
    bool begun;          /* inside BEGIN */
    bool snapshot;       /* a read turn with one snapshot */
    bool snapshot_units; /* some unit asks for that */
    bool exclusive;      /* some unit asks that no other write turn be under way */
    bool wants_snapshot; /* units were put back for a later turn with one */
    bool walk_saved;     /* dirty entries were saved ahead of the walk */
    bool declared;       /* needs are declared and walks made; visiting them again makes none */
    bool swapped;        /* a SWAPDB was carried out: entries were loaded again behind it */
    struct turn_times times;
    struct request *writing; /* the command that runs, where its writes are noted (turn_audit.h) */
    struct written_key *written; /* the last of its list */
    enum refused refused;
    char error[256];
    unsigned restarts;

    /* where apply is: parts before `part` are through; walk_request: whose walk is needed next */
    size_t part;
    struct request *walk_request;
    struct entry **withheld; /* of the unit that is next; in the working set's memory */
    size_t withheld_count;
};

enum apply_status { APPLY_DONE, APPLY_NEEDS_VALUES, APPLY_NEEDS_WALK };

void apply_declare(struct turn *t); /* tells the working set what the units need */
bool apply_has_loads(const struct turn *t);
bool apply_has_dirty(const struct turn *t);
enum apply_status apply_run(struct turn *t); /* runs units from where it stopped */
void apply_send_walk(struct turn *t);
/* apply_walked: the walk that was sent has its answer. True when entries must be loaded again before apply goes on. */
bool apply_walked(struct turn *t);
void apply_rewind(struct turn *t); /* back to the start: replies dropped, sessions as before */

#endif
