/*
 * tls_session: BoringSSL's SSL objects, driven through one BIO per worker that reads what was fed and
 * writes to one output buffer; it always takes all bytes, so an SSL_write never has to be retried.
 * The callbacks of a handshake find their session through that BIO: an SSL carries no ex_data.
 */
#include "tls/tls_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>

#include "tls/tls_verified.h"

enum {
    OUT_MAX = 8 * 1024 * 1024,
    HELD_MAX = 1024 * 1024, /* a feed is smaller */
};

struct tls_engine {
    BIO_METHOD *method;
    BIO *bio;
    struct slice in;
    struct buf out;
    struct tls_context *context;
    struct tls_verified *verified;
    struct tls_session *current; /* whose call runs */
    struct tls_signer signer;
    struct slice signature; /* lent to the call that runs; p is NULL when there is none */
    struct buf held;        /* what `in` points into when a session goes on with what it had kept */
};

/* What only a handshake needs; freed when it is over. */
struct tls_handshake {
    struct tls_context *context; /* the one it began under, whatever is swapped in meanwhile */
    struct peer *peer;           /* from the certificate, or from the ticket that was opened */
    struct refusal refusal;
    uint64_t id;     /* for the signer */
    uint16_t pair;   /* which of the context's certificates was chosen */
    struct buf held; /* fed, not taken while a signature is awaited; one feed at most */
};

struct tls_session {
    SSL *ssl;
    struct tls_handshake *hs; /* NULL once open */
};

/* The BIO. */

static int bio_read(BIO *bio, char *out, int len)
{
    struct tls_engine *e = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (e->in.len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = e->in.len < (size_t)len ? e->in.len : (size_t)len;
    memcpy(out, e->in.p, n);
    e->in = (struct slice){ e->in.p + n, e->in.len - n };
    return (int)n;
}

static int bio_write(BIO *bio, const char *in, int len)
{
    struct tls_engine *e = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    buf_append(&e->out, in, (size_t)len);
    return e->out.overflow ? -1 : len;
}

static long bio_ctrl(BIO *bio, int cmd, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return cmd == BIO_CTRL_FLUSH;
}

struct tls_engine *tls_engine_new(void)
{
    struct tls_engine *e = mem_zalloc(sizeof(*e));
    e->method = BIO_meth_new(0, "cofre");
    BIO_meth_set_read(e->method, bio_read);
    BIO_meth_set_write(e->method, bio_write);
    BIO_meth_set_ctrl(e->method, bio_ctrl);
    e->bio = BIO_new(e->method);
    if (e->bio == NULL) {
        abort();
    }
    BIO_set_data(e->bio, e);
    BIO_set_init(e->bio, 1);
    buf_init(&e->out, OUT_MAX);
    buf_init(&e->held, HELD_MAX);
    e->verified = tls_verified_new();
    return e;
}

void tls_engine_free(struct tls_engine *e)
{
    if (e != NULL) {
        BIO_free(e->bio);
        BIO_meth_free(e->method);
        buf_release(&e->out);
        buf_release(&e->held);
        tls_verified_free(e->verified);
        tls_context_unref(e->context);
        free(e);
    }
}

void tls_engine_set_signer(struct tls_engine *e, struct tls_signer signer)
{
    e->signer = signer;
}

void tls_engine_use(struct tls_engine *e, struct tls_context *c)
{
    struct tls_context *former = e->context;
    e->context = tls_context_ref(c);
    tls_context_unref(former);
}

const struct tls_context *tls_engine_context(const struct tls_engine *e)
{
    return e->context;
}

void tls_engine_feed(struct tls_engine *e, struct slice ciphertext)
{
    e->in = ciphertext;
}

struct buf *tls_engine_out(struct tls_engine *e)
{
    return &e->out;
}

/* Callbacks of a handshake. */

static struct tls_engine *engine_of(const SSL *ssl)
{
    return BIO_get_data(SSL_get_rbio(ssl));
}

static struct tls_handshake *handshake_of(const SSL *ssl)
{
    return engine_of(ssl)->current->hs;
}

static void hash_chain(const STACK_OF(CRYPTO_BUFFER) *chain, uint8_t out[32])
{
    SHA256_CTX sha;
    SHA256_Init(&sha);
    for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(chain); i++) {
        const CRYPTO_BUFFER *cert = sk_CRYPTO_BUFFER_value(chain, i);
        uint64_t len = CRYPTO_BUFFER_len(cert);
        SHA256_Update(&sha, &len, sizeof(len));
        SHA256_Update(&sha, CRYPTO_BUFFER_data(cert), len);
    }
    SHA256_Final(out, &sha);
}

