/*
 * status_reply: reads a status line and the two headers that matter. It looks at all bytes again when more
 * have come: a head is small.
 */
#include "status/status_reply.h"

static bool take_line(struct slice *rest, struct slice *line)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->p, '\n', rest->len);
    if (end == NULL) {
        return false;
    }
    size_t n = (size_t)(end - rest->p);
    *line = (struct slice){ rest->p, n > 0 && end[-1] == '\r' ? n - 1 : n };
    *rest = (struct slice){ end + 1, rest->len - n - 1 };
    return true;
}

static bool parse_code(struct slice line, int *code)
{
    static const struct slice version = SLICE("HTTP/1.1 ");
    int64_t n;
    if (!slice_starts_with(line, version) || line.len < version.len + 3 ||
        slice_to_i64((struct slice){ line.p + version.len, 3 }, &n) != ERR_OK || n < 100) {
        return false;
    }
    *code = (int)n;
    return true;
}

/* parse_header returns false for one of ours that is no number. */
static bool parse_header(struct slice line, struct slice name, int64_t *value)
{
    if (!slice_starts_with(line, name)) {
        return true;
    }
    return slice_to_i64((struct slice){ line.p + name.len, line.len - name.len }, value) ==
               ERR_OK &&
           *value >= 0;
}

enum err status_reply_parse(struct slice bytes, struct status_reply *out)
{
    struct status_reply r = { .code = 0 };
    struct slice rest = bytes, line;
    while (take_line(&rest, &line)) {
        if (r.code == 0) {
            if (!parse_code(line, &r.code)) {
                return ERR_PROTOCOL;
            }
        } else if (line.len == 0) {
            r.head = bytes.len - rest.len;
            if (r.head > STATUS_REPLY_HEAD_MAX) {
                return ERR_PROTOCOL;
            }
            *out = r;
            return ERR_OK;
        } else if (!parse_header(line, SLICE("Content-Length: "), &r.length) ||
                   !parse_header(line, SLICE("Cofre-Sockets: "), &r.sockets)) {
            return ERR_PROTOCOL;
        }
    }
    return bytes.len >= STATUS_REPLY_HEAD_MAX ? ERR_PROTOCOL : ERR_NOT_FOUND;
}
