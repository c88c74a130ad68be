/*
 * key_wire: encoding and decoding, byte by byte as the header has it. What a message means, and whether
 * it may be asked for, is decided elsewhere.
 */
#include "keys/key_wire.h"

#include <endian.h>

#include <openssl/bytestring.h>

enum {
    MESSAGE_MAX = KEY_REQUEST_MAX - KEY_REQUEST_HEAD,
    SIGNATURE_MAX = KEY_REPLY_MAX - KEY_REPLY_HEAD,
    REASON_MAX = 1024, /* a load_error's text */
};

/* Each type of note: who may send it, and how long its body may be. */
static const struct note_row {
    bool to_holder;
    uint32_t body_max;
} notes[] = {
    [KEY_MATERIAL] = { false, KEY_NOTE_MAX - KEY_NOTE_HEAD },
    [KEY_TAKEN] = { true, 0 },
    [KEY_BAD] = { true, REASON_MAX },
    [KEY_NOTHING] = { false, REASON_MAX },
    [KEY_RELOAD] = { true, 0 },
    [KEY_DROP] = { true, 0 },
};

/* take_body is the last step of every reading: the length was read and is within its bound. */
static enum key_wire_status take_body(struct slice in, size_t head, size_t length,
                                      struct slice *body, size_t *used)
{
    if (in.len - head < length) {
        return KEY_WIRE_NEED_MORE;
    }
    *body = (struct slice){ in.p + head, length };
    *used = head + length;
    return KEY_WIRE_READY;
}

enum key_wire_status key_read_request(struct slice in, struct key_request *out, size_t *used)
{
    struct key_request r;
    uint16_t length;
    CBS cbs;
    CBS_init(&cbs, in.p, in.len);
    if (!CBS_get_u16le(&cbs, &length) || !CBS_get_u16le(&cbs, &r.scheme) ||
        !CBS_get_u32le(&cbs, &r.set) || !CBS_get_u16le(&cbs, &r.pair) ||
        !CBS_get_u64le(&cbs, &r.id)) {
        return KEY_WIRE_NEED_MORE;
    }
    if (length == 0 || length > MESSAGE_MAX) {
        return KEY_WIRE_BAD;
    }
    enum key_wire_status status = take_body(in, KEY_REQUEST_HEAD, length, &r.message, used);
    if (status == KEY_WIRE_READY) {
        *out = r;
    }
    return status;
}

enum key_wire_status key_read_reply(struct slice in, struct key_reply *out, size_t *used)
{
    struct key_reply r;
    uint16_t length;
    CBS cbs;
    CBS_init(&cbs, in.p, in.len);
    if (!CBS_get_u16le(&cbs, &length) || !CBS_get_u64le(&cbs, &r.id)) {
        return KEY_WIRE_NEED_MORE;
    }
    if (length > SIGNATURE_MAX) {
        return KEY_WIRE_BAD;
    }
    enum key_wire_status status = take_body(in, KEY_REPLY_HEAD, length, &r.signature, used);
    if (status == KEY_WIRE_READY) {
        *out = r;
    }
    return status;
}

static const struct note_row *row_of(uint8_t type)
{
    return type == 0 || type >= ARRAY_SIZE(notes) ? NULL : &notes[type];
}

enum key_wire_status key_read_note(struct slice in, bool to_holder, struct key_note *out,
                                   size_t *used)
{
    struct key_note n;
    uint32_t length;
    uint8_t type, asked;
    CBS cbs;
    CBS_init(&cbs, in.p, in.len);
    if (!CBS_get_u32le(&cbs, &length) || !CBS_get_u8(&cbs, &type) || !CBS_get_u8(&cbs, &asked) ||
        !CBS_get_u32le(&cbs, &n.set)) {
        return KEY_WIRE_NEED_MORE;
    }
    const struct note_row *row = row_of(type);
    if (row == NULL || row->to_holder != to_holder || length > row->body_max || asked > 1) {
        return KEY_WIRE_BAD;
    }
    n.type = (enum key_note_type)type;
    n.asked = asked == 1;
    enum key_wire_status status = take_body(in, KEY_NOTE_HEAD, length, &n.body, used);
    if (status == KEY_WIRE_READY) {
        *out = n;
    }
    return status;
}

/* Writing. */

static void append_u16(struct buf *out, uint16_t n)
{
    n = htole16(n);
    buf_append(out, &n, sizeof(n));
}

static void append_u32(struct buf *out, uint32_t n)
{
    n = htole32(n);
    buf_append(out, &n, sizeof(n));
}

static void append_u64(struct buf *out, uint64_t n)
{
    n = htole64(n);
    buf_append(out, &n, sizeof(n));
}

void key_write_request(struct buf *out, const struct key_request *r)
{
    append_u16(out, (uint16_t)r->message.len);
    append_u16(out, r->scheme);
    append_u32(out, r->set);
    append_u16(out, r->pair);
    append_u64(out, r->id);
    buf_append_slice(out, r->message);
}

void key_write_reply(struct buf *out, const struct key_reply *r)
{
    append_u16(out, (uint16_t)r->signature.len);
    append_u64(out, r->id);
    buf_append_slice(out, r->signature);
}

void key_write_note(struct buf *out, const struct key_note *n)
{
    uint8_t type = (uint8_t)n->type, asked = n->asked;
    append_u32(out, (uint32_t)n->body.len);
    buf_append(out, &type, 1);
    buf_append(out, &asked, 1);
    append_u32(out, n->set);
    buf_append_slice(out, n->body);
}
