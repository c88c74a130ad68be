/*
 * session: one conversation with the server, which outlives its connection: it connects, asks for
 * protocol and database, sends a command, waits for the reply, and connects again when it must.
 */
#ifndef COFRE_CLIENT_SESSION_H
#define COFRE_CLIENT_SESSION_H

#include "base/slice.h"
#include "problem.h"
#include "reply.h"

struct tls_context;

struct session_options {
    const struct tls_context *tls; /* must outlive the session */
    const char *host;
    int port;
    const char *sni; /* NULL: host */
    int64_t timeout_ms;
    int protocol;
    int64_t db;
};

struct session;

/* session_new makes no connection yet. A push that arrives between replies goes to on_push, if there is one. */
struct session *session_new(const struct session_options *options,
                            void (*on_push)(const struct reply *push, void *arg), void *arg);
void session_free(struct session *s);

/*
 * session_connect makes sure that there is a live connection; it costs nothing when there is one.
 * A new one has the database and protocol that the session last had. It fails, once, when the old one was lost
 * inside MULTI or after WATCH: that cannot be carried over.
 */
MUST_CHECK enum err session_connect(struct session *s, struct problem *problem);

/*
 * session_command sends one command over the live connection and waits for its reply, which the caller
 * frees. ERR_CLOSED: the connection was lost on the way, and nothing is sent a second time, because the
 * command may have been carried out.
 */
MUST_CHECK enum err session_command(struct session *s, const struct slice *argv, size_t argc,
                                    struct reply **out, struct problem *problem);

/*
 * session_follow sends a command whose answer has no end (SUBSCRIBE, MONITOR); session_next then waits for whatever the
 * server sends next, pushes included, which the caller frees. ERR_INTERRUPTED: see wait.h. Afterwards
 * session_disconnect takes the connection back to what every other command expects, as the next one opens a new one.
 */
MUST_CHECK enum err session_follow(struct session *s, const struct slice *argv, size_t argc,
                                   struct problem *problem);
MUST_CHECK enum err session_next(struct session *s, struct reply **out, struct problem *problem);
void session_disconnect(struct session *s);

bool session_is_connected(const struct session *s);

/* session_has_ended says, without waiting, that the server has ended an idle connection. */
bool session_has_ended(const struct session *s);
bool session_in_transaction(const struct session *s);
int64_t session_db(const struct session *s);
const char *session_where(const struct session *s); /* "host:port" */

#endif
