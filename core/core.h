/*
 * core: the root struct of the process, as commands see it: options, counters, sessions.
 */
#ifndef COFRE_CORE_H
#define COFRE_CORE_H

#include "base/buf.h"
#include "cache.h"
#include "link_stats.h"
#include "pubsub.h"
#include "tracking.h"

struct acl;
struct audit_figures;
struct command;
struct core;
struct session;
struct telemetry;

/* Options that commands and limits read. */
struct core_options {
    int64_t max_key;   /* bytes */
    int64_t max_value; /* bytes */
    int64_t databases; /* 16 */
    int64_t pool_size;
    int64_t cache_size; /* bytes; 0: none */
    int64_t store_timeout_ms;
    const char *socket_path;
    const char *acl_file;    /* NULL: none, and everybody may do everything */
    const char *config_file; /* --config, or NULL */
    const char *audit;       /* --audit, as a word */
    const char *audit_file;  /* or NULL */
    bool audit_required, audit_writes;
};
const struct core_options *core_options(const struct core *core);
/* core_changeable: the same, for CONFIG SET; core_changed puts into effect what was set there and in core_telemetry's settings. */
struct core_options *core_changeable(struct core *core);
void core_changed(struct core *core);

/* Statistics, logs and their settings (telemetry.h). */
struct telemetry *core_telemetry(const struct core *core);

/* Counters for INFO. */
struct core_metrics {
    char run_id[41]; /* hex digits, new with each start */
    uint64_t memory_at_start, memory_peak;

    /* what there is now */
    uint64_t sessions_now;
    uint64_t sessions_paused; /* CLIENT PAUSE holds a command of theirs */

    /* counts since the start, or since CONFIG RESETSTAT: all from here on */
    uint64_t sessions_opened, sessions_refused;
    uint64_t turns_write, turns_read, turns_restarted, turns_recovered, turns_failed;
    uint64_t units_write, units_read; /* commands (or transactions) in those turns */
    uint64_t round_trips;             /* of turns, to PostgreSQL */
    uint64_t loads, rows_loaded, rows_saved;
    uint64_t keyspace_hits, keyspace_misses, expired_keys;
    uint64_t link_reads, link_writes, link_bytes_in, link_bytes_out;
    uint64_t connections_lost;   /* to PostgreSQL: those that had served */
    uint64_t connections_failed; /* attempts that came to nothing */
    uint64_t uncertain;          /* turns answered -UNCERTAIN */
    uint64_t acknowledged_lost;  /* turns that a failover lost (DESIGN §6.2) */
};
struct core_metrics *core_metrics(struct core *core);
/* core_reset_metrics is CONFIG RESETSTAT's: counts begin again, what there is now stays. */
void core_reset_metrics(struct core *core);

/* core_database_state: one word for INFO: "up", "connecting", "read-only", "wrong schema". */
const char *core_database_state(const struct core *core);
struct slice core_database_version(const struct core *core); /* PostgreSQL's server_version */
struct cache_figures core_cache(const struct core *core);
struct audit_figures core_audit(const struct core *core);
int64_t core_now_ms(const struct core *core); /* unix ms on the database's clock */
int64_t core_uptime_ms(const struct core *core);

/* core_lanes: how many connections to PostgreSQL are in which state. */
enum core_lane_state {
    LANES_DOWN,
    LANES_RECOVERING,
    LANES_IDLE,
    LANES_RUNNING,
    LANES_LENT,
    LANES_STATES
};
struct core_lanes {
    unsigned write[LANES_STATES];
    unsigned read[LANES_STATES];
    size_t waiting_write, waiting_read; /* sessions that wait for a turn */
};
struct core_lanes core_lanes(const struct core *core);

/*
 * core_count_expired counts a key as expired, once: whoever reads it first, or the purge a minute later. What has been counted is
 * remembered for a while only, so that the figure may count a key twice under very many.
 */
void core_count_expired(struct core *core, struct slice key, int64_t expires_at);

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
    int64_t average_ttl; /* ms */
};
bool core_key_counts(const struct core *core, size_t index, struct core_key_count *out);

/* core_each_session visits all sessions in order of their ids, but for those that are about to be closed. */
void core_each_session(struct core *core, void (*visit)(struct session *s, void *arg), void *arg);
struct session *core_find_session(struct core *core, uint64_t id);

/* core_clients looks at all sessions; for INFO. */
struct core_clients {
    uint64_t bytes; /* of memory, what waits to be sent included */
    uint64_t longest_input, longest_output;
    uint64_t tls_1_2, tls_1_3;
    uint64_t ending_soon; /* their certificates end within a week */
};
struct core_clients core_clients(struct core *core);

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
    struct slice username;         /* empty: the session's identity */
    const struct command *command; /* that was asked for; NULL: none */
};
void core_refused(struct core *core, struct session *s, const struct core_refusal *refusal);

/* --- the gateways ------------------------------------------------------------------------------ */

/* core_gateway_stat: what the gateway links said last (STATS), put together by name (link_stats.h); false past the last. */
bool core_gateway_stat(const struct core *core, size_t index, struct link_stat *out);

#endif
