/*
 * status_request: finds the empty line that ends the headers, then reads the first line. Headers are
 * passed over: none changes the answer, and a body would be a second request, which nobody reads.
 */
#include "status/status_request.h"

static const struct {
    struct slice name;
    enum status_method method;
} methods[] = {
    { SLICE("GET"), STATUS_GET },
    { SLICE("POST"), STATUS_POST },
};

/* An empty line: LF LF, or LF CR LF. Returns the length up to its end, 0: there is none yet. */
static size_t find_end(struct slice bytes, size_t *scanned)
{
    for (size_t i = *scanned; i < bytes.len; i++) {
        if (bytes.p[i] != '\n') {
            continue;
        }
        if ((i >= 1 && bytes.p[i - 1] == '\n') ||
            (i >= 2 && bytes.p[i - 1] == '\r' && bytes.p[i - 2] == '\n')) {
            return i + 1;
        }
    }
    *scanned = bytes.len;
    return 0;
}

/* cut takes what comes before the first `c` off the front; false: there is none. */
static bool cut(struct slice *rest, uint8_t c, struct slice *out)
{
    const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->p, c, rest->len);
    if (at == NULL) {
        return false;
    }
    size_t n = (size_t)(at - rest->p);
    *out = (struct slice){ rest->p, n };
    *rest = (struct slice){ at + 1, rest->len - n - 1 };
    return true;
}

static enum status_method method_of(struct slice name)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (slice_eq(methods[i].name, name)) {
            return methods[i].method;
        }
    }
    return STATUS_OTHER_METHOD;
}

/* A method is capital letters, a path is printable and begins with a slash. */
static bool is_sound(struct slice method, struct slice target)
{
    if (method.len == 0 || target.len == 0 || target.p[0] != '/') {
        return false;
    }
    for (size_t i = 0; i < method.len; i++) {
        if (method.p[i] < 'A' || method.p[i] > 'Z') {
            return false;
        }
    }
    for (size_t i = 0; i < target.len; i++) {
        if (target.p[i] <= ' ' || target.p[i] >= 0x7f) {
            return false;
        }
    }
    return true;
}

static enum status_parse parse_line(struct slice head, struct status_request *out)
{
    struct slice line, method, target, path;
    if (!cut(&head, '\n', &line)) {
        return STATUS_BAD;
    }
    if (line.len > 0 && line.p[line.len - 1] == '\r') {
        line.len--;
    }
    if (!cut(&line, ' ', &method) || !cut(&line, ' ', &target) || !is_sound(method, target) ||
        (!slice_eq(line, SLICE("HTTP/1.1")) && !slice_eq(line, SLICE("HTTP/1.0")))) {
        return STATUS_BAD;
    }
    out->method = method_of(method);
    out->path = cut(&target, '?', &path) ? path : target;
    return STATUS_READY;
}

/* What cannot become a request is told at once: a client that speaks TLS, or RESP, never sends an empty line. */
static bool may_be_a_request(struct slice bytes)
{
    return bytes.len == 0 || (bytes.p[0] >= 'A' && bytes.p[0] <= 'Z');
}

enum status_parse status_request_parse(struct slice bytes, size_t *scanned,
                                       struct status_request *out)
{
    if (!may_be_a_request(bytes)) {
        return STATUS_BAD;
    }
    size_t length = find_end(bytes, scanned);
    if (length == 0) {
        return bytes.len >= STATUS_REQUEST_MAX ? STATUS_TOO_LONG : STATUS_NEED_MORE;
    }
    struct status_request request = { .length = length };
    enum status_parse result = parse_line((struct slice){ bytes.p, length }, &request);
    if (result == STATUS_READY) {
        *out = request;
    }
    return result;
}
