/*
 * info: what the sections of INFO are made of. A section's function appends its lines; one with no lines is a heading alone.
 */
#ifndef COFRE_INFO_H
#define COFRE_INFO_H

#include "command_table.h"

typedef void info_fn(struct call *call, struct buf *out);

/* info_redis.c: as Redis has them, field by field */
info_fn info_server, info_clients, info_memory, info_persistence, info_stats, info_replication,
    info_cpu, info_modules, info_cluster, info_keyspace;
/* info_commands.c */
info_fn info_commandstats, info_errorstats, info_latencystats;
/* info_cofre.c: ours */
info_fn info_cofre, info_tls, info_postgresql;

void info_number(struct buf *out, const char *name, uint64_t n);
void info_text(struct buf *out, const char *name, const char *text);
/* info_gateway_stat returns what the gateways say under a name; 0 when none does. */
int64_t info_gateway_stat(const struct call *call, const char *name);
/* info_listener_port is the port that this client came in by, at the gateway. */
int64_t info_listener_port(const struct call *call);

#endif