/* X.509 is parsed only when this very chain was not verified before under the same trust. */
static enum ssl_verify_result_t verify(SSL *ssl, uint8_t *out_alert)
{
    struct tls_engine *e = engine_of(ssl);
    struct tls_handshake *hs = e->current->hs;
    const STACK_OF(CRYPTO_BUFFER) *chain = SSL_get0_peer_certificates(ssl);
    uint64_t generation = tls_context_generation(hs->context);
    int64_t now = time(NULL);
    uint8_t hash[32];
    hash_chain(chain, hash);
    struct peer *peer = tls_verified_find(e->verified, generation, hash, now);
    if (peer != NULL) {
        peer = peer_ref(peer);
    } else {
        peer = tls_trust_verify(tls_context_trust(hs->context), tls_context_order(hs->context),
                                chain, now, &hs->refusal);
        if (peer == NULL) {
            *out_alert = refusal_alert(hs->refusal.kind);
            return ssl_verify_invalid;
        }
        memcpy(peer->chain, hash, sizeof(peer->chain));
        peer = tls_verified_share(e->verified, generation, peer, now);
    }
    peer_unref(hs->peer); /* of a ticket that was opened but did not resume */
    hs->peer = peer;
    return ssl_verify_ok;
}

static size_t seal_overhead(SSL *ssl)
{
    const struct tls_handshake *hs = handshake_of(ssl);
    return hs == NULL || hs->peer == NULL ? 0 : ticket_overhead(hs->peer);
}

static int seal(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out, const uint8_t *in,
                size_t in_len)
{
    const struct tls_handshake *hs = handshake_of(ssl);
    return hs != NULL && hs->peer != NULL &&
           ticket_seal(tls_context_tickets(hs->context), tls_context_generation(hs->context),
                       hs->peer, (struct slice){ in, in_len }, out, out_len, max_out);
}

static enum ssl_ticket_aead_result_t open_ticket(SSL *ssl, uint8_t *out, size_t *out_len,
                                                 size_t max_out, const uint8_t *in, size_t in_len)
{
    struct tls_engine *e = engine_of(ssl);
    struct tls_handshake *hs = e->current->hs;
    uint64_t generation = tls_context_generation(hs->context);
    int64_t now = time(NULL);
    struct peer *peer = ticket_open(tls_context_tickets(hs->context), generation, now,
                                    (struct slice){ in, in_len }, out, out_len, max_out);
    if (peer == NULL) {
        return ssl_ticket_aead_ignore_ticket;
    }
    peer_unref(hs->peer);
    hs->peer = tls_verified_share(e->verified, generation, peer, now);
    return ssl_ticket_aead_success;
}

static const SSL_TICKET_AEAD_METHOD ticket_method = {
    .max_overhead = seal_overhead,
    .seal = seal,
    .open = open_ticket,
};

/* The private key is elsewhere: ask, and go on when the answer is there. */

static enum ssl_private_key_result_t ask_signature(SSL *ssl, uint8_t *out, size_t *out_len,
                                                   size_t max_out, uint16_t scheme,
                                                   const uint8_t *in, size_t in_len)
{
    const struct tls_engine *e = engine_of(ssl);
    const struct tls_handshake *hs = e->current->hs;
    struct key_request request = { .id = hs->id,
                                   .set = tls_context_key_set(hs->context),
                                   .pair = hs->pair,
                                   .scheme = scheme,
                                   .message = { in, in_len } };
    (void)out;
    (void)out_len;
    (void)max_out;
    return e->signer.ask != NULL && e->signer.ask(e->signer.arg, &request)
               ? ssl_private_key_retry
               : ssl_private_key_failure;
}

static enum ssl_private_key_result_t take_signature(SSL *ssl, uint8_t *out, size_t *out_len,
                                                    size_t max_out)
{
    struct slice s = engine_of(ssl)->signature;
    if (s.p == NULL) {
        return ssl_private_key_retry;
    }
    if (s.len == 0 || s.len > max_out) {
        return ssl_private_key_failure;
    }
    memcpy(out, s.p, s.len);
    *out_len = s.len;
    return ssl_private_key_success;
}

/* Only RSA key exchange decrypts, and no suite of ours has it. */
static enum ssl_private_key_result_t no_decryption(SSL *ssl, uint8_t *out, size_t *out_len,
                                                   size_t max_out, const uint8_t *in, size_t in_len)
{
    (void)ssl;
    (void)out;
    (void)out_len;
    (void)max_out;
    (void)in;
    (void)in_len;
    return ssl_private_key_failure;
}

