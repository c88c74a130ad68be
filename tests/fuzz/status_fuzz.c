/*
 * status_fuzz: what comes over the status socket, to both of its ends. The first byte chooses: a request, read
 * whole and byte by byte with the same result; an answer's head; a line of /sessions, whose texts are written and
 * read again.
 */
#include <stdlib.h>

#include "status/dry_run.h"
#include "status/json.h"
#include "status/status_reply.h"
#include "status/status_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_request(struct slice bytes)
{
    struct status_request whole = { .length = 0 }, pieces = { .length = 0 };
    size_t at = 0, scanned = 0;
    enum status_parse one = status_request_parse(bytes, &at, &whole), other = STATUS_NEED_MORE;
    for (size_t n = 0; n <= bytes.len && other == STATUS_NEED_MORE; n++) {
        other = status_request_parse((struct slice){ bytes.p, n }, &scanned, &pieces);
    }
    if (one != other && other != STATUS_TOO_LONG) {
        abort();
    }
    if (one == STATUS_READY && other == STATUS_READY &&
        (whole.length != pieces.length || !slice_eq(whole.path, pieces.path) ||
         whole.path.len == 0 || whole.path.p[0] != '/')) {
        abort();
    }
}

static void fuzz_reply(struct slice bytes)
{
    struct status_reply r;
    if (status_reply_parse(bytes, &r) == ERR_OK &&
        (r.head > bytes.len || r.length < 0 || r.sockets < 0 || r.code < 100 || r.code > 999)) {
        abort();
    }
}

static void must_come_back(struct slice text)
{
    struct buf line, scratch;
    struct json_member m;
    bool first = true;
    buf_init(&line, 1 << 20);
    buf_init(&scratch, 1 << 20);
    buf_printf(&line, "{\"a\":");
    json_text(&line, text);
    buf_printf(&line, "}");
    struct slice rest = buf_slice(&line);
    if (json_next(&rest, &first, &scratch, &m) != ERR_OK || !m.is_string ||
        (slice_is_text(text) && !slice_eq(m.text, text)) ||
        json_next(&rest, &first, &scratch, &m) != ERR_NOT_FOUND) {
        abort();
    }
    buf_release(&line);
    buf_release(&scratch);
}

static void fuzz_session(struct slice line)
{
    static struct dry_run_session s;
    if (dry_run_parse(line, &s) == ERR_OK && (s.identity[0] == '\0' || s.path.count == 0)) {
        abort();
    }
    must_come_back(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct slice rest = { data + 1, size - 1 };
    switch (data[0] & 3) {
    case 0:
        fuzz_request(rest);
        break;
    case 1:
        fuzz_reply(rest);
        break;
    default:
        fuzz_session(rest);
        break;
    }
    return 0;
}
