/*
 * core_private: the root struct, for the files that make up the process around it. Commands see core.h.
 */
#ifndef COFRE_CORE_PRIVATE_H
#define COFRE_CORE_PRIVATE_H

#include <uv.h>

#include "audit.h"
#include "core.h"
#include "identity.h"
#include "telemetry.h"

struct cache;
struct lanes;
struct link_server;
struct expiry;

struct core {
    uv_loop_t *loop;
    struct core_options options;
    struct core_metrics metrics;
    struct telemetry telemetry;
    struct audit *audit; /* NULL: there is none */
    uint64_t started_ms; /* monotonic */
    uint64_t ticks;
    struct identity_table *identities;
    struct lanes *lanes;
    struct cache *cache;
    uint64_t hash_seed; /* of all working sets */
    struct link_server *links;
    struct expiry *expiry;
    struct session *first_session; /* in order of id */
    struct session *last_session;
    uint64_t last_session_id;
    struct buf scratch;   /* the reply of a command that runs at once */
    int64_t clock_offset; /* database's unix ms minus monotonic ms */
    char server_version[32];
};

/* core_start: from here on it counts what it does. */
void core_start(struct core *core);
/* core_tick: ten times a second. */
void core_tick(struct core *core);

void core_add_session(struct core *core, struct session *s);
void core_remove_session(struct core *core, struct session *s);

#endif
