/*
 * resp_read under any bytes, in any pieces. The first byte of an input chooses the size of the
 * pieces; the rest is the client's stream. Whatever comes out must be the same as when it comes in
 * one piece.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "wire/resp_read.h"

static const struct resp_limits limits = {
    .max_request = 2048, .max_args = 32, .max_bulk = 512, .max_inline = 128
};

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* write_result appends what a request came to, so that two readings can be compared. */
static void write_result(struct buf *out, const struct resp_reader *r, enum resp_status status,
                         size_t used)
{
    if (status == RESP_ERROR) {
        buf_printf(out, "error %s\n", r->error);
        return;
    }
    buf_printf(out, "%zu bytes, %u:", used, r->argc);
    for (uint32_t i = 0; i < r->argc; i++) {
        buf_printf(out, " %zu ", r->argv[i].len);
        buf_append_slice(out, r->argv[i]);
    }
}

/* read_all reads the stream in pieces of `step`, each time from a block of its own exact size. */
static void read_all(struct slice stream, size_t step, struct buf *out)
{
    struct resp_reader r;
    size_t start = 0, end = 0;
    resp_reader_init(&r, &limits);
    for (;;) {
        size_t len = end - start, used = SIZE_MAX;
        uint8_t *block = malloc(len > 0 ? len : 1);
        memcpy(block, stream.p + start, len);
        enum resp_status status = resp_read(&r, (struct slice){ block, len }, &used);
        if (status != RESP_NEED_MORE) {
            write_result(out, &r, status, used);
        }
        must(status != RESP_READY || (used > 0 && used <= len && used <= limits.max_request + 32));
        must(resp_reader_wants(&r, len) > 0 && resp_reader_wants(&r, len) <= limits.max_bulk + 2);
        free(block);
        if (status == RESP_ERROR || (status == RESP_NEED_MORE && end == stream.len)) {
            break;
        }
        if (status == RESP_READY) {
            start += used;
            resp_reader_idle(&r);
        } else {
            end = stream.len - end < step ? stream.len : end + step;
        }
    }
    resp_reader_release(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct slice stream = { data + 1, size - 1 };
    struct buf whole, pieces;
    buf_init(&whole, SIZE_MAX);
    buf_init(&pieces, SIZE_MAX);
    read_all(stream, stream.len + 1, &whole);
    read_all(stream, (size_t)data[0] % 32 + 1, &pieces);
    must(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    buf_release(&whole);
    buf_release(&pieces);
    return 0;
}
