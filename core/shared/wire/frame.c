/*
 * frame: encoding and decoding of the link's frames, byte by byte as README.md here has it. It
 * knows the layout and its bounds, not what a frame means: sessions, order and credit are the
 * link's business.
 */
#include "wire/frame.h"

#include <assert.h>
#include <endian.h>

static const uint8_t hello_magic[8] = { 'C', 'O', 'F', 'R', 'E', 'L', 'N', 'K' };

/* Flags that each type may carry; rows that are 0 for both columns do not exist as types. */
static const struct type_row {
    bool known;
    uint8_t flags;
} types[] = {
    [FRAME_HELLO] = { true, 0 },
    [FRAME_OPEN] = { true, 0 },
    [FRAME_CLOSE] = { true, 0 },
    [FRAME_REQUEST] = { true, FRAME_MORE },
    [FRAME_REPLY] = { true, FRAME_MORE | FRAME_CLOSING },
    [FRAME_CREDIT] = { true, 0 },
    [FRAME_STATE] = { true, FRAME_PINNED | FRAME_LISTENS },
    [FRAME_STATS] = { true, 0 },
    [FRAME_PING] = { true, 0 },
    [FRAME_PONG] = { true, 0 },
};

static inline uint32_t load_u32(const uint8_t *p)
{
    uint32_t n;
    memcpy(&n, p, sizeof(n));
    return le32toh(n);
}

static inline void store_u32(uint8_t *p, uint32_t n)
{
    n = htole32(n);
    memcpy(p, &n, sizeof(n));
}

static inline uint64_t load_u64(const uint8_t *p)
{
    uint64_t n;
    memcpy(&n, p, sizeof(n));
    return le64toh(n);
}

static inline void store_u64(uint8_t *p, uint64_t n)
{
    n = htole64(n);
    memcpy(p, &n, sizeof(n));
}

/* ---- frames ---- */

enum frame_status frame_read(struct slice bytes, struct frame *out, size_t *used)
{
    if (bytes.len < FRAME_HEADER_SIZE) {
        return FRAME_NEED_MORE;
    }
    const uint8_t *p = bytes.p;
    size_t length = load_u32(p);
    uint8_t type = p[4], flags = p[5];
    uint16_t answered = (uint16_t)(p[6] | p[7] << 8);
    if (length > FRAME_MAX_PAYLOAD || type >= ARRAY_SIZE(types) || !types[type].known ||
        (flags & ~types[type].flags) != 0 || (answered != 0 && type != FRAME_REPLY)) {
        return FRAME_BAD;
    }
    if (bytes.len - FRAME_HEADER_SIZE < length) {
        return FRAME_NEED_MORE;
    }
    *out = (struct frame){ .type = (enum frame_type)type,
                           .flags = flags,
                           .answered = answered,
                           .session = load_u64(p + 8),
                           .payload = { p + FRAME_HEADER_SIZE, length } };
    *used = FRAME_HEADER_SIZE + length;
    return FRAME_READY;
}

void frame_header(uint8_t *p, enum frame_type type, uint8_t flags, uint16_t answered,
                  uint64_t session, uint32_t payload_length)
{
    store_u32(p, payload_length);
    p[4] = (uint8_t)type;
    p[5] = flags;
    p[6] = (uint8_t)answered;
    p[7] = (uint8_t)(answered >> 8);
    store_u64(p + 8, session);
}

/*
 * start_frame reserves a whole frame and writes its header; it returns where the payload goes, or
 * NULL when the buf is full. A payload over the maximum is a caller's error: the peer would end the
 * link over it.
 */
static uint8_t *start_frame(struct buf *out, enum frame_type type, uint64_t session, size_t length)
{
    assert(length <= FRAME_MAX_PAYLOAD);
    uint8_t *p = buf_reserve(out, FRAME_HEADER_SIZE + length);
    if (p == NULL) {
        return NULL;
    }
    frame_header(p, type, 0, 0, session, (uint32_t)length);
    buf_commit(out, FRAME_HEADER_SIZE + length);
    return p + FRAME_HEADER_SIZE;
}

void frame_write(struct buf *out, const struct frame *frame)
{
    uint8_t *p = start_frame(out, frame->type, frame->session, frame->payload.len);
    if (p == NULL) {
        return;
    }
    frame_header(p - FRAME_HEADER_SIZE, frame->type, frame->flags, frame->answered, frame->session,
                 (uint32_t)frame->payload.len);
    if (frame->payload.len > 0) {
        memcpy(p, frame->payload.p, frame->payload.len);
    }
}

