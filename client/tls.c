/*
 * tls: handshake, reading and writing, and what a failure of one of them means in words. Whom to trust is
 * decided in tls_verify.c, what the files hold in tls_context.c.
 */
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls_inside.h"
#include "wait.h"

/*
 * What the server's alert says, and what to do about it. One row per reason of BoringSSL's error queue:
 * reason   SSL_R_… (for alerts: 1000 plus the number in RFC 8446 §6)
 * text     continues "the server at HOST:PORT …"; %s is my certificate's file
 */
struct alert_row {
    int reason;
    const char *text;
};
static const struct alert_row alerts[] = {
    { SSL_R_TLSV1_ALERT_UNKNOWN_CA,
      "does not trust my certificate %s: it was issued by a CA the server does not know, or is not pinned there" },
    { SSL_R_TLSV1_ALERT_CERTIFICATE_REQUIRED,
      "got no certificate from me, though one is required: check that %s holds one" },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
      "says that my certificate %s has expired: get a new one, or check the clocks of both machines" },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
      "says that my certificate %s was revoked: get a new one from whoever issued it" },
    { SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
      "refused my certificate %s: it is damaged, has no usable name, or is not one the server trusts" },
    { SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
      "refused my certificate %s as of a wrong kind: it must allow client authentication" },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
      "refused my certificate %s: ask whoever runs the server, its log says why" },
    { SSL_R_TLSV1_ALERT_ACCESS_DENIED,
      "knows my certificate %s but lets it in no longer: ask whoever runs the server" },
    { SSL_R_TLSV1_ALERT_DECRYPT_ERROR,
      "could not check my signature: the key may not fit the certificate %s" },
    { SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
      "found no way of encryption that both sides know, or got no certificate it can use (mine is %s)" },
    { SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
      "speaks neither TLS 1.2 nor 1.3 (my certificate %s was not looked at)" },
    { SSL_R_TLSV1_ALERT_INTERNAL_ERROR,
      "had an internal error in the handshake (my certificate is %s): its log says why" },
};

/* wait_for waits for what the last SSL_* call asked for; ERR_CLOSED when it did not ask but fail. */
static enum err wait_for(struct tls *t, int ssl_error, int64_t deadline)
{
    if (ssl_error == SSL_ERROR_WANT_READ) {
        return wait_until(t->fd, POLLIN, deadline);
    }
    if (ssl_error == SSL_ERROR_WANT_WRITE) {
        return wait_until(t->fd, POLLOUT, deadline);
    }
    return ERR_CLOSED;
}

static bool explain_alert(struct tls *t, int reason, struct problem *problem)
{
    char text[512];

    for (size_t i = 0; i < ARRAY_SIZE(alerts); i++) {
        if (alerts[i].reason == reason) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            (void)snprintf(text, sizeof(text), alerts[i].text, t->context->files.cert);
#pragma GCC diagnostic pop
            problem_set(problem, EXIT_CONNECTION, "the server at %s %s", t->where, text);
            return true;
        }
    }
    return false;
}

/* A connection that just ends before any answer was most often a server that takes another certificate. */
static void explain_end(struct tls *t, int saved_errno, struct problem *problem)
{
    bool reset = saved_errno == ECONNRESET || saved_errno == EPIPE;

    if (saved_errno != 0 && !reset) {
        problem_set(problem, EXIT_CONNECTION, "the connection to %s failed: %s", t->where,
                    strerror(saved_errno));
    } else if (!t->answered) {
        problem_set(
            problem, EXIT_CONNECTION,
            "the server at %s ended the connection without an answer: it may have refused my certificate %s, "
            "or be too busy; its log says why",
            t->where, t->context->files.cert);
    } else {
        problem_set(problem, EXIT_CONNECTION, "the server at %s ended the connection", t->where);
    }
}

/* explain_failure puts a failed SSL_* call into words. */
static void explain_failure(struct tls *t, int ssl_error, int saved_errno, struct problem *problem)
{
    uint32_t error = ERR_peek_error();
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;

    if (t->verdict.text[0] != '\0') {
        *problem = t->verdict;
    } else if (ssl_error == SSL_ERROR_ZERO_RETURN || ssl_error == SSL_ERROR_SYSCALL || error == 0) {
        explain_end(t, saved_errno, problem);
    } else if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
               reason == SSL_R_UNEXPECTED_RECORD) {
        problem_set(problem, EXIT_CONNECTION,
                    "what answers at %s does not speak TLS: check host and port", t->where);
    } else if (!explain_alert(t, reason, problem)) {
        problem_set(problem, EXIT_CONNECTION, "TLS with the server at %s failed: %s", t->where,
                    ERR_reason_error_string(error));
    }
    ERR_clear_error();
}

static bool is_address(const char *name)
{
    struct in6_addr any;
    return inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1;
}

