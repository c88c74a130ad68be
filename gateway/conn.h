/*
 * conn: one client's connection. It belongs to its worker's thread from accept to the last close
 * callback, and frees itself then.
 *
 *     accept → PROXY header → ClientHello → handshake → limits   (conn_arrival.c)
 *     socket → TLS → whole commands → the worker's link          (conn.c)
 *     the link's replies → TLS → socket, credit, restarts        (conn_link.c)
 */
#ifndef COFRE_GATEWAY_CONN_H
#define COFRE_GATEWAY_CONN_H

#include <sys/socket.h>

#include "address.h"
#include "worker.h"

struct conn;

/* conn_accept takes the socket over and awaits its handshake. `session` is its name on the link. */
struct conn *conn_accept(struct worker *w, int fd, const struct sockaddr_storage *from,
                         uint64_t session);

/* What the worker's reception decides: its handshake may be worked on; there are too many, it has to go. */
void conn_serve(struct arrival *a);
void conn_give_way(struct arrival *a);

uint64_t conn_session(const struct conn *c);

/* What the status says of a session. Lent by the connection, but for the address. */
struct conn_facts {
    const struct peer *peer;
    char address[ADDRESS_TEXT];
    struct tls_session_info tls;
    int64_t opened_at; /* unix ms */
};

/* conn_facts: false unless it is a live session, whose client is known. */
bool conn_facts(const struct conn *c, struct conn_facts *out);

/* conn_trusted_until: until when the trust of a live session holds, unix seconds; INT64_MAX: it is none. */
int64_t conn_trusted_until(const struct conn *c);

/* conn_is_quiet: a session that is answered, and whose client has sent nothing for so long. */
bool conn_is_quiet(const struct conn *c, uint64_t ms);

/*
 * conn_finish takes no more commands, lets the replies that are under way out, says close_notify and
 * closes. A handshake under way has a second to be finished, so that its client is told, too. `why` is for
 * the log.
 */
void conn_finish(struct conn *c, const char *why);

/* conn_kill closes at once. */
void conn_kill(struct conn *c, const char *why);

/* conn_on_signature: the key holder has answered; empty: it refused. */
void conn_on_signature(struct conn *c, struct slice signature);

/* conn_peer: who it is, as long as it is served; NULL during the handshake and when it is over. */
const struct peer *conn_peer(const struct conn *c);

/*
 * conn_distrust ends a served connection whose certificate does not count any more: it is told so by an
 * alert, replies that did not leave are not sent. Logs it.
 */
void conn_distrust(struct conn *c, const struct refusal *why);

/* conn_on_deadline: the time that worker_set_deadline set for it has come. */
void conn_on_deadline(struct conn *c);

/* conn_read_again: the link has room again, clients that were not read may be. */
void conn_read_again(struct conn *c);

/* What the link brings; see conn_link.c. */
void conn_link_up(struct conn *c);
void conn_link_down(struct conn *c);
void conn_on_frame(struct conn *c, const struct frame *f);
void conn_deliver_batch(struct conn *c);

/* conn_send_part appends one frame of a long request to the link; true while there is more. */
bool conn_send_part(struct conn *c);

#endif
