/*
 * resp_read: the request reader. RESP arrays of bulk strings and inline commands, as redis-server reads
 * them. Pure and resumable: it keeps its place between calls, never looks at a byte twice (but while it
 * searches one line's end it remembers how far it has looked), and words its errors as Redis does.
 */
#ifndef COFRE_WIRE_RESP_READ_H
#define COFRE_WIRE_RESP_READ_H

#include "base/slice.h"

struct resp_limits {
    size_t max_request;  /* bytes of one request, protocol overhead included */
    uint32_t max_args;   /* arguments of one request */
    size_t max_bulk;     /* bytes of one argument */
    size_t max_inline;   /* bytes of an inline request or of a header line: Redis has 64 KiB */
};

/*
 * The reader. The caller keeps the unread bytes contiguous and calls resp_read with everything from the
 * current request's first byte on; offsets in here are relative to that first byte, so the caller may move
 * or grow its buffer between calls. 64 bytes or so; the argument table is allocated only while a request is
 * incomplete and freed by resp_reader_reset (an idle connection holds none).
 */
struct resp_reader;
struct resp_reader {
    const struct resp_limits *limits;
    size_t pos;         /* everything before was parsed */
    size_t scanned;     /* end-of-line search got this far */
    uint32_t argc;      /* arguments announced; 0 before the header line */
    uint32_t parsed;    /* arguments complete */
    size_t bulk_len;    /* of the argument being read; SIZE_MAX: its header line is not read yet */
    struct resp_arg { /* where each argument lies, relative to the request's start */
        uint32_t off;
        uint32_t len;
    } *args;
    uint32_t args_cap;
    struct slice *argv; /* built when READY; valid until the next call with other bytes */
    uint32_t argv_cap;
    uint8_t *inline_copy; /* unescaped inline arguments, or NULL */
    char error[128];    /* "Protocol error: invalid bulk length", set with RESP_ERROR */
};

enum resp_status {
    RESP_NEED_MORE, /* feed more bytes */
    RESP_READY,     /* one request: reader->argc/argv; *used bytes taken. argc may be 0 (empty line, *0): skip it */
    RESP_ERROR,     /* reader->error says what; answer "-ERR <error>" and close. Sticks. */
};

void resp_reader_init(struct resp_reader *r, const struct resp_limits *limits);

/*
 * resp_read parses from bytes.p, the first byte of the current request. With RESP_READY the argv slices point
 * into `bytes` (or into the reader, for quoted inline arguments) and hold until the next call; the next call
 * starts at bytes.p + *used.
 */
enum resp_status resp_read(struct resp_reader *r, struct slice bytes, size_t *used);

/* resp_reader_wants returns how many more bytes are certainly needed before READY (a hint for buffer growth). */
size_t resp_reader_wants(const struct resp_reader *r, size_t have);

/* resp_reader_idle frees the tables; call it when no partial request is pending and the connection goes idle. */
void resp_reader_idle(struct resp_reader *r);
void resp_reader_release(struct resp_reader *r);

#endif
