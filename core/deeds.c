/* Deeds: see the header. What each of them comes to is in pause.c and link_server.c. */
#include "deeds.h"

#include <string.h>

#include "core_private.h"
#include "link.h"
#include "pause.h"
#include "session_private.h"

static void kill_session(struct session *s, uint64_t id)
{
    struct session *victim = core_find_session(s->core, id);
    if (victim == s)
        session_quit(s);
    else if (victim)
        link_end_session(victim, "killed by CLIENT KILL");
}

static void do_deed(struct session *s, const struct deed *deed)
{
    struct pauses *pauses = s->core->pauses;
    switch (deed->kind) {
    case DEED_KILL:
        kill_session(s, deed->session);
        break;
    case DEED_PAUSE:
        pauses_begin(pauses, deed->keyspace, deed->writes_only, deed->ms);
        break;
    case DEED_UNPAUSE:
        pauses_end(pauses, deed->keyspace);
        break;
    }
}

void deeds_do(struct session *s, const struct buf *deeds, size_t start, size_t length)
{
    struct deed deed;
    for (size_t at = start; at + sizeof(deed) <= start + length; at += sizeof(deed)) {
        memcpy(&deed, deeds->p + deeds->start + at, sizeof(deed));
        do_deed(s, &deed);
    }
}
