/*
 * session_private: the fields of a session, for the four files that move requests through it:
 * link_server (frames in, replies out), dispatch (gates), turn (units), session itself.
 *
 *     frames ──▶ queue ──gates──▶ units ──turn──▶ replies ──credit──▶ frames
 */
#ifndef COFRE_SESSION_PRIVATE_H
#define COFRE_SESSION_PRIVATE_H

#include "identity.h"
#include "request.h"
#include "session.h"

/* Where the session's units are. One setter: lanes.c's set_place(). */
enum session_place {
    SESSION_IDLE,       /* no units */
    SESSION_WAIT_READ,  /* units, none of which writes: waits for a read turn */
    SESSION_WAIT_WRITE, /* units, some of which write: waits for the write turn */
    SESSION_IN_TURN,
};

enum session_life {
    SESSION_OPEN,
    SESSION_QUITTING, /* its last reply is on the way (QUIT) */
    SESSION_GONE,     /* the client left; freed when it is in no turn */
};

enum { WATCH_BROKEN = -2 }; /* no revision is that */

struct watch {
    struct watch *next;
    uint32_t db;
    int64_t revision; /* 0: the key was absent; WATCH_BROKEN: this core has written to it since */
    struct slice key; /* owned */
};

struct multi {
    struct request_list queued;
    bool failed;    /* a queued command was refused: EXEC answers EXECABORT */
    bool writes;    /* a queued command writes, or counts as a write while clients are paused */
    uint64_t gated; /* acl_generation when the first command was queued */
    bool selected;  /* a SELECT is queued: what is queued next runs in db_number */
    uint32_t db_number;
};

struct session_link {
    struct session *prev;
    struct session *next;
};

struct session {
    struct core *core;
    struct link *link;
    uint64_t wire_id; /* the gateway's number for it */
    uint64_t id;      /* CLIENT ID */
    enum session_life life;
    enum session_place place;
    struct session_link all;      /* core's list, in order of id */
    struct session_link waiting;  /* a list of lanes.c, by place */
    struct session_link monitors; /* core's list, with SESSION_MONITOR */
    struct session *bucket_next;  /* the link's table, by wire_id */
    struct session *id_next;      /* core's table, by id */
    struct session *pump_prev;    /* the link's ring of sessions with replies that wait */
    struct session *pump_next;

    struct identity *identity;
    struct acl_user *user;  /* who that is in the ACL; a reference, renewed by core_acl_changed */
    struct frame_open info; /* slices point into info_bytes */
    uint8_t *info_bytes;
    struct session_vars vars;
    uint32_t switches;  /* enum session_switch */
    bool paused;        /* a pause holds it up; set by pause_session */
    const char *ending; /* why it is closed at the end of this loop iteration; NULL: it is not */
    uint8_t *names
        [SESSION_NAME_COUNT]; /* C strings, NULL when empty; they hold no NUL (CLIENT SETNAME checks) */

    struct request_list queue; /* not yet past the gates */
    struct request_list units; /* past the gates, waiting for a turn */
    size_t unit_writes;        /* of them, how many write */
    uint64_t gated;            /* acl_generation that the units have passed */
    struct buf assembling;     /* a request that comes in several frames */
    struct multi *multi;       /* NULL outside MULTI */
    struct watch *watches;
    struct subscriber subscriber;
    struct tracker tracker;
    struct session_link watching; /* core's list of those with watches */

    int64_t sleep_ms; /* what the command that runs asked for */
    struct nap *nap;  /* NULL when it does not sleep */

    struct buf out;        /* replies that wait for credit */
    uint32_t out_answered; /* requests that they complete */
    int64_t credit;        /* reply bytes that the gateway will still take */
    struct buf held;       /* pushes that must follow the reply that is being made */
    bool holds;            /* there is such a reply */
    bool cut;    /* it did not read what it was sent, and gets nothing more; `ending` says why */
    bool pushed; /* there are pushes among what waits: it has a subscriber's limit */
    uint64_t
        over_since_ms; /* monotonic, since when what waits is over the soft limit; 0: it is not */

    int64_t opened_ms; /* unix ms */
    uint64_t last_ms;  /* monotonic, of the last request */
    const struct command *last_command;
    uint64_t commands;
    uint64_t state_hash; /* of the STATE record that the gateway keeps; 0: none */
};

struct session *session_new(struct core *core, struct link *link, uint64_t wire_id,
                            const struct frame_open *open);
void session_free(struct session *s);

/* session_break_watches: what `written` says yes to has been written, and may since be as it was before. */
void session_break_watches(struct session *s, bool (*written)(void *arg, const struct watch *w),
                           void *arg);

/* session_restore sets what a STATE record says; false when it is malformed. */
bool session_restore(struct session *s, struct slice state);
/* session_write_state builds the record; returns the frame's flags: PINNED (it cannot be carried over), LISTENS. */
uint8_t session_write_state(const struct session *s, struct buf *out);

#endif
