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

struct acl;
struct cache;
struct lanes;
struct link_server;
struct expiry;
struct events;
struct exchange;
struct keyspaces;
struct pauses;

/* A key that was used without being written; a slot is any key's whose hash falls there. */
struct use {
    uint64_t hash;
    int64_t noted_ms;
    int64_t used_ms;
};

enum {
    USES = 1024,
    EXPIRED_COUNTED = 4096, /* keys that were counted as expired, remembered by hash */
};

struct core {
    uv_loop_t *loop;
    struct core_options options;
    struct core_metrics metrics;
    struct telemetry telemetry;
    struct audit *audit; /* NULL: there is none */
    uint64_t started_ms; /* monotonic */
    uint64_t ticks;
    struct identity_table *identities;
    struct keyspaces *keyspaces;
    struct acl *acl;
    struct lanes *lanes;
    struct cache *cache;
    uint64_t hash_seed; /* of all working sets */
    struct link_server *links;
    struct expiry *expiry;
    struct events *events;
    struct exchange *exchange;
    struct session **by_id;        /* all sessions, hashed by id */
    size_t by_id_size;             /* a power of two */
    struct session *first_session; /* in order of id */
    struct session *last_session;
    struct session *first_watcher; /* has watched keys */
    uint64_t last_session_id;
    struct session *first_monitor;
    size_t ending; /* sessions to be closed at the end of this loop iteration */
    struct pauses *pauses;
    struct buf scratch;   /* the reply of a command that runs at once */
    struct buf deeds;     /* its deeds */
    int64_t clock_offset; /* database's unix ms minus monotonic ms */
    char server_version[32];
    struct use uses[USES];
    uint64_t expired_counted[EXPIRED_COUNTED];
};

/* core_start: from here on it counts what it does. */
void core_start(struct core *core);
/* core_tick: ten times a second. */
void core_tick(struct core *core);

void core_add_session(struct core *core, struct session *s);
void core_remove_session(struct core *core, struct session *s);
void core_add_watcher(struct core *core, struct session *s);
void core_remove_watcher(struct core *core, struct session *s);

#endif