static const SSL_PRIVATE_KEY_METHOD remote_key = {
    .sign = ask_signature,
    .decrypt = no_decryption,
    .complete = take_signature,
};

const SSL_PRIVATE_KEY_METHOD *tls_context_remote_key(void)
{
    return &remote_key;
}

void tls_context_chose(SSL *ssl, size_t pair)
{
    handshake_of(ssl)->pair = (uint16_t)pair;
}

void tls_context_install(SSL_CTX *ssl_ctx)
{
    SSL_CTX_set_custom_verify(ssl_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify);
    SSL_CTX_set_ticket_aead_method(ssl_ctx, &ticket_method);
}

/* Sessions. */

struct tls_session *tls_session_new(struct tls_engine *e, uint64_t id)
{
    struct tls_session *s = mem_zalloc(sizeof(*s));
    s->ssl = SSL_new(tls_context_ssl(e->context));
    if (s->ssl == NULL) {
        abort();
    }
    s->hs = mem_zalloc(sizeof(*s->hs));
    s->hs->context = tls_context_ref(e->context);
    s->hs->id = id;
    buf_init(&s->hs->held, HELD_MAX);
    BIO_up_ref(e->bio);
    SSL_set_bio(s->ssl, e->bio, e->bio);
    SSL_set_accept_state(s->ssl);
    SSL_set_shed_handshake_config(s->ssl, 1);
    return s;
}

static void handshake_free(struct tls_handshake *hs)
{
    if (hs != NULL) {
        peer_unref(hs->peer);
        tls_context_unref(hs->context);
        buf_release(&hs->held);
        free(hs);
    }
}

void tls_session_free(struct tls_session *s)
{
    if (s != NULL) {
        SSL_free(s->ssl);
        handshake_free(s->hs);
        free(s);
    }
}

static enum tls_status status_of(struct tls_session *s, int ret)
{
    switch (SSL_get_error(s->ssl, ret)) {
    case SSL_ERROR_NONE:
        return TLS_DONE;
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_PRIVATE_KEY_OPERATION:
        return TLS_WANT_SIGNATURE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        return TLS_FAILED;
    }
}

static void enter(struct tls_engine *e, struct tls_session *s)
{
    e->current = s;
    ERR_clear_error();
}

/* A resumed session's hash of the certificate and its ticket's must say the same. */
static bool peer_is_the_sessions(const struct tls_session *s)
{
    const uint8_t *hash;
    size_t len;
    SSL_SESSION_get0_peer_sha256(SSL_get_session(s->ssl), &hash, &len);
    return s->hs->peer != NULL && len == sizeof(s->hs->peer->fingerprint) &&
           memcmp(hash, s->hs->peer->fingerprint, len) == 0;
}

/* What the log says of a client whose certificate is not at hand any more: as whom it was verified. */
static void describe_peer(const struct peer *p, struct peer_description *out)
{
    const struct {
        struct slice from;
        char *to;
        size_t cap;
    } rows[] = { { p->identity, out->subject, sizeof(out->subject) },
                 { p->issuer, out->issuer, sizeof(out->issuer) },
                 { p->serial, out->serial, sizeof(out->serial) } };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        snprintf(rows[i].to, rows[i].cap, "%.*s", (int)rows[i].from.len,
                 (const char *)rows[i].from.p);
    }
}

/* Trust may have changed since the handshake began: whoever it would close now must not come in. */
static bool still_trusted(const struct tls_engine *e, struct tls_session *s)
{
    struct tls_handshake *hs = s->hs;
    if (tls_context_generation(hs->context) == tls_context_generation(e->context) ||
        tls_trust_still(tls_context_trust(e->context), hs->peer, &hs->refusal)) {
        return true;
    }
    describe_peer(hs->peer, &hs->refusal.cert);
    return false;
}

/*
 * TLS 1.3's ticket waits for the first write. Sent now, it also acknowledges the client's last flight:
 * a client without TCP_NODELAY would else hold its first command back for our delayed ACK, 40 ms. If a
 * command has come along already, its reply does both.
 */
static void send_ticket(struct tls_engine *e, struct tls_session *s)
{
    if (e->in.len == 0) {
        SSL_write(s->ssl, "", 0);
        ERR_clear_error();
    }
}

/*
 * OpenSSL's clients refuse our certificate by an alert in the clear, in TLS 1.3 too, where it is no
 * record that can be opened. It is what the log shall say; it proves nothing, and nothing rests on it.
 */
