/*
 * conn_arrival: a connection from its accept until it is a session: the PROXY header where one is due, the
 * ClientHello, its place in the queue, the handshake, and the limits of sessions. Until its ClientHello is
 * complete, it costs the bytes that it sent and no TLS.
 */
#include "conn_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "arrivals/client_hello.h"
#include "arrivals/proxy_header.h"

static struct arrivals *arrivals_of(const struct conn *c)
{
    return worker_arrivals(c->worker);
}

static struct conn *conn_of(struct arrival *a)
{
    return container_of(a, struct conn_arrival, at)->conn;
}

void conn_arrival_new(struct conn *c)
{
    c->arrival = mem_zalloc(sizeof(*c->arrival));
    c->arrival->conn = c;
    c->arrival->began_ns = uv_hrtime();
    buf_init(&c->arrival->in, ARRIVAL_IN_MAX);
    arrivals_enter(arrivals_of(c), &c->arrival->at);
}

void conn_arrival_free(struct conn *c)
{
    if (c->arrival != NULL) {
        arrivals_leave(arrivals_of(c), &c->arrival->at);
        buf_release(&c->arrival->in);
        free(c->arrival);
        c->arrival = NULL;
    }
}

size_t conn_arrival_room(const struct conn *c)
{
    return ARRIVAL_IN_MAX - buf_len(&c->arrival->in);
}

/* Those who are not let in. */

static void log_refused(struct conn *c, const struct tls_failure *f)
{
    char peer[ADDRESS_TEXT];
    if (!worker_log_refusal(c->worker)) {
        return;
    }
    conn_peer_text(c, peer);
    if (f->cert == NULL) {
        log_event(LOG_WARNING, "handshake failed", LF_STR("peer", peer),
                  LF_STR("reason", f->reason));
        return;
    }
    log_event(LOG_WARNING, "client refused", LF_STR("peer", peer), LF_STR("reason", f->reason),
              LF_STR("subject", f->cert->subject), LF_STR("issuer", f->cert->issuer),
              LF_STR("serial", f->cert->serial));
}

/* It sent what is no TLS: there is nobody to send an alert to. */
static void refuse_before_tls(struct conn *c, const char *reason)
{
    struct metrics *m = worker_metrics(c->worker);
    m->proxy_refused++;
    m->refused[REFUSAL_NOT_TLS]++;
    log_refused(c, &(struct tls_failure){ .kind = REFUSAL_NOT_TLS, .reason = reason });
    conn_kill(c, reason);
}

static void handshake_failed(struct conn *c)
{
    struct tls_failure f = tls_session_failure(c->tls);
    struct metrics *m = worker_metrics(c->worker);
    *(f.cert != NULL ? &m->handshakes_refused : &m->handshakes_failed) += 1;
    m->refused[f.kind]++;
    log_refused(c, &f);
    arrivals_move(arrivals_of(c), &c->arrival->at, ARRIVAL_LEAVING);
    conn_send_last(c, "handshake failed");
}

/* Over a limit: it is told so, and that nothing else will come. */
static void turn_away(struct conn *c, enum admission_verdict verdict)
{
    char peer[ADDRESS_TEXT];
    struct buf *text = worker_scratch(c->worker);
    struct metrics *m = worker_metrics(c->worker);
    m->turned_away++;
    m->over_identity += verdict == ADMISSION_IDENTITY_FULL;
    m->over_address += verdict == ADMISSION_ADDRESS_FULL;
    if (worker_log_refusal(c->worker)) {
        conn_peer_text(c, peer);
        log_event(LOG_WARNING, "client turned away", LF_STR("peer", peer),
                  LF_SLICE("identity", c->peer->identity),
                  LF_STR("reason", admission_reason(verdict)));
    }
    arrivals_move(arrivals_of(c), &c->arrival->at, ARRIVAL_LEAVING);
    admission_say(worker_admission(c->worker), verdict, text);
    if (conn_write(c, buf_slice(text))) {
        conn_say_goodbye(c, admission_reason(verdict));
    } else {
        conn_kill(c, "the connection broke");
    }
}

void conn_give_way(struct arrival *a)
{
    struct conn *c = conn_of(a);
    worker_metrics(c->worker)->handshakes_dropped++; /* logged once a second: it comes in crowds */
    conn_kill(c, "it gave way to newer ones");
}

/* The handshake. */

