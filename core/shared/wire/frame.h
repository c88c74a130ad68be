/*
 * frame: the codec of the link between gateway and core. Byte-exact format: README.md here.
 * Pure: bytes in, bytes out; no socket, no clock, no logging. Everything read is bounds-checked;
 * the slices of a decoded frame point into the bytes given and live as long as they do.
 */
#ifndef COFRE_WIRE_FRAME_H
#define COFRE_WIRE_FRAME_H

#include "base/buf.h"

enum {
    FRAME_HEADER_SIZE = 16,
    FRAME_MAX_PAYLOAD = 64 * 1024,
    FRAME_VERSION = 2,
    FRAME_MAX_ANSWERED = 65535,
    FRAME_MAX_STATE = 1024, /* bytes of a STATE record */
};

enum frame_type {
    FRAME_HELLO = 1,   /* both ways, first frame on a link */
    FRAME_OPEN = 2,    /* gateway → core: a session begins */
    FRAME_CLOSE = 3,   /* both ways: the session ends; payload is a reason for the log */
    FRAME_REQUEST = 4, /* gateway → core: one command (MORE: a part of one) */
    FRAME_REPLY = 5,   /* core → gateway: RESP bytes to pass on */
    FRAME_CREDIT = 6,  /* gateway → core: so many more reply bytes for the session */
    FRAME_STATE = 7,   /* core → gateway: what the session needs after the core's restart */
    FRAME_STATS = 8,   /* gateway → core: counters for INFO */
    FRAME_PING = 9,
    FRAME_PONG = 10,
    FRAME_TYPE_END,
};

enum frame_flag {
    FRAME_MORE = 1,    /* REQUEST, REPLY: another frame of this type and session continues it */
    FRAME_CLOSING = 2, /* REPLY: close the client once these bytes are out (QUIT) */
    FRAME_PINNED = 2, /* STATE: this session's state cannot be carried over a restart of the core */
    FRAME_LISTENS = 4, /* STATE: the client waits to be told things; that is not being idle */
};

struct frame {
    enum frame_type type;
    uint8_t flags;
    uint16_t answered; /* REPLY: how many requests these bytes complete */
    uint64_t session;  /* 0 for frames about the link itself */
    struct slice payload;
};

enum frame_status { FRAME_NEED_MORE, FRAME_READY, FRAME_BAD };

/*
 * frame_read decodes the first frame in `bytes`. FRAME_READY: *out is set and *used is the bytes it
 * took. FRAME_NEED_MORE: the frame is not complete. FRAME_BAD: unknown type, unknown flag or a
 * payload over FRAME_MAX_PAYLOAD; the link must end.
 */
enum frame_status frame_read(struct slice bytes, struct frame *out, size_t *used);

/* frame_write appends header and payload; the payload must fit FRAME_MAX_PAYLOAD. */
void frame_write(struct buf *out, const struct frame *frame);

/* frame_header writes the 16 header bytes to p, for frames whose payload is built in place. */
void frame_header(uint8_t *p, enum frame_type type, uint8_t flags, uint16_t answered,
                  uint64_t session, uint32_t payload_length);

/* HELLO */
struct frame_hello {
    uint32_t version;   /* FRAME_VERSION */
    struct slice build; /* program and version, for the log */
};
void frame_write_hello(struct buf *out, const struct frame_hello *hello);
/* frame_parse_hello checks the magic; of another version it reads no more than the number. */
MUST_CHECK enum err frame_parse_hello(struct slice payload, struct frame_hello *out);

/* OPEN: who the client is. All from the verified leaf certificate and the TLS session. */
enum identity_kind { IDENTITY_URI = 1, IDENTITY_DNS = 2, IDENTITY_EMAIL = 3, IDENTITY_CN = 4 };
struct frame_open {
    enum identity_kind kind;
    struct slice identity;    /* with its kind: "cn:alice" (DESIGN §5.4) */
    struct slice issuer;      /* RFC 4514 text */
    struct slice serial;      /* hex digits */
    uint8_t fingerprint[32];  /* SHA-256 of the leaf's DER */
    int64_t not_after;        /* unix seconds */
    struct slice tls_version; /* "TLSv1.3" */
    struct slice cipher;      /* "TLS_AES_128_GCM_SHA256" */
    struct slice peer;        /* "127.0.0.1:50110" */
    struct slice local;       /* the listener's address */
    int64_t opened_at;        /* unix milliseconds, when the client connected */
    uint32_t credit;          /* reply bytes granted from the start */
    struct slice state;       /* the last STATE record, empty for a new session */
};
void frame_write_open(struct buf *out, uint64_t session, const struct frame_open *open);
MUST_CHECK enum err frame_parse_open(struct slice payload, struct frame_open *out);

/* CREDIT */
void frame_write_credit(struct buf *out, uint64_t session, uint32_t bytes);
MUST_CHECK enum err frame_parse_credit(struct slice payload, uint32_t *out);

/*
 * REQUEST: u32 argc, argc × u32 length, bytes; split over frames with MORE when longer than one
 * payload. frame_request_size gives the whole payload's size; frame_write_request appends the frame
 * of a request that fits one; a longer one is built with frame_build_request (header-less payload)
 * and cut by frame_write_part.
 */
size_t frame_request_size(const struct slice *argv, uint32_t argc);
void frame_write_request(struct buf *out, uint64_t session, const struct slice *argv,
                         uint32_t argc);
void frame_build_request(struct buf *out, const struct slice *argv, uint32_t argc);

/*
 * frame_write_part appends one frame with the next piece of a long REQUEST or REPLY payload and
 * advances *payload. MORE is set on every piece but the last; `flags` and `answered` go on the last
 * piece alone.
 */
void frame_write_part(struct buf *out, enum frame_type type, uint8_t flags, uint16_t answered,
                      uint64_t session, struct slice *payload);

/*
 * frame_parse_request checks a whole request payload. With argv == NULL it only counts.
 * ERR_PROTOCOL when the lengths do not add up exactly; argc may be at most max_argc; argv must have
 * room for that.
 */
MUST_CHECK enum err frame_parse_request(struct slice payload, uint32_t max_argc, struct slice *argv,
                                        uint32_t *argc);

/* STATS: lines of name, kind and value (core/link_stats.h), text, so that either side may add some. */

#endif