static void tell_plain_alert(struct slice fed)
{
    static const uint8_t change_cipher_spec[] = { 20, 3, 3, 0, 1, 1 }; /* RFC 8446 §D.4 */
    static const uint8_t fatal_alert[] = { 21, 3, 3, 0, 2, 2 };
    enum { PLAIN_ALERT = sizeof(fatal_alert) + 1 };
    struct slice prefix = { change_cipher_spec, sizeof(change_cipher_spec) };
    if (slice_starts_with(fed, prefix)) {
        fed = (struct slice){ fed.p + prefix.len, fed.len - prefix.len };
    }
    prefix = (struct slice){ fatal_alert, sizeof(fatal_alert) };
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_BAD_PACKET_LENGTH && fed.len >= PLAIN_ALERT &&
        slice_starts_with(fed, prefix)) {
        ERR_clear_error();
        ERR_put_error(ERR_LIB_SSL, 0, SSL_AD_REASON_OFFSET + fed.p[prefix.len], __FILE__, __LINE__);
    }
}

enum tls_status tls_session_handshake(struct tls_engine *e, struct tls_session *s)
{
    struct slice fed = e->in;
    enter(e, s);
    enum tls_status status = status_of(s, SSL_do_handshake(s->ssl));
    if (status == TLS_FAILED) {
        tell_plain_alert(fed);
    } else if (status == TLS_WANT_SIGNATURE) {
        buf_append_slice(&s->hs->held, e->in);
    }
    if (status != TLS_DONE) {
        return status;
    }
    if (!peer_is_the_sessions(s)) {
        refusal_set(&s->hs->refusal, REFUSAL_PROTOCOL,
                    "the session does not belong to its certificate");
        return TLS_FAILED;
    }
    if (!still_trusted(e, s)) {
        tls_session_abort(e, s, refusal_alert(s->hs->refusal.kind));
        return TLS_FAILED;
    }
    send_ticket(e, s);
    return TLS_DONE;
}

enum tls_status tls_session_signed(struct tls_engine *e, struct tls_session *s,
                                   struct slice signature)
{
    buf_release(&e->held);
    e->held = s->hs->held; /* the engine's, since the session may not have hs when it reads on */
    buf_init(&s->hs->held, HELD_MAX);
    tls_engine_feed(e, buf_slice(&e->held));
    e->signature = signature.len == 0 ? SLICE("") : signature;
    enum tls_status status = tls_session_handshake(e, s);
    e->signature = (struct slice){ NULL, 0 };
    return status;
}

struct peer *tls_session_take_peer(struct tls_session *s)
{
    struct peer *peer = s->hs->peer;
    s->hs->peer = NULL;
    handshake_free(s->hs);
    s->hs = NULL;
    return peer;
}

enum tls_status tls_session_read(struct tls_engine *e, struct tls_session *s, uint8_t *p,
                                 size_t cap, size_t *n)
{
    *n = 0;
    if (e->in.len == 0 && SSL_pending(s->ssl) == 0) {
        return TLS_WANT_READ; /* spares a call that would only find that out */
    }
    enter(e, s);
    int ret = SSL_read(s->ssl, p, cap > INT32_MAX ? INT32_MAX : (int)cap);
    if (ret > 0) {
        *n = (size_t)ret;
        return TLS_DONE;
    }
    return status_of(s, ret);
}

enum tls_status tls_session_write(struct tls_engine *e, struct tls_session *s, struct slice plain)
{
    enter(e, s);
    int ret = SSL_write(s->ssl, plain.p, (int)plain.len);
    return ret == (int)plain.len ? TLS_DONE : TLS_FAILED;
}

void tls_session_close(struct tls_engine *e, struct tls_session *s)
{
    enter(e, s);
    SSL_shutdown(s->ssl);
    ERR_clear_error();
}

void tls_session_abort(struct tls_engine *e, struct tls_session *s, uint8_t alert)
{
    enter(e, s);
    SSL_send_fatal_alert(s->ssl, alert);
    ERR_clear_error();
}

