/*
 * load_replies: cuts a stream of bytes into RESP replies, and counts them without keeping them.
 */
#ifndef BENCH_LOAD_REPLIES_H
#define BENCH_LOAD_REPLIES_H

#include <stddef.h>
#include <stdint.h>

/* Where a connection's stream is, between two reads. */
struct replies {
    uint64_t skip; /* bytes of a bulk string still to come, its CRLF included */
    size_t line_len;
    char line[128];
};

struct totals {
    uint64_t replies;
    uint64_t errors; /* replies that begin with '-' */
    uint64_t nulls;
    uint64_t bytes; /* of replies, decrypted */
    uint64_t opened;
    uint64_t resumed;
    char first_error[128];
};

/*
 * replies_count returns how many replies end in these bytes, and adds errors and nulls to *totals.
 * It knows only what our commands can be answered with: no arrays.
 */
unsigned replies_count(struct replies *r, struct totals *totals, const uint8_t *p, size_t len);

#endif
