/*
 * core: the root struct of the process, as commands see it: options, counters, sessions.
 */
#ifndef COFRE_CORE_H
#define COFRE_CORE_H

#include "base/buf.h"
#include "cache.h"
#include "pubsub.h"
#include "tracking.h"

struct acl;
struct core;
struct session;

/* Options that commands and limits read; fixed after start. */
struct core_options {
    int64_t max_key;   /* bytes */
    int64_t max_value; /* bytes */
    int64_t databases; /* 16 */
    int64_t pool_size;
    int64_t cache_size; /* bytes; 0: none */
    int64_t store_timeout_ms;
    const char *socket_path;
    const char *acl_file; /* NULL: none, and everybody may do everything */
};
const struct core_options *core_options(const struct core *core);

/* Counters for INFO; only ever grow, but the gauges. */
struct core_metrics {
    int64_t started_ms;
    uint64_t sessions_opened;
    uint64_t sessions_now;    /* gauge */
    uint64_t sessions_paused; /* gauge: CLIENT PAUSE holds a command of theirs */
    uint64_t commands;
    uint64_t errors;
    uint64_t turns_write, turns_read, turns_restarted, turns_recovered;
    uint64_t units_write, units_read; /* commands (or transactions) in those turns */
    uint64_t keyspace_hits, keyspace_misses, expired_keys;
    uint64_t link_bytes_in, link_bytes_out;
    uint64_t connections_lost;  /* to PostgreSQL */
    uint64_t uncertain;         /* replies -UNCERTAIN */
    uint64_t acknowledged_lost; /* turns that a failover lost (DESIGN §6.2) */
};
struct core_metrics *core_metrics(struct core *core);

/* core_database_state: one word for INFO: "up", "connecting", "read-only", "wrong schema". */
const char *core_database_state(const struct core *core);
struct slice core_database_version(const struct core *core); /* PostgreSQL's server_version */
struct cache_figures core_cache(const struct core *core);
int64_t core_now_ms(const struct core *core); /* unix ms on the database's clock */

/*
 * core_note_use remembers that a key was used, at used_ms, by a command that is no write (TOUCH). core_last_used returns
 * the time of the last use after a key's last write, or that write's. This core's memory alone, and a short one: a hint.
 */
void core_note_use(struct core *core, uint32_t db, struct slice key, int64_t now_ms,
                   int64_t used_ms);
int64_t core_last_used(const struct core *core, uint32_t db, struct slice key, int64_t modified_at);

/*
 * core_key_counts: INFO keyspace, at most 10 s old: keys and keys with expiry of each database that has any, whichever
 * keyspace it belongs to; false past the last.
 */
struct core_key_count {
    uint32_t keyspace;
    uint32_t db_number;
    int64_t keys;
    int64_t expires;
};
bool core_key_counts(const struct core *core, size_t index, struct core_key_count *out);

/* core_each_session visits all sessions in order of their ids, but for those that are about to be closed. */
void core_each_session(struct core *core, void (*visit)(struct session *s, void *arg), void *arg);
struct session *core_find_session(struct core *core, uint64_t id);

/* --- what clients hear ------------------------------------------------------------------------- */

/*
 * core_publish gives a message to the keyspace's subscribers, here and on other cores; returns how many heard it here.
 * PUBSUB_CHANNEL or PUBSUB_SHARD.
 */
size_t core_publish(struct core *core, uint32_t keyspace, enum pubsub_kind kind,
                    struct slice channel, struct slice message);
const struct pubsub *core_pubsub(const struct core *core);
struct tracking_figures core_tracking(const struct core *core);

/* What cores tell each other, for INFO. */
struct core_exchange {
    size_t peers;            /* other cores */
    uint64_t sent, received; /* notices */
    uint64_t dropped, lost;  /* that did not leave here; times that others' may not have arrived */
};
struct core_exchange core_exchange(const struct core *core);

/* Parameters that CONFIG SET changes. */
uint32_t core_notify_events(
    const struct core *core); /* notify-keyspace-events, as notify.h has it */
void core_set_notify_events(struct core *core, uint32_t flags);
int64_t core_tracking_max_keys(
    const struct core *core); /* tracking-table-max-keys, 0: any number */
void core_set_tracking_max_keys(struct core *core, int64_t keys);
/* client-output-buffer-limit pubsub: bytes of pushes that may wait for a client that does not read; 0: any number. */
struct core_output_limit {
    int64_t hard; /* at once, */
    int64_t soft; /* or for so long: */
    int64_t soft_ms;
};
struct core_output_limit core_push_limit(const struct core *core);
void core_set_push_limit(struct core *core, struct core_output_limit limit);

/* --- the ACL --------------------------------------------------------------------------------- */

struct acl *core_acl(struct core *core);

/*
 * core_acl_changed: the ACL was changed, by a session, or by a signal (NULL). Live sessions follow at once: those that may not
 * stay are closed, the one that made the change after its reply.
 */
void core_acl_changed(struct core *core, struct session *by, const char *what, struct slice user);

/* core_refused: whatever the ACL refuses passes here, once. */
struct core_refusal {
    const char *reason;  /* "command", "key", "channel", "database", "auth" */
    const char *context; /* "toplevel", "multi" */
    struct slice object;
    struct slice username; /* empty: the session's identity */
};
void core_refused(struct core *core, struct session *s, const struct core_refusal *refusal);

/* --- the gateways ------------------------------------------------------------------------------ */

/* core_gateway_stats: the last STATS text of each gateway link ("name=value" lines), added up by name; false past the last. */
bool core_gateway_stat(const struct core *core, size_t index, struct slice *name, int64_t *value);

#endif
