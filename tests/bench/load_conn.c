/*
 * load_conn: BoringSSL over a BIO of our own. Each readable event is one large read into a buffer that all connections
 * share (BoringSSL itself would make two small ones for each record), and what a connection sends in one go is one
 * write. The server's certificate is compared, not verified: the load generator is to be much cheaper than the server.
 */
#include "load_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>

#define IO_SIZE     ((size_t)256 << 10)
#define EVENTS      256
#define STDIN_INDEX UINT32_MAX

struct pool {
    struct pool_settings settings;
    const struct pool_events *events;
    void *owner;
    struct sockaddr_in address;
    SSL_CTX *ctx;
    BIO_METHOD *bio;
    CRYPTO_BUFFER *server_cert;
    struct issuer *issuer;
    int epoll;
    struct conn *conns;
    unsigned max;
    unsigned opening;
    unsigned issued;
    bool stdin_ready;
    struct totals totals;
    char tls[64];

    /* in: [0, in_at) given to TLS · [in_at, in_len) not yet · in_eof: the end follows */
    uint8_t in[IO_SIZE];
    size_t in_at;
    size_t in_len;
    bool in_eof;
    uint8_t plain[IO_SIZE];
    uint8_t
        *out; /* [0, out_len) of the connection at hand, to be written · [out_len, out_cap) free */
    size_t out_len;
    size_t out_cap;
};

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* ---- the BIO ---- */

static int bio_read(BIO *bio, char *to, int len)
{
    struct pool *pool = ((struct conn *)BIO_get_data(bio))->pool;
    size_t left = pool->in_len - pool->in_at;
    BIO_clear_retry_flags(bio);
    if (left == 0) {
        if (!pool->in_eof) {
            BIO_set_retry_read(bio);
        }
        return pool->in_eof ? 0 : -1;
    }
    size_t n = left < (size_t)len ? left : (size_t)len;
    memcpy(to, pool->in + pool->in_at, n);
    pool->in_at += n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *from, int len)
{
    struct pool *pool = ((struct conn *)BIO_get_data(bio))->pool;
    if (pool->out_len + (size_t)len > pool->out_cap) {
        pool->out_cap = (pool->out_len + (size_t)len) * 2;
        pool->out = mem_realloc(pool->out, pool->out_cap);
    }
    memcpy(pool->out + pool->out_len, from, (size_t)len);
    pool->out_len += (size_t)len;
    return len;
}

static long bio_ctrl(BIO *bio, int cmd, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return cmd == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *new_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "load");
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    BIO_meth_set_create(method, bio_create);
    return method;
}

/* ---- the pool ---- */

static enum ssl_verify_result_t check_server(SSL *ssl, uint8_t *alert)
{
    struct conn *c = SSL_get_app_data(ssl);
    const STACK_OF(CRYPTO_BUFFER) *chain = SSL_get0_peer_certificates(ssl);
    const CRYPTO_BUFFER *leaf = sk_CRYPTO_BUFFER_value(chain, 0);
    const CRYPTO_BUFFER *want = c->pool->server_cert;
    if (CRYPTO_BUFFER_len(leaf) == CRYPTO_BUFFER_len(want) &&
        memcmp(CRYPTO_BUFFER_data(leaf), CRYPTO_BUFFER_data(want), CRYPTO_BUFFER_len(want)) == 0) {
        return ssl_verify_ok;
    }
    *alert = SSL_AD_BAD_CERTIFICATE;
    return ssl_verify_invalid;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct conn *c = SSL_get_app_data(ssl);
    SSL_SESSION_free(c->session);
    c->session = session;
    return 1;
}

