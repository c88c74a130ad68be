/*
 * takeover: one gateway hands its listening sockets to the next (DESIGN §7, --takeover), over the old one's
 * status socket: closing a SO_REUSEPORT socket would reset who waits in its queue.
 *
 *     new → POST /takeover          old: the same user, or root? serving? no other takeover?
 *     old → 200, Cofre-Sockets: n, then n descriptors (SCM_RIGHTS), a byte with each up to 64 of them
 *     new   binds what is missing, starts, finds the core, puts its status socket in place
 *     new → "ready"                 old: closes its sockets and ends when its sessions have
 *
 * Until "ready" both may fail, and the old one just goes on. Main thread only.
 */
#ifndef COFRE_GATEWAY_TAKEOVER_H
#define COFRE_GATEWAY_TAKEOVER_H

#include "status/listen_set.h"

enum { TAKEOVER_SOCKETS_MAX = 65536 };

/* takeover_ready is what the new gateway says in the end. */
#define TAKEOVER_READY SLICE("ready\n")

/* The new one's side. */
struct takeover {
    int fd; /* to the old gateway, or -1: there is none */
};

/*
 * takeover_begin adds the old gateway's sockets to `inherited`. When nobody listens at the path there is
 * nothing to take over, which is fine. Waits for some seconds at most.
 */
MUST_CHECK enum err takeover_begin(struct takeover *t, const char *path, const char *user,
                                   struct listen_set *inherited, struct load_error *why);

/* takeover_finish makes the old one let go. */
void takeover_finish(struct takeover *t);

/* The old one's side. takeover_peer: the process behind a connected socket; ERR_REFUSED: not one of ours. */
MUST_CHECK enum err takeover_peer(int fd, const char *user, int *pid);

/* takeover_send sends the answer and the sockets, at once: it is little. */
MUST_CHECK enum err takeover_send(int fd, const struct listen_set *sockets);

#endif
