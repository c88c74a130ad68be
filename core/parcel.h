/*
 * parcel: notices as bytes, for the way between cores, and the text that a NOTIFY carries. Pure.
 *
 * A record: u8 kind, u32 db number, i64 a, i64 b, then keyspace, subject and body, each u32 length and bytes; little-endian.
 * A payload: "1 SENDER NUMBER b BASE64" with records in it, or "1 SENDER NUMBER r ROW": they are in that row of
 * cofre.message.
 */
#ifndef COFRE_PARCEL_H
#define COFRE_PARCEL_H

#include "base/buf.h"
#include "notice.h"

enum {
    PARCEL_TEXT_MAX = 7000,    /* of a payload: PostgreSQL takes 7,999 bytes */
    PARCEL_RECORDS_MAX = 5184, /* bytes of records that fit such a text */
};

/* parcel_write appends one record; the keyspace travels by its name. */
void parcel_write(struct buf *out, const struct notice *n, struct slice keyspace);
/*
 * parcel_read takes the first record off *records; its slices point into them. ERR_PROTOCOL when it is malformed; a kind
 * that a later release may know is skipped by the caller (n->kind is then NOTICE_KINDS or more).
 */
MUST_CHECK enum err parcel_read(struct slice *records, struct notice *n, struct slice *keyspace);

struct payload {
    int64_t sender; /* cofre.listener.id */
    int64_t number; /* of this sender's payloads, from 1 */
    int64_t row;    /* of cofre.message; 0: the records are here */
};
/* payload_write appends the text with the records in it, payload_write_row the text up to the row's number. */
void payload_write(struct buf *out, const struct payload *p, struct slice records);
void payload_write_row(struct buf *out, const struct payload *p);
/* payload_read appends the records to *records, if they are in the text. */
MUST_CHECK enum err payload_read(struct slice text, struct payload *p, struct buf *records);

#endif