static bool use_files(struct pool *pool)
{
    const struct pool_settings *s = &pool->settings;
    struct cert_pair pair;
    pool->server_cert = cert_read(s->server_cert);
    if (pool->server_cert == NULL) {
        fprintf(stderr, "load: cannot read --server-cert %s\n", s->server_cert);
        return false;
    }
    if (s->ca_key != NULL) {
        pool->issuer = issuer_new(s->ca_cert, s->ca_key);
        if (pool->issuer == NULL) {
            fprintf(stderr, "load: cannot use --ca %s and --ca-key %s\n", s->ca_cert, s->ca_key);
        }
        return pool->issuer != NULL;
    }
    if (cert_pair_read(s->cert, s->key, &pair) != ERR_OK) {
        fprintf(stderr, "load: cannot use --cert %s and --key %s\n", s->cert, s->key);
        return false;
    }
    int used = SSL_CTX_set_chain_and_key(pool->ctx, &pair.cert, 1, pair.key, NULL);
    cert_pair_release(&pair);
    return used == 1;
}

static void set_up_tls(struct pool *pool)
{
    pool->ctx = SSL_CTX_new(TLS_with_buffers_method());
    pool->bio = new_method();
    SSL_CTX_set_min_proto_version(pool->ctx, TLS1_3_VERSION);
    SSL_CTX_set_custom_verify(pool->ctx, SSL_VERIFY_PEER, check_server);
    if (pool->settings.resume) {
        SSL_CTX_set_session_cache_mode(pool->ctx,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(pool->ctx, keep_session);
    }
}

struct pool *pool_new(const struct pool_settings *settings, const struct pool_events *events,
                      void *owner, unsigned max)
{
    struct pool *pool = mem_zalloc(sizeof *pool);
    pool->settings = *settings;
    pool->events = events;
    pool->owner = owner;
    pool->max = max;
    pool->conns = mem_zalloc(max * sizeof *pool->conns);
    pool->epoll = epoll_create1(EPOLL_CLOEXEC);
    pool->address.sin_family = AF_INET;
    pool->address.sin_port = htons((uint16_t)settings->port);
    for (unsigned i = 0; i < max; i++) {
        pool->conns[i] = (struct conn){ .pool = pool, .index = i, .fd = -1 };
    }
    set_up_tls(pool);
    if (inet_pton(AF_INET, settings->host, &pool->address.sin_addr) != 1) {
        fprintf(stderr, "load: --host wants an IPv4 address, not %s\n", settings->host);
    } else if (use_files(pool)) {
        return pool;
    }
    pool_free(pool);
    return NULL;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    for (unsigned i = 0; i < pool->max; i++) {
        conn_close(&pool->conns[i]);
        SSL_SESSION_free(pool->conns[i].session);
    }
    SSL_CTX_free(pool->ctx);
    BIO_meth_free(pool->bio);
    CRYPTO_BUFFER_free(pool->server_cert);
    issuer_free(pool->issuer);
    close(pool->epoll);
    free(pool->conns);
    free(pool->out);
    free(pool);
}

void *pool_owner(struct pool *pool)
{
    return pool->owner;
}

struct conn *pool_conn(struct pool *pool, unsigned index)
{
    return &pool->conns[index];
}

struct totals *pool_totals(struct pool *pool)
{
    return &pool->totals;
}

unsigned pool_opening(const struct pool *pool)
{
    return pool->opening;
}

const char *pool_tls(const struct pool *pool)
{
    return pool->tls;
}

void pool_watch_stdin(struct pool *pool, bool watch)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = STDIN_INDEX };
    int rc = epoll_ctl(pool->epoll, watch ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, STDIN_FILENO, &event);
    /* A file or /dev/null cannot be waited for: it is always ready. */
    pool->stdin_ready = watch && rc < 0 && errno == EPERM;
}

/* ---- closing ---- */

static void opening_ended(struct conn *c)
{
    c->pool->opening -= c->unfinished;
    c->unfinished = false;
}

static void discard(struct conn *c)
{
    opening_ended(c);
    SSL_free(c->ssl);
    if (c->fd >= 0) {
        close(c->fd);
    }
    free(c->unsent);
    *c = (struct conn){ .pool = c->pool, .index = c->index, .fd = -1, .session = c->session };
}

