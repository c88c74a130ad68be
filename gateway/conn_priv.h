/*
 * conn_priv: the inside of a connection. For conn.c, conn_arrival.c and conn_link.c alone.
 */
#ifndef COFRE_GATEWAY_CONN_PRIV_H
#define COFRE_GATEWAY_CONN_PRIV_H

#include "conn.h"

#include "arrivals/admission.h"
#include "arrivals/arrivals.h"
#include "reply_batch.h"

#include <netinet/in.h>

/*
 * Backpressure (HOUSE rule 14): above HIGH the client's socket is not read, below LOW it is again.
 * Unanswered requests are counted in bytes and in number; replies by what the socket did not take yet.
 */
enum {
    UNANSWERED_HIGH = 8192,
    UNANSWERED_LOW = 4096,
    UNANSWERED_BYTES_HIGH = 1024 * 1024,
    UNANSWERED_BYTES_LOW = 512 * 1024,
    OUT_HIGH = 256 * 1024,
    CREDIT = 1024 * 1024,       /* reply bytes that may lie here for a client that does not read */
    CREDIT_RETURN = CREDIT / 4, /* granted back in such portions */
};

enum conn_state {
    CONN_HEADER, /* a PROXY header is due */
    CONN_HELLO, /* its ClientHello is not complete, or waits to be served; no TLS was made for it */
    CONN_HANDSHAKE,
    CONN_SIGNING, /* its handshake waits for the key holder */
    CONN_OPEN,
    CONN_ENDING,  /* no more commands; replies under way still leave */
    CONN_CLOSING, /* the last bytes are on their way out; what comes in is dropped */
    CONN_CLOSED,  /* waits for its close callback */
};

/* What a connection needs until it is a session, or is gone when it was not let in. */
struct conn_arrival {
    struct arrival at;
    struct conn *conn;
    uint64_t began_ns; /* uv_hrtime of the accept */
    struct buf in;     /* what it sent and waits to be served; no memory while empty */
};

/* A ClientHello with our largest ticket and a post-quantum key is half of it; a PROXY header fits too. */
enum { ARRIVAL_IN_MAX = 8 * 1024 };

struct conn {
    uv_poll_t poll;
    struct worker *worker;
    struct tls_session *tls;
    struct peer *peer; /* from CONN_OPEN on */
    struct conn_arrival
        *arrival; /* before CONN_OPEN, and until it is gone when it was not let in */
    struct admission_place place; /* from CONN_OPEN on */
    uint64_t session;
    union { /* the client's address */
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } from;
    int fd;
    uint8_t state; /* enum conn_state, set by conn_set_state alone */
    uint8_t poll_events;
    bool paused : 1;        /* by the marks above; the sink said stop */
    bool bad : 1;           /* the request stream is broken; its error follows the last reply */
    bool in_core : 1;       /* OPEN was sent on the present link and no CLOSE in either direction */
    bool mid_reply : 1;     /* a reply's first frames came, its last has not */
    bool closing_reply : 1; /* the core asked to close after this batch's bytes */
    bool eof : 1;           /* the client will send nothing more */
    bool delivering : 1;    /* between a batch's first piece and its delivery */
    bool listens : 1;       /* the core says that it waits to be told things: it is never idle */
    const char *why;        /* it is ending; NULL: it is not */
    struct request_stream requests;
    uint32_t unanswered;
    uint32_t credit_due;       /* reply bytes that the client took and the core was not told of */
    uint64_t unanswered_bytes; /* estimated by the mean once some are answered; exact at 0 */
    uint64_t unsent_plain;     /* reply bytes behind what `out` holds */
    int64_t opened_at;         /* unix ms */
    uint64_t active_at;        /* loop ms of the accept, then of the last bytes from the client */
    struct buf out;            /* ciphertext that the socket did not take; no memory while empty */
    struct buf *part;          /* the payload of a long request being sent in pieces, or NULL */
    struct conn_record *state_record; /* the core's last STATE, or NULL */
    struct reply_chain replies;       /* this batch's, in the worker's table */
};

/* The core's STATE: opaque, kept for OPEN after a restart. */
struct conn_record {
    bool pinned;
    uint16_t len;
    uint8_t bytes[];
};

void conn_set_state(struct conn *c, enum conn_state next);

/* conn_open: the handshake is done and it was let in; commands may lie in TLS already. Call it last. */
void conn_open(struct conn *c);

/* conn_arrival_left: how long it may still take to be a session, in ms. */
uint64_t conn_arrival_left(const struct conn *c);

/* What arrives (conn_arrival.c): how much may be read, and what is done with it. */
void conn_arrival_new(struct conn *c);
void conn_arrival_free(struct conn *c);
size_t conn_arrival_room(const struct conn *c);
void conn_take_header(struct conn *c, struct slice bytes);
void conn_take_hello(struct conn *c, struct slice bytes);
void conn_take_flight(struct conn *c, struct slice bytes);

/* conn_set_listens: whether silence of the client is no reason to close it. */
void conn_set_listens(struct conn *c, bool listens);

/* conn_write encrypts and sends; what the socket does not take waits in c->out. False: it broke. */
bool conn_write(struct conn *c, struct slice plain);

/* conn_push sends what TLS has put out; what the socket does not take is kept. False: it broke. */
bool conn_push(struct conn *c);

/* conn_send_last closes once what TLS has put out is sent: an alert must not be lost by a reset. */
void conn_send_last(struct conn *c, const char *why);

/* conn_say_goodbye says close_notify and closes as soon as the last bytes are out. */
void conn_say_goodbye(struct conn *c, const char *why);

/* conn_advance does what became possible: resume reading, or end, or close. Call it last. */
void conn_advance(struct conn *c);

/* conn_on_request is the sink of c->requests (conn_link.c). */
bool conn_on_request(void *arg, const struct slice *argv, uint32_t argc, size_t bytes);

/* conn_open_session announces the client to the core, if the link is up. */
void conn_open_session(struct conn *c);

/* conn_leave_core tells the core that the session is over and forgets what only the link needed. */
void conn_leave_core(struct conn *c, const char *why);

/* conn_took_plain: so many reply bytes reached the socket; grants credit back. */
void conn_took_plain(struct conn *c, uint64_t bytes);

/* The client's address: the connection's own, or what a trusted PROXY header says. */
void conn_set_from(struct conn *c, const struct sockaddr_storage *from);
void conn_from(const struct conn *c, struct sockaddr_storage *out);

/* conn_peer_text writes "127.0.0.1:50110". */
void conn_peer_text(const struct conn *c, char out[ADDRESS_TEXT]);

#endif
