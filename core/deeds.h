/*
 * deeds: what commands do to other clients: ending their connections, pausing them. A command function only notes it. It
 * is done when the command is known to count: at once for one that runs by itself, after the commit for one in a
 * transaction; never for a turn that failed, once for a turn that had to begin again.
 */
#ifndef COFRE_DEEDS_H
#define COFRE_DEEDS_H

#include "base/buf.h"

struct session;

enum deed_kind {
    DEED_KILL,    /* session */
    DEED_PAUSE,   /* keyspace, writes_only, ms */
    DEED_UNPAUSE, /* keyspace */
};

struct deed {
    enum deed_kind kind;
    bool writes_only;
    uint32_t keyspace; /* of who asks */
    uint64_t session;  /* CLIENT ID */
    int64_t ms;
};

/* A list of deeds is a buf of them, one behind the other; nothing is ever consumed from its front. */
static inline void deeds_note(struct buf *deeds, const struct deed *deed)
{
    buf_append(deeds, deed, sizeof(*deed));
}

/*
 * deeds_do carries out the deeds of a session, which are a part of a list; offsets are bytes, as buf_len counts them. Called
 * before the reply leaves: a session that kills itself is closed behind it.
 */
void deeds_do(struct session *s, const struct buf *deeds, size_t start, size_t length);

#endif