static void lose(struct conn *c, const char *why)
{
    discard(c);
    c->pool->events->on_lost(c, why);
}

static void watch(struct conn *c, uint32_t events, int how)
{
    struct epoll_event event = { .events = events, .data.u32 = c->index };
    epoll_ctl(c->pool->epoll, how, c->fd, &event);
}

/* ---- sending ---- */

static void keep_unsent(struct conn *c, const uint8_t *bytes, size_t len)
{
    c->unsent = mem_realloc(c->unsent, c->unsent_len + len);
    memcpy(c->unsent + c->unsent_len, bytes, len);
    if (c->unsent_len == 0) {
        watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    }
    c->unsent_len += len;
}

/* flush writes what TLS made for this connection. A broken socket is left to the next read to report. */
static void flush(struct conn *c)
{
    struct pool *pool = c->pool;
    size_t done = 0;
    if (pool->out_len > 0 && c->unsent_len == 0) {
        ssize_t n = send(c->fd, pool->out, pool->out_len, MSG_NOSIGNAL);
        bool broken = n < 0 && errno != EAGAIN;
        done = broken ? pool->out_len : n > 0 ? (size_t)n : 0;
    }
    if (done < pool->out_len) {
        keep_unsent(c, pool->out + done, pool->out_len - done);
    }
    pool->out_len = 0;
}

static void on_writable(struct conn *c)
{
    ssize_t n = send(c->fd, c->unsent, c->unsent_len, MSG_NOSIGNAL);
    if (n <= 0) {
        return;
    }
    c->unsent_len -= (size_t)n;
    memmove(c->unsent, c->unsent + n, c->unsent_len);
    if (c->unsent_len == 0) {
        free(c->unsent);
        c->unsent = NULL;
        watch(c, EPOLLIN, EPOLL_CTL_MOD);
    }
}

void conn_send(struct conn *c, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        int n = SSL_write(c->ssl, bytes, len > INT32_MAX ? INT32_MAX : (int)len);
        if (n <= 0) {
            break; /* the connection is broken: the next read says so */
        }
        bytes += n;
        len -= (size_t)n;
    }
    flush(c);
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_OPEN) {
        c->pool->out_len = 0;
        SSL_shutdown(c->ssl);
        flush(c);
    }
    discard(c);
}

/* ---- opening ---- */

static bool set_up_session(struct conn *c)
{
    struct pool *pool = c->pool;
    BIO *bio = BIO_new(pool->bio);
    c->ssl = SSL_new(pool->ctx);
    BIO_set_data(bio, c);
    SSL_set_bio(c->ssl, bio, bio);
    SSL_set_app_data(c->ssl, c);
    SSL_set_connect_state(c->ssl);
    if (c->session != NULL) {
        SSL_set_session(c->ssl, c->session);
    }
    if (pool->issuer != NULL) {
        struct cert_pair pair;
        if (issuer_make(pool->issuer, pool->issued++, &pair) != ERR_OK) {
            return false;
        }
        int used = SSL_set_chain_and_key(c->ssl, &pair.cert, 1, pair.key, NULL);
        cert_pair_release(&pair);
        return used == 1;
    }
    return true;
}

enum err conn_open(struct conn *c)
{
    struct pool *pool = c->pool;
    int one = 1;
    c->started = now_ns();
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        return ERR_SYSTEM;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int rc = connect(c->fd, (struct sockaddr *)&pool->address, sizeof pool->address);
    if ((rc < 0 && errno != EINPROGRESS) || !set_up_session(c)) {
        discard(c);
        return ERR_SYSTEM;
    }
    c->state = CONN_CONNECTING;
    c->unfinished = true;
    pool->opening++;
    watch(c, EPOLLOUT, EPOLL_CTL_ADD);
    return ERR_OK;
}

