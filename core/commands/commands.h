/*
 * commands: the functions that the rows name. run_x runs, needs_x declares keys, walk_x asks a whole-database
 * question (command_table.h says what each may do).
 */
#ifndef COFRE_COMMANDS_H
#define COFRE_COMMANDS_H

#include "command_table.h"

/* strings.c */
command_fn run_get, run_mget, run_set, run_setnx, run_setex, run_psetex, run_getset, run_getdel;
command_fn run_getex;
command_needs_fn needs_set;

/* pairs.c */
command_fn run_mset, run_msetnx, run_msetex;
command_needs_fn needs_msetex;
command_keys_fn keys_msetex;

/* compare.c */
command_fn run_delifeq, run_delifrev, run_delex, run_digest;
command_needs_fn needs_delex;

/* ranges.c */
command_fn run_append, run_strlen, run_getrange, run_setrange;

/* counters.c */
command_fn run_incr, run_decr, run_incrby, run_decrby, run_incrbyfloat;

/* bits.c, bitfield.c */
command_fn run_getbit, run_setbit, run_bitcount, run_bitpos, run_bitop;
command_fn run_bitfield, run_bitfield_ro;
command_needs_fn needs_bitop;

/* lcs.c */
command_fn run_lcs;

/* hyperloglog.c */
command_fn run_pfadd, run_pfcount, run_pfmerge, run_pfdebug, run_pfselftest;

/* keys.c */
command_fn run_del, run_exists, run_touch, run_type, run_rename, run_renamenx, run_copy, run_move;
command_needs_fn needs_rename, needs_copy, needs_move, needs_watch;

/* object.c */
command_fn run_keyinfo, run_object_encoding, run_object_freq, run_object_help, run_object_idletime,
    run_object_refcount;
command_walk_fn walk_keyinfo, walk_object_idletime;

/* dump.c */
command_fn run_dump, run_restore;
command_needs_fn needs_restore;

/* sort.c */
command_fn run_sort, run_sort_ro;
command_needs_fn needs_sort;
command_keys_fn keys_sort, keys_sort_ro;

/* expire.c */
command_fn run_expire, run_pexpire, run_expireat, run_pexpireat;
command_fn run_ttl, run_pttl, run_expiretime, run_pexpiretime, run_persist;

/* walks.c */
command_fn run_scan, run_keys, run_randomkey, run_dbsize, run_find, run_flushdb, run_flushall,
    run_swapdb;
command_walk_fn walk_scan, walk_keys, walk_randomkey, walk_dbsize, walk_find, walk_flushdb,
    walk_flushall, walk_swapdb;

/* connection.c */
command_fn run_ping, run_echo, run_hello, run_auth, run_select, run_quit, run_reset;

/* client.c, clients.c */
command_fn run_client_help, run_client_id, run_client_info, run_client_list, run_client_getname,
    run_client_setname, run_client_setinfo, run_client_kill, run_client_no_evict,
    run_client_no_touch, run_client_pause, run_client_unpause, run_client_reply, run_client_unblock,
    run_monitor;

/* tracking.c */
command_fn run_client_tracking, run_client_caching, run_client_getredir, run_client_trackinginfo;

/* pubsub.c */
command_fn run_subscribe, run_psubscribe, run_ssubscribe;
command_fn run_unsubscribe, run_punsubscribe, run_sunsubscribe, run_publish, run_spublish;
command_fn run_pubsub_channels, run_pubsub_shardchannels, run_pubsub_numsub, run_pubsub_shardnumsub,
    run_pubsub_numpat, run_pubsub_help;

/* acl.c */
command_fn run_acl_cat, run_acl_deluser, run_acl_dryrun, run_acl_genpass, run_acl_getuser,
    run_acl_help, run_acl_list, run_acl_load, run_acl_log, run_acl_save, run_acl_setuser,
    run_acl_users, run_acl_whoami;

/* transactions.c */
command_fn run_multi, run_exec, run_discard, run_watch, run_unwatch;

/* server.c, info.c, config.c */
command_fn run_time, run_lolwut, run_info, run_config_get, run_config_help, run_config_resetstat,
    run_config_rewrite, run_config_set;

/* slowlog.c, latency.c */
command_fn run_slowlog_get, run_slowlog_help, run_slowlog_len, run_slowlog_reset;
command_fn run_latency_doctor, run_latency_graph, run_latency_help, run_latency_histogram,
    run_latency_history, run_latency_latest, run_latency_reset;

/* durability.c */
command_fn run_wait, run_waitaof, run_lastsave, run_role;

/* memory.c */
command_fn run_memory_doctor, run_memory_help, run_memory_malloc_stats, run_memory_purge,
    run_memory_stats, run_memory_usage;

/* debug.c, scripting.c */
command_fn run_debug, run_script_flush, run_function_flush;

/* introspection.c */
command_fn run_command, run_command_count, run_command_docs, run_command_getkeys,
    run_command_getkeysandflags, run_command_help, run_command_info, run_command_list;

/* Shared by them. */

/* call_read finds key i for reading, and counts a hit or a miss (which is an event); call_find only finds. */
struct entry *call_read(struct call *call, uint32_t i);
struct entry *call_find(struct call *call, uint32_t i);

/* call_remove deletes key i, whose entry is e, and declares that. */
void call_remove(struct call *call, uint32_t i, struct entry *e);

/*
 * call_edit makes the value of key i `length` bytes long and writable in place, as ws_edit does. e is its entry, or
 * NULL where the key does not exist: then it is made.
 */
uint8_t *call_edit(struct call *call, uint32_t i, struct entry *e, size_t length);

/*
 * call_set gives key i a value and an expiry (0: none; `given` with the command, or kept), and declares that. A time that
 * has passed stores and deletes in one.
 */
void call_set(struct call *call, uint32_t i, struct slice value, int64_t expires_at, bool given);

/* call_value_fits says whether a value may be so long, or writes the error reply. */
MUST_CHECK bool call_value_fits(struct call *call, uint64_t length);

/* parse_int32 reads a number that must fit Redis's int; returns the error text, or NULL. */
MUST_CHECK const char *parse_int32(struct slice s, int64_t *out);

/* client_describe writes the line of CLIENT INFO, with its end. */
void client_describe(struct buf *out, struct session *s, int64_t now_ms);

/* reply_walk_error passes on what the store had to say to a walk; false when there was nothing. */
MUST_CHECK bool reply_walk_error(struct call *call);

/* reply_help writes Redis's form of a HELP: a heading, the lines, and HELP itself. */
void reply_help(struct call *call, const char *command, const char *const *lines, size_t count);

#endif
