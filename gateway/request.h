/*
 * request: from a client's decrypted bytes to whole commands. Commands that arrive in one piece are
 * parsed where they lie; only a partial one, or what has to wait, is kept with the connection.
 */
#ifndef COFRE_GATEWAY_REQUEST_H
#define COFRE_GATEWAY_REQUEST_H

#include "base/buf.h"
#include "wire/resp_read.h"

/* What the connections of a worker share: limits, and a reader for commands in one piece. */
struct request_parser {
    struct resp_limits limits;
    struct resp_reader *reader;
};

void request_parser_init(struct request_parser *p, size_t max_request);
void request_parser_release(struct request_parser *p);

struct request_rest; /* a partial command and the reader's place in it */

/* One per connection, zeroed at first. */
struct request_stream {
    struct request_rest *rest; /* NULL while nothing is half read */
};

enum request_status {
    REQUEST_NEED_MORE, /* all was parsed, up to a partial command */
    REQUEST_PAUSED,    /* the sink asked to stop; feed again, with no bytes, to go on */
    REQUEST_BAD,       /* request_stream_error says what; sticks */
};

/* The sink gets each command; argv lives until it returns. False pauses after this one. */
typedef bool request_sink(void *arg, const struct slice *argv, uint32_t argc, size_t bytes);

enum request_status request_stream_feed(struct request_stream *s, struct request_parser *p,
                                        struct slice bytes, request_sink *sink, void *arg);
const char *request_stream_error(const struct request_stream *s);
void request_stream_release(struct request_stream *s);

#endif