void frame_write_part(struct buf *out, enum frame_type type, uint8_t flags, uint16_t answered,
                      uint64_t session, struct slice *payload)
{
    bool last = payload->len <= FRAME_MAX_PAYLOAD;
    struct frame frame = { .type = type,
                           .flags = last ? flags : FRAME_MORE,
                           .answered = last ? answered : 0,
                           .session = session,
                           .payload = { payload->p, last ? payload->len : FRAME_MAX_PAYLOAD } };
    frame_write(out, &frame);
    if (frame.payload.len > 0) {
        payload->p += frame.payload.len;
        payload->len -= frame.payload.len;
    }
}

/* ---- fields of a payload, front to back ---- */

static uint8_t *put_u32(uint8_t *p, uint32_t n)
{
    store_u32(p, n);
    return p + 4;
}

static uint8_t *put_u64(uint8_t *p, uint64_t n)
{
    store_u64(p, n);
    return p + 8;
}

static uint8_t *put_bytes(uint8_t *p, struct slice s)
{
    if (s.len > 0) {
        memcpy(p, s.p, s.len);
    }
    return p + s.len;
}

static uint8_t *put_string(uint8_t *p, struct slice s)
{
    return put_bytes(put_u32(p, (uint32_t)s.len), s);
}

/* The take functions fail softly: once a payload was too short, all that follows is empty. */
struct taker {
    struct slice left;
    bool bad;
};

static struct slice take_bytes(struct taker *t, size_t n)
{
    if (t->bad || n > t->left.len) {
        t->bad = true;
        return (struct slice){ NULL, 0 };
    }
    struct slice s = { t->left.p, n };
    t->left.p += n;
    t->left.len -= n;
    return s;
}

static uint8_t take_u8(struct taker *t)
{
    struct slice s = take_bytes(t, 1);
    return s.len == 1 ? s.p[0] : 0;
}

static uint32_t take_u32(struct taker *t)
{
    struct slice s = take_bytes(t, 4);
    return s.len == 4 ? load_u32(s.p) : 0;
}

static uint64_t take_u64(struct taker *t)
{
    struct slice s = take_bytes(t, 8);
    return s.len == 8 ? load_u64(s.p) : 0;
}

static struct slice take_string(struct taker *t)
{
    return take_bytes(t, take_u32(t));
}

static bool took_all(const struct taker *t)
{
    return !t->bad && t->left.len == 0;
}

/* ---- HELLO ---- */

void frame_write_hello(struct buf *out, const struct frame_hello *hello)
{
    uint8_t *p = start_frame(out, FRAME_HELLO, 0, sizeof(hello_magic) + 4 + 4 + hello->build.len);
    if (p == NULL) {
        return;
    }
    memcpy(p, hello_magic, sizeof(hello_magic));
    p = put_u32(p + sizeof(hello_magic), hello->version);
    put_string(p, hello->build);
}

enum err frame_parse_hello(struct slice payload, struct frame_hello *out)
{
    struct taker t = { .left = payload };
    struct slice magic = take_bytes(&t, sizeof(hello_magic));
    struct frame_hello hello = { .version = take_u32(&t), .build = { NULL, 0 } };
    if (t.bad || memcmp(magic.p, hello_magic, sizeof(hello_magic)) != 0) {
        return ERR_PROTOCOL;
    }
    /* Another version may go on differently, but its number must reach the log. */
    if (hello.version == FRAME_VERSION) {
        hello.build = take_string(&t);
        if (!took_all(&t)) {
            return ERR_PROTOCOL;
        }
    }
    *out = hello;
    return ERR_OK;
}

/* ---- OPEN ---- */

static size_t open_size(const struct frame_open *open)
{
    return 1 + 8 * 4 + open->identity.len + open->issuer.len + open->serial.len +
           sizeof(open->fingerprint) + 8 + open->tls_version.len + open->cipher.len +
           open->peer.len + open->local.len + 8 + 4 + open->state.len;
}

