/*
 * link_server: the Unix socket that gateways connect to. It is where links (link.h) come
 * from, and what is done with all of them. Only the gateway's uid is let in (SO_PEERCRED).
 */
#ifndef COFRE_LINK_SERVER_H
#define COFRE_LINK_SERVER_H

#include <sys/types.h>

#include "core_private.h"

struct link_server;

/* The kernel's overflow uid: what a peer from another user namespace looks like. It is never let in. */
enum { LINK_NOBODY = 65534 };

/*
 * link_server_new listens on a path; gateway_uid is the one uid that may connect. ERR_INVALID with a text in why[] when
 * the path is taken by a running core or cannot be used; a stale socket is replaced.
 */
MUST_CHECK enum err link_server_new(struct core *core, const char *path, uid_t gateway_uid,
                                    char *why, size_t why_size, struct link_server **out);
/* link_server_stop takes no new links and tells the gateways to send no more requests; replies still leave. */
void link_server_stop(struct link_server *ls);
/* link_server_close ends the links and with them all sessions. */
void link_server_close(struct link_server *ls);
void link_server_free(
    struct link_server *ls); /* closes everything; run the loop once more before closing it */
void link_server_flush(
    struct link_server *ls); /* sends what was gathered; once per loop iteration */
/* link_server_idle, after stop: no request will come any more, and all replies have left. */
bool link_server_idle(const struct link_server *ls);

/* link_server_end_sessions closes those; once per loop iteration, before turns are started. */
void link_server_end_sessions(struct link_server *ls);

/* link_stat: what the gateways have sent, put together by name; false past the last. */
bool link_stat(const struct link_server *ls, size_t index, struct link_stat *out);

#endif