static void opened(struct conn *c)
{
    struct pool *pool = c->pool;
    c->state = CONN_OPEN;
    opening_ended(c);
    pool->totals.opened++;
    pool->totals.resumed += (uint64_t)SSL_session_reused(c->ssl);
    if (pool->tls[0] == '\0') {
        snprintf(pool->tls, sizeof pool->tls, "%s %s %s", SSL_get_version(c->ssl),
                 SSL_CIPHER_standard_name(SSL_get_current_cipher(c->ssl)),
                 SSL_get_curve_name(SSL_get_curve_id(c->ssl)));
    }
    pool->events->on_open(c);
}

/* tls_failed: whether the last TLS call failed for good; it is told, and the connection is gone. */
static bool tls_failed(struct conn *c, int rc)
{
    int error = SSL_get_error(c->ssl, rc);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return false;
    }
    char why[160] = "closed by the server";
    if (error == SSL_ERROR_SSL) {
        ERR_error_string_n(ERR_get_error(), why, sizeof why);
    }
    ERR_clear_error();
    lose(c, why);
    return true;
}

static void handshake(struct conn *c)
{
    int rc = SSL_do_handshake(c->ssl);
    flush(c);
    if (rc == 1) {
        opened(c);
    } else {
        (void)tls_failed(c, rc);
    }
}

static void connected(struct conn *c)
{
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        lose(c, strerror(error));
        return;
    }
    c->state = CONN_HANDSHAKE;
    watch(c, EPOLLIN, EPOLL_CTL_MOD);
    handshake(c);
}

/* ---- receiving ---- */

/* decrypt handles what was read from the socket. The connection may be gone, or another, afterwards. */
static void decrypt(struct conn *c)
{
    struct pool *pool = c->pool;
    unsigned count = 0;
    int n = 0;
    if (c->state == CONN_HANDSHAKE) {
        handshake(c);
    }
    while (c->state == CONN_OPEN &&
           (n = SSL_read(c->ssl, pool->plain, (int)sizeof pool->plain)) > 0) {
        pool->totals.bytes += (uint64_t)n;
        count += replies_count(&c->replies, &pool->totals, pool->plain, (size_t)n);
    }
    if (c->state == CONN_OPEN && tls_failed(c, n)) {
        return;
    }
    if (c->state == CONN_OPEN && count > 0) {
        c->answered += count;
        pool->totals.replies += count;
        pool->events->on_replies(c, count);
    }
}

static void on_readable(struct conn *c)
{
    struct pool *pool = c->pool;
    ssize_t n = read(c->fd, pool->in, sizeof pool->in);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    pool->in_at = 0;
    pool->in_len = n > 0 ? (size_t)n : 0;
    pool->in_eof = n <= 0;
    decrypt(c);
    pool->in_len = pool->in_at = 0;
    pool->in_eof = false;
}

static void on_event(struct conn *c, uint32_t events)
{
    if (c->state == CONN_CONNECTING) {
        connected(c);
        return;
    }
    if ((events & EPOLLOUT) != 0 && c->unsent_len > 0) {
        on_writable(c);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && c->state != CONN_UNUSED) {
        on_readable(c);
    }
}

bool pool_poll(struct pool *pool, uint64_t ns)
{
    struct epoll_event events[EVENTS];
    struct timespec wait = { .tv_sec = (time_t)(ns / 1000000000U),
                             .tv_nsec = (long)(ns % 1000000000U) };
    bool input = pool->stdin_ready;
    int n = epoll_pwait2(pool->epoll, events, EVENTS, &wait, NULL);
    for (int i = 0; i < n; i++) {
        if (events[i].data.u32 == STDIN_INDEX) {
            input = true;
        } else if (pool->conns[events[i].data.u32].state != CONN_UNUSED) {
            on_event(&pool->conns[events[i].data.u32], events[i].events);
        }
    }
    return input;
}