void frame_write_open(struct buf *out, uint64_t session, const struct frame_open *open)
{
    uint8_t *p = start_frame(out, FRAME_OPEN, session, open_size(open));
    if (p == NULL) {
        return;
    }
    *p++ = (uint8_t)open->kind;
    p = put_string(p, open->identity);
    p = put_string(p, open->issuer);
    p = put_string(p, open->serial);
    p = put_bytes(p, (struct slice){ open->fingerprint, sizeof(open->fingerprint) });
    p = put_u64(p, (uint64_t)open->not_after);
    p = put_string(p, open->tls_version);
    p = put_string(p, open->cipher);
    p = put_string(p, open->peer);
    p = put_string(p, open->local);
    p = put_u64(p, (uint64_t)open->opened_at);
    p = put_u32(p, open->credit);
    put_string(p, open->state);
}

enum err frame_parse_open(struct slice payload, struct frame_open *out)
{
    struct taker t = { .left = payload };
    struct frame_open open = { 0 };
    uint8_t kind = take_u8(&t);
    open.identity = take_string(&t);
    open.issuer = take_string(&t);
    open.serial = take_string(&t);
    struct slice fingerprint = take_bytes(&t, sizeof(open.fingerprint));
    open.not_after = (int64_t)take_u64(&t);
    open.tls_version = take_string(&t);
    open.cipher = take_string(&t);
    open.peer = take_string(&t);
    open.local = take_string(&t);
    open.opened_at = (int64_t)take_u64(&t);
    open.credit = take_u32(&t);
    open.state = take_string(&t);
    if (!took_all(&t) || kind < IDENTITY_URI || kind > IDENTITY_CN || open.identity.len == 0 ||
        open.state.len > FRAME_MAX_STATE) {
        return ERR_PROTOCOL;
    }
    open.kind = (enum identity_kind)kind;
    memcpy(open.fingerprint, fingerprint.p, sizeof(open.fingerprint));
    *out = open;
    return ERR_OK;
}

/* ---- CREDIT ---- */

void frame_write_credit(struct buf *out, uint64_t session, uint32_t bytes)
{
    uint8_t *p = start_frame(out, FRAME_CREDIT, session, 4);
    if (p != NULL) {
        store_u32(p, bytes);
    }
}

enum err frame_parse_credit(struct slice payload, uint32_t *out)
{
    if (payload.len != 4) {
        return ERR_PROTOCOL;
    }
    *out = load_u32(payload.p);
    return ERR_OK;
}

/* ---- REQUEST ---- */

size_t frame_request_size(const struct slice *argv, uint32_t argc)
{
    size_t size = 4 + 4 * (size_t)argc;
    for (uint32_t i = 0; i < argc; i++) {
        size += argv[i].len;
    }
    return size;
}

static void put_request(uint8_t *p, const struct slice *argv, uint32_t argc)
{
    uint8_t *lengths = p + 4;
    uint8_t *bytes = lengths + 4 * (size_t)argc;
    store_u32(p, argc);
    for (uint32_t i = 0; i < argc; i++) {
        store_u32(lengths + 4 * (size_t)i, (uint32_t)argv[i].len);
        bytes = put_bytes(bytes, argv[i]);
    }
}

void frame_write_request(struct buf *out, uint64_t session, const struct slice *argv, uint32_t argc)
{
    uint8_t *p = start_frame(out, FRAME_REQUEST, session, frame_request_size(argv, argc));
    if (p != NULL) {
        put_request(p, argv, argc);
    }
}

void frame_build_request(struct buf *out, const struct slice *argv, uint32_t argc)
{
    size_t size = frame_request_size(argv, argc);
    uint8_t *p = buf_reserve(out, size);
    if (p != NULL) {
        put_request(p, argv, argc);
        buf_commit(out, size);
    }
}

enum err frame_parse_request(struct slice payload, uint32_t max_argc, struct slice *argv,
                             uint32_t *argc)
{
    if (payload.len < 4) {
        return ERR_PROTOCOL;
    }
    uint32_t count = load_u32(payload.p);
    if (count == 0 || count > max_argc || payload.len - 4 < 4 * (size_t)count) {
        return ERR_PROTOCOL;
    }
    if (argv != NULL) {
        const uint8_t *lengths = payload.p + 4;
        const uint8_t *bytes = lengths + 4 * (size_t)count;
        size_t left = payload.len - 4 - 4 * (size_t)count;
        for (uint32_t i = 0; i < count; i++) {
            size_t len = load_u32(lengths + 4 * (size_t)i);
            if (len > left) {
                return ERR_PROTOCOL;
            }
            argv[i] = (struct slice){ bytes, len };
            bytes += len;
            left -= len;
        }
        if (left != 0) {
            return ERR_PROTOCOL;
        }
    }
    *argc = count;
    return ERR_OK;
}
