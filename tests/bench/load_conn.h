/*
 * load_conn: many TLS 1.3 client connections on one epoll, in one thread. It opens, sends bytes, counts RESP replies
 * and reports; what to send, and when, is its owner's business.
 */
#ifndef BENCH_LOAD_CONN_H
#define BENCH_LOAD_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "load_cert.h"
#include "load_replies.h"

enum conn_state { CONN_UNUSED, CONN_CONNECTING, CONN_HANDSHAKE, CONN_OPEN };

struct conn {
    struct pool *pool;
    unsigned index; /* in the pool's array */
    enum conn_state state;
    int fd;
    SSL *ssl;
    SSL_SESSION *session; /* the newest ticket, kept across connections when the pool resumes */
    struct replies replies;
    uint8_t *unsent; /* heap; what the socket did not take */
    size_t unsent_len;
    bool unfinished; /* the opening is counted in pool->opening */
    /* The owner's: */
    uint64_t started; /* ns; when the connection began */
    uint64_t sent;    /* requests so far */
    uint64_t answered;
    uint64_t sent_at; /* ns */
};

/* What the owner hears. on_open, on_replies may send and close. */
struct pool_events {
    void (*on_open)(struct conn *c);
    void (*on_replies)(struct conn *c, unsigned count);
    void (*on_lost)(struct conn *c, const char *why); /* the conn is CONN_UNUSED already */
};

struct pool_settings {
    const char *host;
    int port;
    const char *sni;
    const char *server_cert; /* the one certificate that the server may show */
    const char *cert;
    const char *key;
    const char *ca_cert; /* with ca_key: a new certificate for each connection */
    const char *ca_key;
    bool resume;
};

struct pool;

/* pool_new returns NULL after a line on standard error when a file cannot be used. */
struct pool *pool_new(const struct pool_settings *settings, const struct pool_events *events,
                      void *owner, unsigned max);
void pool_free(struct pool *pool);
void *pool_owner(struct pool *pool);
struct conn *pool_conn(struct pool *pool, unsigned index);
struct totals *pool_totals(struct pool *pool);

/* pool_opening: how many connections are not open yet. */
unsigned pool_opening(const struct pool *pool);

/* pool_tls names protocol and cipher of the last connection that opened, "" before that. */
const char *pool_tls(const struct pool *pool);

/* pool_watch_stdin makes pool_poll return true once standard input has something to read, or has ended. */
void pool_watch_stdin(struct pool *pool, bool watch);

/* pool_poll waits at most so many ns, and handles what came. Returns whether standard input is ready. */
bool pool_poll(struct pool *pool, uint64_t ns);

/* conn_open begins a connection; on_open or on_lost follows, never from within. */
MUST_CHECK enum err conn_open(struct conn *c);

/* conn_send encrypts and sends; what the socket does not take is kept and sent later. */
void conn_send(struct conn *c, const uint8_t *bytes, size_t len);

/* conn_close says goodbye (close_notify) and closes. No callback follows. */
void conn_close(struct conn *c);

uint64_t now_ns(void);

#endif
