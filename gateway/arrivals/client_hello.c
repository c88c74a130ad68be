/*
 * client_hello: one record, one message, the list of extensions (RFC 8446 §4.1.2 and §5.1). Every
 * step takes a piece off the front of what is left; a piece that is not there ends the look.
 */
#include "arrivals/client_hello.h"

enum {
    RECORD_HEAD = 5,
    RECORD_HANDSHAKE = 22,
    RECORD_VERSION = 3, /* its upper byte, since SSL 3 */
    RECORD_MAX = 16384,
    MESSAGE_CLIENT_HELLO = 1,
    EXTENSION_TICKET = 35,
    EXTENSION_PRE_SHARED_KEY = 41,
};

/* take cuts len bytes off the front. */
static bool take(struct slice *s, size_t len, struct slice *out)
{
    if (s->len < len) {
        return false;
    }
    *out = (struct slice){ s->p, len };
    *s = (struct slice){ s->p + len, s->len - len };
    return true;
}

/* take_number reads a big-endian number of 1 to 3 bytes. */
static bool take_number(struct slice *s, size_t width, size_t *out)
{
    struct slice bytes;
    if (!take(s, width, &bytes)) {
        return false;
    }
    *out = 0;
    for (size_t i = 0; i < width; i++) {
        *out = *out << 8 | bytes.p[i];
    }
    return true;
}

/* take_list reads a length of `width` bytes, and so much behind it. */
static bool take_list(struct slice *s, size_t width, struct slice *out)
{
    size_t len;
    return take_number(s, width, &len) && take(s, len, out);
}

static bool has_ticket(struct slice extensions)
{
    size_t type;
    struct slice data;
    while (take_number(&extensions, 2, &type) && take_list(&extensions, 2, &data)) {
        if (type == EXTENSION_PRE_SHARED_KEY || (type == EXTENSION_TICKET && data.len > 0)) {
            return true;
        }
    }
    return false;
}

/* message: version, random, then session, suites, compressions and extensions, each with its length. */
static bool resumes(struct slice record)
{
    size_t type;
    struct slice hello, skipped, extensions;
    return take_number(&record, 1, &type) && type == MESSAGE_CLIENT_HELLO &&
           take_list(&record, 3, &hello) && take(&hello, 2 + 32, &skipped) &&
           take_list(&hello, 1, &skipped) && take_list(&hello, 2, &skipped) &&
           take_list(&hello, 1, &skipped) && take_list(&hello, 2, &extensions) &&
           has_ticket(extensions);
}

enum client_hello client_hello_peek(struct slice bytes)
{
    if ((bytes.len > 0 && bytes.p[0] != RECORD_HANDSHAKE) ||
        (bytes.len > 1 && bytes.p[1] != RECORD_VERSION)) {
        return CLIENT_HELLO_FULL;
    }
    if (bytes.len < RECORD_HEAD) {
        return CLIENT_HELLO_NEED_MORE;
    }
    size_t len = (size_t)bytes.p[3] << 8 | bytes.p[4];
    if (len > RECORD_MAX) {
        return CLIENT_HELLO_FULL;
    }
    struct slice record = { bytes.p + RECORD_HEAD, bytes.len - RECORD_HEAD };
    if (record.len < len) {
        return CLIENT_HELLO_NEED_MORE;
    }
    record.len = len;
    return resumes(record) ? CLIENT_HELLO_RESUMES : CLIENT_HELLO_FULL;
}