/* An address is verified as an address and never sent as SNI (RFC 6066 §3). */
static enum err set_name(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (is_address(name)) {
        return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1 ? ERR_OK : ERR_INVALID;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (X509_VERIFY_PARAM_set1_host(param, name, strlen(name)) != 1 ||
        SSL_set_tlsext_host_name(ssl, name) != 1) {
        return ERR_INVALID;
    }
    return ERR_OK;
}

static enum err shake_hands(struct tls *t, int64_t deadline, struct problem *problem)
{
    for (;;) {
        ERR_clear_error();
        errno = 0;
        int done = SSL_connect(t->ssl);
        int saved_errno = errno;
        if (done == 1) {
            return ERR_OK;
        }
        int ssl_error = SSL_get_error(t->ssl, done);
        enum err err = wait_for(t, ssl_error, deadline);
        if (err == ERR_TIMEOUT) {
            problem_set(
                problem, EXIT_CONNECTION,
                "what listens at %s accepted the connection but did not finish the TLS handshake in time: check "
                "host and port, or allow more with --timeout",
                t->where);
            return err;
        }
        if (err != ERR_OK) {
            explain_failure(t, ssl_error, saved_errno, problem);
            return err;
        }
    }
}

struct tls *tls_open(const struct tls_context *c, int fd, const struct tls_peer *peer,
                     int64_t deadline, struct problem *problem)
{
    struct tls *t = mem_zalloc(sizeof(*t));

    t->context = c;
    t->peer = peer;
    t->fd = fd;
    (void)snprintf(t->where, sizeof(t->where), "%s", peer->where);
    t->ssl = SSL_new(c->ctx);
    if (t->ssl == NULL || SSL_set_ex_data(t->ssl, 0, t) != 1 || SSL_set_fd(t->ssl, fd) != 1 ||
        set_name(t->ssl, peer->name) != ERR_OK) {
        problem_set(problem, EXIT_USAGE, "'%s' is no name that a server can have", peer->name);
        goto fail;
    }
    if (shake_hands(t, deadline, problem) != ERR_OK) {
        goto fail;
    }
    t->peer = NULL;
    return t;
fail:
    tls_free(t);
    return NULL;
}

void tls_free(struct tls *t)
{
    if (t == NULL) {
        return;
    }
    if (t->ssl != NULL && !SSL_in_init(t->ssl)) {
        (void)SSL_shutdown(t->ssl);
    }
    ERR_clear_error();
    SSL_free(t->ssl);
    (void)close(t->fd);
    free(t);
}

/* last_words reads what the server said before it hung up on our writing: the alert with the reason. */
static void last_words(struct tls *t, struct problem *problem)
{
    uint8_t byte;
    size_t n;
    struct problem heard;

    if (wait_until(t->fd, POLLIN, wait_now() + 200) == ERR_OK &&
        tls_read(t, &byte, 1, &n, &heard) != ERR_OK) {
        *problem = heard;
    }
}

enum err tls_write(struct tls *t, struct slice bytes, struct problem *problem)
{
    while (bytes.len > 0) {
        ERR_clear_error();
        errno = 0;
        int chunk = bytes.len > (1 << 20) ? 1 << 20 : (int)bytes.len;
        int n = SSL_write(t->ssl, bytes.p, chunk);
        int saved_errno = errno;
        if (n > 0) {
            bytes = (struct slice){ bytes.p + n, bytes.len - (size_t)n };
            continue;
        }
        int ssl_error = SSL_get_error(t->ssl, n);
        if (wait_for(t, ssl_error, WAIT_FOREVER) != ERR_OK) {
            explain_failure(t, ssl_error, saved_errno, problem);
            last_words(t, problem);
            return ERR_CLOSED;
        }
    }
    return ERR_OK;
}

enum err tls_read(struct tls *t, uint8_t *p, size_t cap, size_t *n, struct problem *problem)
{
    for (;;) {
        ERR_clear_error();
        errno = 0;
        int got = SSL_read(t->ssl, p, cap > (1 << 20) ? 1 << 20 : (int)cap);
        int saved_errno = errno;
        if (got > 0) {
            t->answered = true;
            *n = (size_t)got;
            return ERR_OK;
        }
        int ssl_error = SSL_get_error(t->ssl, got);
        enum err err = wait_for(t, ssl_error, WAIT_FOREVER);
        if (err == ERR_INTERRUPTED) {
            return err;
        }
        if (err != ERR_OK) {
            explain_failure(t, ssl_error, saved_errno, problem);
            return ERR_CLOSED;
        }
    }
}

/* SSL_peek also digests what is no data: session tickets, alerts, the end. */
bool tls_is_over(struct tls *t)
{
    uint8_t byte;

    ERR_clear_error();
    int got = SSL_peek(t->ssl, &byte, 1);
    bool over = got <= 0 && SSL_get_error(t->ssl, got) != SSL_ERROR_WANT_READ;
    ERR_clear_error();
    return over;
}
