/*
 * commands: the functions that the rows name. run_x runs, needs_x declares keys, walk_x asks a whole-database
 * question (command_table.h says what each may do).
 */
#ifndef COFRE_COMMANDS_H
#define COFRE_COMMANDS_H

#include "command_table.h"

/* strings.c */
command_fn run_get, run_mget, run_set, run_setnx, run_setex, run_psetex, run_getset, run_getdel;
command_fn run_getex, run_mset, run_msetnx;
command_needs_fn needs_set;

/* ranges.c */
command_fn run_append, run_strlen, run_getrange, run_setrange;

/* counters.c */
command_fn run_incr, run_decr, run_incrby, run_decrby, run_incrbyfloat;

/* keys.c */
command_fn run_del, run_exists, run_type, run_rename, run_renamenx, run_copy;
command_needs_fn needs_rename, needs_copy, needs_watch;

/* expire.c */
command_fn run_expire, run_pexpire, run_expireat, run_pexpireat;
command_fn run_ttl, run_pttl, run_expiretime, run_pexpiretime, run_persist;

/* walks.c */
command_fn run_scan, run_keys, run_randomkey, run_dbsize, run_find, run_flushdb, run_flushall;
command_walk_fn walk_scan, walk_keys, walk_randomkey, walk_dbsize, walk_find, walk_flushdb,
    walk_flushall;

/* connection.c */
command_fn run_ping, run_echo, run_hello, run_auth, run_select, run_quit, run_reset;

/* client.c */
command_fn run_client_help, run_client_id, run_client_info, run_client_list, run_client_getname,
    run_client_setname, run_client_setinfo;

/* transactions.c */
command_fn run_multi, run_exec, run_discard, run_watch, run_unwatch;

/* server.c, info.c, config.c */
command_fn run_time, run_info, run_config_get, run_config_help, run_config_resetstat,
    run_config_rewrite, run_config_set;

/* slowlog.c, latency.c */
command_fn run_slowlog_get, run_slowlog_help, run_slowlog_len, run_slowlog_reset;
command_fn run_latency_doctor, run_latency_graph, run_latency_help, run_latency_histogram,
    run_latency_history, run_latency_latest, run_latency_reset;

/* introspection.c */
command_fn run_command, run_command_count, run_command_docs, run_command_getkeys, run_command_help,
    run_command_info, run_command_list;

/* Shared by them. */

/* call_read finds key i for reading, and counts a hit or a miss; call_find only finds. */
struct entry *call_read(struct call *call, uint32_t i);
struct entry *call_find(struct call *call, uint32_t i);

/* call_value_fits says whether a value may be so long, or writes the error reply. */
MUST_CHECK bool call_value_fits(struct call *call, uint64_t length);

/* parse_int32 reads a number that must fit Redis's int; returns the error text, or NULL. */
MUST_CHECK const char *parse_int32(struct slice s, int64_t *out);

/* reply_help writes Redis's form of a HELP: a heading, the lines, and HELP itself. */
void reply_help(struct call *call, const char *command, const char *const *lines, size_t count);

#endif