/* BoringSSL's reasons that operators meet, in words that say what to do or who is wrong. */
static const struct {
    int reason;
    enum refusal_kind kind;
    const char *text;
} reasons[] = {
    { SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, REFUSAL_NO_CERTIFICATE, "no certificate sent" },
    { SSL_R_NO_SHARED_CIPHER, REFUSAL_NO_COMMON, "no common suite" },
    { SSL_R_NO_SHARED_GROUP, REFUSAL_NO_COMMON, "no common key exchange group" },
    { SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS, REFUSAL_NO_COMMON, "no common signature algorithm" },
    { SSL_R_UNSUPPORTED_PROTOCOL, REFUSAL_NO_COMMON,
      "no common TLS version: we speak 1.2 and 1.3" },
    { SSL_R_WRONG_VERSION_NUMBER, REFUSAL_NOT_TLS, "not TLS" },
    { SSL_R_HTTP_REQUEST, REFUSAL_NOT_TLS, "plain HTTP, not TLS" },
    { SSL_R_HTTPS_PROXY_REQUEST, REFUSAL_NOT_TLS, "an HTTP proxy request, not TLS" },
    { SSL_R_UNEXPECTED_RECORD, REFUSAL_PROTOCOL, "an unexpected record" },
    { SSL_R_UNEXPECTED_MESSAGE, REFUSAL_PROTOCOL, "a message that does not belong there" },
    { SSL_R_DIGEST_CHECK_FAILED, REFUSAL_PROTOCOL, "its Finished does not fit what was said" },
    { SSL_R_DECODE_ERROR, REFUSAL_PROTOCOL, "a message that cannot be read" },
    { SSL_R_EXCESSIVE_MESSAGE_SIZE, REFUSAL_PROTOCOL, "a handshake message over 16 KiB" },
    { SSL_R_CANNOT_PARSE_LEAF_CERT, REFUSAL_BROKEN, "its certificate cannot be read" },
    { SSL_R_CERT_LENGTH_MISMATCH, REFUSAL_BROKEN, "its certificates cannot be told apart" },
    { SSL_R_NO_RENEGOTIATION, REFUSAL_PROTOCOL, "it wants to renegotiate; nobody may" },
    { SSL_R_TOO_MANY_KEY_UPDATES, REFUSAL_PROTOCOL, "a flood of KeyUpdates" },
    { SSL_R_TOO_MANY_EMPTY_FRAGMENTS, REFUSAL_PROTOCOL, "a flood of empty records" },
    { SSL_R_TOO_MANY_WARNING_ALERTS, REFUSAL_PROTOCOL, "a flood of warning alerts" },
    { SSL_R_PRIVATE_KEY_OPERATION_FAILED, REFUSAL_NO_SIGNATURE, "our key holder did not sign" },
    { SSL_R_BAD_SIGNATURE, REFUSAL_NO_KEY,
      "it does not hold the certificate's key: wrong signature" },
    { SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, REFUSAL_PROTOCOL,
      "a record failed authentication: changed on its way" },
    { SSL_R_TLSV1_ALERT_UNKNOWN_CA, REFUSAL_BY_CLIENT,
      "the client does not trust our certificate's issuer" },
    { SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, REFUSAL_BY_CLIENT,
      "the client finds our certificate bad" },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, REFUSAL_BY_CLIENT,
      "the client finds our certificate expired" },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, REFUSAL_BY_CLIENT,
      "the client does not accept our certificate" },
    { SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, REFUSAL_BY_CLIENT,
      "the client found no common settings" },
    { SSL_R_SSLV3_ALERT_CLOSE_NOTIFY, REFUSAL_BY_CLIENT, "the client closed the connection" },
};

static bool explain_error(uint32_t error, struct tls_failure *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == reasons[i].reason) {
            *out = (struct tls_failure){ reasons[i].kind, reasons[i].text, NULL };
            return true;
        }
    }
    return false;
}

/* The first error is the cause, but when it is one of the crypto library only the last one says in what. */
static struct tls_failure library_failure(void)
{
    uint32_t error = ERR_peek_error();
    const char *text = error == 0 ? NULL : ERR_reason_error_string(error);
    struct tls_failure f = { REFUSAL_PROTOCOL, text == NULL ? "the connection broke" : text, NULL };
    if (!explain_error(error, &f)) {
        explain_error(ERR_peek_last_error(), &f);
    }
    return f;
}

struct tls_failure tls_session_failure(struct tls_session *s)
{
    if (s->hs != NULL && s->hs->refusal.reason[0] != '\0') {
        const struct refusal *r = &s->hs->refusal;
        return (struct tls_failure){ r->kind, r->reason, &r->cert };
    }
    struct tls_failure f = library_failure();
    if (s->hs != NULL &&
        s->hs->peer != NULL) { /* the certificate was fine, what came then was not */
        describe_peer(s->hs->peer, &s->hs->refusal.cert);
        f.cert = &s->hs->refusal.cert;
    }
    return f;
}

struct tls_session_info tls_session_info(const struct tls_session *s)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(s->ssl);
    return (struct tls_session_info){
        .version = SSL_get_version(s->ssl),
        .cipher = cipher == NULL ? "" : SSL_CIPHER_standard_name(cipher),
        .resumed = SSL_session_reused(s->ssl) != 0,
    };
}
