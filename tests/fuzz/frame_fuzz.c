/*
 * frame under any bytes: everything that is accepted lies within what was given, and writing it
 * again gives the bytes that were read.
 */
#include <stdlib.h>

#include "wire/frame.h"

enum { MAX_ARGC = 16 };

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void must_be_same(struct buf *written, struct slice expected)
{
    must(slice_eq(buf_slice(written), expected));
    buf_clear(written);
}

static void try_request(const struct frame *frame, struct slice bytes, struct buf *out)
{
    struct slice argv[MAX_ARGC];
    uint32_t argc = 0, counted = 0;
    if (frame_parse_request(frame->payload, MAX_ARGC, argv, &argc) == ERR_OK) {
        must(frame_parse_request(frame->payload, MAX_ARGC, NULL, &counted) == ERR_OK &&
             counted == argc);
        frame_build_request(out, argv, argc);
        must_be_same(out, frame->payload);
        if (frame->flags == 0) {
            frame_write_request(out, frame->session, argv, argc);
            must_be_same(out, bytes);
        }
    }
}

static void try_payload(const struct frame *frame, struct slice bytes, struct buf *out)
{
    struct frame_hello hello;
    struct frame_open open;
    uint32_t credit = 0;
    if (frame->type == FRAME_HELLO && frame_parse_hello(frame->payload, &hello) == ERR_OK &&
        hello.version == FRAME_VERSION && frame->session == 0) {
        frame_write_hello(out, &hello);
        must_be_same(out, bytes);
    } else if (frame->type == FRAME_OPEN && frame_parse_open(frame->payload, &open) == ERR_OK) {
        frame_write_open(out, frame->session, &open);
        must_be_same(out, bytes);
    } else if (frame->type == FRAME_CREDIT &&
               frame_parse_credit(frame->payload, &credit) == ERR_OK) {
        frame_write_credit(out, frame->session, credit);
        must_be_same(out, bytes);
    } else if (frame->type == FRAME_REQUEST) {
        try_request(frame, bytes, out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice left = { data, size };
    struct frame frame;
    size_t used = 0;
    struct buf out;
    buf_init(&out, SIZE_MAX);
    while (frame_read(left, &frame, &used) == FRAME_READY) {
        struct slice bytes = { left.p, used };
        must(used <= left.len && used == FRAME_HEADER_SIZE + frame.payload.len);
        frame_write(&out, &frame);
        must_be_same(&out, bytes);
        try_payload(&frame, bytes, &out);
        left.p += used;
        left.len -= used;
    }
    buf_release(&out);
    return 0;
}
