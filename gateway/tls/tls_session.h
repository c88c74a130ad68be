/*
 * tls_session: one client's TLS, fed with bytes and giving bytes; it knows no socket. All sessions of
 * a worker share its engine: the BIO, the output buffer, the cache of verified chains. Between two
 * calls a session holds nothing but BoringSSL's own state.
 *
 *     tls_engine_feed(engine, ciphertext);           what a read(2) brought
 *     tls_session_handshake / tls_session_read       until TLS_WANT_READ: all of it was taken
 *     tls_engine_out(engine)                         ciphertext to send; the caller empties it
 */
#ifndef COFRE_GATEWAY_TLS_SESSION_H
#define COFRE_GATEWAY_TLS_SESSION_H

#include "base/buf.h"
#include "keys/key_wire.h"
#include "tls/tls_context.h"

struct tls_engine;
struct tls_session;

enum tls_status {
    TLS_DONE,           /* handshake: finished; read: *n bytes came out */
    TLS_WANT_READ,      /* everything fed was taken; feed more */
    TLS_WANT_SIGNATURE, /* handshake: the signer was asked; what was fed and not taken is kept */
    TLS_CLOSED,         /* the client sent close_notify */
    TLS_FAILED,         /* see tls_session_failure; an alert may be waiting in the output */
};

struct tls_engine *tls_engine_new(void);
void tls_engine_free(struct tls_engine *e);

/*
 * tls_engine_set_signer: who signs under contexts whose private keys are not in this process. `ask` is
 * called in a handshake, with the session's id; false: it cannot. The answer goes to tls_session_signed.
 */
struct tls_signer {
    bool (*ask)(void *arg, const struct key_request *request);
    void *arg;
};
void tls_engine_set_signer(struct tls_engine *e, struct tls_signer signer);

/* tls_engine_use makes new sessions use this context (a reference is taken, the former one dropped). */
void tls_engine_use(struct tls_engine *e, struct tls_context *c);
const struct tls_context *tls_engine_context(const struct tls_engine *e);

/* tls_engine_feed lends ciphertext for the calls that follow; NULL-length when there is none. */
void tls_engine_feed(struct tls_engine *e, struct slice ciphertext);
struct buf *tls_engine_out(struct tls_engine *e);

/* tls_session_new starts a handshake under the engine's context; never NULL. `id` is for the signer. */
struct tls_session *tls_session_new(struct tls_engine *e, uint64_t id);
void tls_session_free(struct tls_session *s);

enum tls_status tls_session_handshake(struct tls_engine *e, struct tls_session *s);

/*
 * tls_session_signed goes on after TLS_WANT_SIGNATURE, first with what was fed before. An empty
 * signature was refused: the handshake fails.
 */
enum tls_status tls_session_signed(struct tls_engine *e, struct tls_session *s,
                                   struct slice signature);

/* After TLS_DONE from the handshake, once: who it is; the caller's reference. */
struct peer *tls_session_take_peer(struct tls_session *s);

/* tls_session_read decrypts up to cap bytes to p; TLS_WANT_READ comes together with *n == 0. */
enum tls_status tls_session_read(struct tls_engine *e, struct tls_session *s, uint8_t *p,
                                 size_t cap, size_t *n);

/* tls_session_write encrypts to the engine's output; TLS_DONE or TLS_FAILED. */
enum tls_status tls_session_write(struct tls_engine *e, struct tls_session *s, struct slice plain);

/* tls_session_close writes close_notify to the engine's output. */
void tls_session_close(struct tls_engine *e, struct tls_session *s);

/* tls_session_abort writes a fatal alert to the engine's output: the session is over. */
void tls_session_abort(struct tls_engine *e, struct tls_session *s, uint8_t alert);

/* tls_session_failure says why the last call failed. Static or in the session; reason is never "". */
struct tls_failure {
    enum refusal_kind kind;
    const char *reason;
    const struct peer_description *cert; /* NULL unless a certificate was refused */
};
struct tls_failure tls_session_failure(struct tls_session *s);

struct tls_session_info {
    const char *version; /* "TLSv1.3" */
    const char *cipher;  /* "TLS_AES_128_GCM_SHA256" */
    bool resumed;
};
struct tls_session_info tls_session_info(const struct tls_session *s);

#endif
