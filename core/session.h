/*
 * session: one client as the core knows it: identity, selected database, protocol, MULTI and WATCH state,
 * its queue of requests, and the replies that wait for credit. Owned by link_server; one thread.
 *
 * This header is what commands may see. How requests flow is in dispatch.h and turn.h.
 */
#ifndef COFRE_SESSION_H
#define COFRE_SESSION_H

#include "base/buf.h"
#include "pubsub.h"
#include "tracking.h"
#include "wire/frame.h"

struct acl_user;
struct session;
struct core;

/* The part of a session that commands may change and that a restarted turn puts back. */
struct session_vars {
    uint32_t keyspace;
    uint32_t db_number;
    int protocol; /* 2 or 3 */
};

/* What is on or off about a session (CLIENT LIST's flags, and what replies leave). */
enum session_switch {
    SESSION_MONITOR = 1 << 0, /* set by session_monitor */
    SESSION_NO_EVICT = 1 << 1,
    SESSION_NO_TOUCH = 1 << 2,
    SESSION_REPLY_OFF = 1 << 3,       /* no replies */
    SESSION_REPLY_SKIP = 1 << 4,      /* none to the request that is being carried out */
    SESSION_REPLY_SKIP_NEXT = 1 << 5, /* none to the next one */
};

struct session_vars *session_vars(struct session *s);
uint32_t session_db(const struct session *s); /* db_ref of the selected database */

uint64_t session_id(const struct session *s); /* CLIENT ID: grows, never used again on this core */
struct slice session_identity(const struct session *s); /* "cn:alice" */
const struct acl_user *session_user(
    const struct session *s); /* what the ACL makes of it; never NULL */
const struct frame_open *session_open_info(const struct session *s);
int64_t session_opened_ms(const struct session *s);
int64_t session_idle_seconds(const struct session *s);
const char *session_last_command(const struct session *s); /* "get", "client|list" */
size_t session_multi_count(
    const struct session *s); /* queued commands; SIZE_MAX when not in MULTI */
size_t session_watch_count(const struct session *s);
uint64_t session_commands(const struct session *s);

uint32_t session_switches(const struct session *s); /* enum session_switch */
void session_switch(struct session *s, uint32_t which, bool on);
bool session_is_paused(const struct session *s); /* a CLIENT PAUSE holds its next command up */
/* session_monitor: it is shown what other sessions of its keyspace do (MONITOR). */
void session_monitor(struct session *s);

/* Bytes that the core keeps for a session, now. */
struct session_memory {
    size_t requests;  /* the one being carried out, as it came in RESP, and those behind it */
    size_t arguments; /* of the one being carried out */
    size_t queued;    /* by MULTI */
    size_t replies;   /* that wait for the client to read */
    size_t total;     /* all of these and the session itself */
};
struct session_memory session_memory(const struct session *s);

/* Names: CLIENT SETNAME, SETINFO. Copied; empty takes it away. */
enum session_name { SESSION_NAME, SESSION_LIB_NAME, SESSION_LIB_VERSION, SESSION_NAME_COUNT };
struct slice session_name(const struct session *s, enum session_name which);
void session_set_name(struct session *s, enum session_name which, struct slice name);

bool session_in_multi(const struct session *s);
void session_begin_multi(struct session *s);
void session_discard_multi(struct session *s); /* also unwatches */

/* session_watch remembers the revision that the key had (0: absent); the first one counts. */
void session_watch(struct session *s, uint32_t db, struct slice key, int64_t revision);
void session_unwatch(struct session *s);

/* Subscriptions (pubsub.h), in the session's keyspace. A change is true when it changed something. */
bool session_subscribe(struct session *s, enum pubsub_kind kind, struct slice name);
bool session_unsubscribe(struct session *s, enum pubsub_kind kind, struct slice name);
const struct subscriber *session_subscriber(const struct session *s);
/* session_only_listens: with RESP2, a client that has subscriptions may do little else. */
bool session_only_listens(const struct session *s);

/* Tracking (tracking.h): what CLIENT TRACKING sets; flags without TRACKING_ON. CACHING alone is the caller's to set. */
void session_track(struct session *s, uint32_t flags, uint64_t redirect,
                   const struct slice *prefixes, size_t count);
void session_untrack(struct session *s);
struct tracker *session_tracker(struct session *s);

/* session_quit: the reply being written is the last; the gateway closes the client after it. */
void session_quit(struct session *s);
/* session_sleep: the reply being written leaves in so many ms, and nothing more is started before that (DEBUG SLEEP). */
void session_sleep(struct session *s, int64_t ms);
/* session_reset: as after connecting (RESET), but for names of the library. */
void session_reset(struct session *s);

#endif
