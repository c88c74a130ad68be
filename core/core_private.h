/*
 * core_private: the root struct, for the files that make up the process around it. Commands see core.h.
 */
#ifndef COFRE_CORE_PRIVATE_H
#define COFRE_CORE_PRIVATE_H

#include <uv.h>

#include "core.h"
#include "identity.h"

struct cache;
struct lanes;
struct link_server;
struct expiry;
struct events;
struct exchange;

struct core {
    uv_loop_t *loop;
    struct core_options options;
    struct core_metrics metrics;
    struct identity_table *identities;
    struct lanes *lanes;
    struct cache *cache;
    uint64_t hash_seed; /* of all working sets */
    struct link_server *links;
    struct expiry *expiry;
    struct events *events;
    struct exchange *exchange;
    struct core_output_limit push_limit;
    struct session *first_session; /* in order of id */
    struct session *last_session;
    uint64_t last_session_id;
    struct buf scratch;   /* the reply of a command that runs at once */
    int64_t clock_offset; /* database's unix ms minus monotonic ms */
    char server_version[32];
};

void core_add_session(struct core *core, struct session *s);
void core_remove_session(struct core *core, struct session *s);

/* What this core calls a keyspace, and what it is called everywhere; false: nobody here is in it. */
struct slice core_keyspace_name(const struct core *core, uint32_t keyspace);
bool core_keyspace_number(const struct core *core, struct slice name, uint32_t *out);

#endif