static void handshake_done(struct conn *c)
{
    struct metrics *m = worker_metrics(c->worker);
    struct sockaddr_storage from;
    *(tls_session_info(c->tls).resumed ? &m->handshakes_resumed : &m->handshakes_full) += 1;
    metrics_handshake(m, (uv_hrtime() - c->arrival->began_ns) / 1000);
    c->peer = tls_session_take_peer(c->tls);
    conn_from(c, &from);
    enum admission_verdict verdict =
        admission_enter(worker_admission(c->worker), c->peer->identity, &from, &c->place);
    if (verdict != ADMISSION_IN) {
        turn_away(c, verdict);
        return;
    }
    conn_arrival_free(c);
    conn_open(c);
    if (worker_stops(c->worker)) {
        conn_finish(c, "the gateway stops");
    }
}

static void handshake_went(struct conn *c, enum tls_status status)
{
    if (status == TLS_FAILED || status == TLS_CLOSED) {
        handshake_failed(c);
    } else if (!conn_push(c) || (status == TLS_WANT_READ && c->eof)) {
        conn_kill(c, "the client left during the handshake");
    } else if (status == TLS_DONE) {
        handshake_done(c);
    } else if (status == TLS_WANT_SIGNATURE) {
        conn_set_state(c, CONN_SIGNING); /* still polled: the answer mostly comes first */
    } else {
        conn_advance(c);
    }
}

static void feed_handshake(struct conn *c, struct slice bytes)
{
    struct tls_engine *e = worker_tls(c->worker);
    tls_engine_feed(e, bytes);
    handshake_went(c, tls_session_handshake(e, c->tls));
}

/* take_in moves what came while it waited to where a read would have put it. */
static struct slice take_in(struct conn *c)
{
    struct buf *in = &c->arrival->in;
    struct slice bytes = { worker_read_buffer(c->worker), buf_len(in) };
    memcpy(worker_read_buffer(c->worker), buf_slice(in).p, bytes.len);
    buf_release(in);
    return bytes;
}

void conn_serve(struct arrival *a)
{
    struct conn *c = conn_of(a);
    if (conn_arrival_left(c) == 0) {
        conn_on_deadline(c);
        return;
    }
    if (c->state == CONN_HELLO) {
        c->tls = tls_session_new(worker_tls(c->worker), c->session);
        arrivals_move(arrivals_of(c), a, ARRIVAL_BEGUN);
        conn_set_state(c, CONN_HANDSHAKE);
    }
    if (c->state == CONN_SIGNING) {
        conn_set_state(c, CONN_HANDSHAKE);
        handshake_went(c, tls_session_signed(worker_tls(c->worker), c->tls, take_in(c)));
    } else {
        feed_handshake(c, take_in(c));
    }
}

/* Signatures come in crowds too: going on with them takes its turn. Nothing else is in `in`: nothing is read. */
void conn_on_signature(struct conn *c, struct slice signature)
{
    if (c->state == CONN_SIGNING && buf_len(&c->arrival->in) == 0) {
        buf_append_slice(&c->arrival->in, signature);
        arrivals_queue(arrivals_of(c), &c->arrival->at, ARRIVAL_GOES_ON);
    }
}

/* What it sent. */

void conn_take_flight(struct conn *c, struct slice bytes)
{
    buf_append_slice(&c->arrival->in, bytes);
    arrivals_queue(arrivals_of(c), &c->arrival->at, ARRIVAL_GOES_ON);
}

void conn_take_hello(struct conn *c, struct slice bytes)
{
    struct buf *in = &c->arrival->in;
    buf_append_slice(in, bytes);
    enum client_hello hello = client_hello_peek(buf_slice(in));
    if (hello == CLIENT_HELLO_NEED_MORE && buf_len(in) < ARRIVAL_IN_MAX) {
        return;
    }
    if (proxy_header_begins(buf_slice(in))) {
        refuse_before_tls(c, "a PROXY header from an address that --proxy-protocol does not name");
        return;
    }
    arrivals_queue(arrivals_of(c), &c->arrival->at,
                   hello == CLIENT_HELLO_RESUMES ? ARRIVAL_RESUMES : ARRIVAL_FULL);
}

void conn_take_header(struct conn *c, struct slice bytes)
{
    struct buf *in = &c->arrival->in;
    struct proxy_header header;
    size_t used;
    const char *why;
    buf_append_slice(in, bytes);
    switch (proxy_header_parse(buf_slice(in), &header, &used, &why)) {
    case PROXY_NEED_MORE:
        return;
    case PROXY_BAD:
        refuse_before_tls(c, why);
        return;
    case PROXY_READY:
        break;
    }
    buf_consume(in, used);
    if (header.proxied) {
        conn_set_from(c, &header.from);
    }
    conn_set_state(c, CONN_HELLO);
    conn_take_hello(c, (struct slice){ NULL, 0 });
}
