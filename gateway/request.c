/*
 * request: drives wire/resp_read over the worker's shared buffer, and over a buffer of the
 * connection's own where a command does not end within what was read.
 */
#include "request.h"

#include <stdlib.h>

enum {
    MAX_ARGS = 1024 * 1024,
    MAX_BULK = 512 * 1024 * 1024, /* as Redis; max_request is the tighter bound */
    MAX_INLINE = 64 * 1024,
    SLACK = 256 * 1024, /* what one read may bring on top of a command that is not complete */
};

struct request_rest {
    struct buf in;
    struct resp_reader *reader;
};

static struct resp_reader *reader_new(const struct resp_limits *limits)
{
    struct resp_reader *r = mem_alloc(sizeof(*r));
    resp_reader_init(r, limits);
    return r;
}

static void reader_free(struct resp_reader *r)
{
    resp_reader_release(r);
    free(r);
}

void request_parser_init(struct request_parser *p, size_t max_request)
{
    p->limits = (struct resp_limits){ .max_request = max_request,
                                      .max_args = MAX_ARGS,
                                      .max_bulk = MAX_BULK,
                                      .max_inline = MAX_INLINE };
    p->reader = reader_new(&p->limits);
}

void request_parser_release(struct request_parser *p)
{
    reader_free(p->reader);
}

/*
 * parse gives every command in `bytes` to the sink. *used is where the first incomplete command
 * begins, or the first that was not wanted yet.
 */
static enum request_status parse(struct resp_reader *r, struct slice bytes, size_t *used,
                                 request_sink *sink, void *arg)
{
    *used = 0;
    while (*used < bytes.len) {
        struct slice left = { bytes.p + *used, bytes.len - *used };
        size_t n = 0;
        switch (resp_read(r, left, &n)) {
        case RESP_NEED_MORE:
            return REQUEST_NEED_MORE;
        case RESP_ERROR:
            return REQUEST_BAD;
        case RESP_READY:
            *used += n;
            if (r->argc > 0 && !sink(arg, r->argv, r->argc, n)) {
                return REQUEST_PAUSED;
            }
            break;
        }
    }
    return REQUEST_NEED_MORE;
}

/* The shared reader moves over to the connection, place and tables, and a fresh one takes its seat. */
static void keep_rest(struct request_stream *s, struct request_parser *p, struct slice left)
{
    struct request_rest *rest = mem_zalloc(sizeof(*rest));
    buf_init(&rest->in, p->limits.max_request + SLACK);
    buf_append_slice(&rest->in, left);
    rest->reader = p->reader;
    p->reader = reader_new(&p->limits);
    s->rest = rest;
}

static enum request_status feed_rest(struct request_stream *s, struct slice bytes,
                                     request_sink *sink, void *arg)
{
    struct request_rest *rest = s->rest;
    size_t used;
    buf_append_slice(&rest->in, bytes);
    enum request_status status = parse(rest->reader, buf_slice(&rest->in), &used, sink, arg);
    buf_consume(&rest->in, used);
    if (buf_len(&rest->in) == 0 && status != REQUEST_BAD) {
        request_stream_release(s);
    }
    return status;
}

enum request_status request_stream_feed(struct request_stream *s, struct request_parser *p,
                                        struct slice bytes, request_sink *sink, void *arg)
{
    if (s->rest != NULL) {
        return feed_rest(s, bytes, sink, arg);
    }
    size_t used;
    enum request_status status = parse(p->reader, bytes, &used, sink, arg);
    if (used < bytes.len || status == REQUEST_BAD) {
        keep_rest(s, p, (struct slice){ bytes.p + used, bytes.len - used });
    }
    return status;
}

const char *request_stream_error(const struct request_stream *s)
{
    return s->rest == NULL || s->rest->reader->error == NULL ? "" : s->rest->reader->error;
}

void request_stream_release(struct request_stream *s)
{
    if (s->rest != NULL) {
        reader_free(s->rest->reader);
        buf_release(&s->rest->in);
        free(s->rest);
        s->rest = NULL;
    }
}
