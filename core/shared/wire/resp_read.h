/*
 * resp_read: the request reader. RESP arrays of bulk strings and inline commands, as redis-server
 * reads them. Pure and resumable: it keeps its place between calls, never looks at an argument's
 * bytes (but at its CRLF), remembers how far a line's end was searched, and words its errors as
 * Redis does.
 */
#ifndef COFRE_WIRE_RESP_READ_H
#define COFRE_WIRE_RESP_READ_H

#include "base/slice.h"

struct resp_limits {
    size_t max_request; /* bytes of one request, protocol overhead included */
    uint32_t max_args;  /* arguments of one request */
    size_t max_bulk;    /* bytes of one argument */
    size_t max_inline;  /* bytes of an inline request or of a header line: Redis has 64 KiB */
};

enum { RESP_FEW_ARGS = 6 }; /* SET key value EX seconds NX */

enum resp_phase {
    RESP_AT_START,  /* nothing of the request was read */
    RESP_IN_INLINE, /* its first byte was not '*' */
    RESP_AT_BULK,   /* before the header line of argument number `parsed` */
    RESP_IN_BULK,   /* before that argument's bytes */
    RESP_AT_END,    /* it was handed out; the next call begins another one */
    RESP_FAILED,
};

/*
 * The reader. The caller keeps the unread bytes contiguous and calls resp_read with everything from
 * the current request's first byte on; offsets in here are relative to that first byte, so the
 * caller may move or grow its buffer between calls. A request of RESP_FEW_ARGS arguments allocates
 * nothing; a longer table is kept until resp_reader_idle. Callers read argc, argv and error; the
 * rest is the reader's own. It must not be moved in memory (argv may point into it).
 */
struct resp_reader {
    const struct resp_limits *limits;
    uint32_t argc;      /* arguments announced; valid with RESP_READY */
    uint32_t parsed;    /* arguments complete */
    struct slice *argv; /* `few` or the heap; until RESP_READY each .p is an offset */
    uint32_t argv_cap;
    enum resp_phase phase;
    size_t pos;           /* everything before was parsed */
    size_t scanned;       /* the search for the present line's end got this far */
    size_t bulk_len;      /* RESP_IN_BULK: of the argument being read */
    uint8_t *inline_copy; /* the unquoted arguments of an inline request, or NULL */
    char *error;          /* "Protocol error: invalid bulk length"; set until release */
    struct slice few[RESP_FEW_ARGS];
};

enum resp_status {
    RESP_NEED_MORE, /* feed more bytes */
    RESP_READY, /* one request: argc, argv; *used bytes taken. argc 0 (empty line, *0): skip it */
    RESP_ERROR, /* reader->error says what; answer "-ERR <error>" and close. Sticks. */
};

void resp_reader_init(struct resp_reader *r, const struct resp_limits *limits);

/*
 * resp_read parses from bytes.p, the first byte of the current request. With RESP_READY the argv
 * slices point into `bytes` (or into the reader, for inline requests) and hold until the next call;
 * the next call starts at bytes.p + *used.
 */
enum resp_status resp_read(struct resp_reader *r, struct slice bytes, size_t *used);

/*
 * resp_reader_wants returns how many more bytes are certainly needed before READY, when `have`
 * bytes of the request are there: at least 1, exact for the argument being read. A hint for buffer
 * growth: the number is the client's word, at most max_bulk + 2, so do not hand out memory on it
 * without a limit of your own.
 */
size_t resp_reader_wants(const struct resp_reader *r, size_t have);

/*
 * resp_reader_idle frees what the last request allocated (its argv is gone then); call it when the
 * connection goes idle. It does nothing in the middle of a request.
 */
void resp_reader_idle(struct resp_reader *r);
void resp_reader_release(struct resp_reader *r);

#endif
