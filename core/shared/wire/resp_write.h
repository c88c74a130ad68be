/*
 * resp_write: the reply encoder, RESP2 and RESP3. Appends to a buf; nothing can fail but the buf's
 * maximum (its sticky overflow). RESP3 types fall back to what Redis 7 sends a RESP2 client.
 */
#ifndef COFRE_WIRE_RESP_WRITE_H
#define COFRE_WIRE_RESP_WRITE_H

#include "base/buf.h"

struct resp_writer {
    struct buf *out;
    int protocol; /* 2 or 3 */
};

void resp_simple(struct resp_writer *w, const char *text); /* +text */
void resp_ok(struct resp_writer *w);
/* resp_error writes -text, code included ("ERR ..."); CR, LF and NUL in it become spaces. */
void resp_error(struct resp_writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
void resp_int(struct resp_writer *w, int64_t n);       /* :n */
void resp_bulk(struct resp_writer *w, struct slice s); /* $len */
void resp_bulk_text(struct resp_writer *w, const char *text);
void resp_bulk_int(struct resp_writer *w, int64_t n); /* the number as a bulk string */
void resp_null(struct resp_writer *w);                /* $-1 or _ */
void resp_null_array(struct resp_writer *w);          /* *-1 or _ */
void resp_array(struct resp_writer *w, size_t n);     /* *n */
void resp_map(struct resp_writer *w, size_t pairs);   /* *2n or %n */
void resp_set(struct resp_writer *w, size_t n);       /* *n or ~n */
void resp_push(struct resp_writer *w, size_t n);      /* *n or >n */
void resp_bool(struct resp_writer *w, bool b);        /* :1/:0 or #t/#f */
void resp_double(struct resp_writer *w, double d);    /* bulk or ,d */
/* resp_verbatim writes a bulk or =len kind:..., kind being three letters ("txt"). */
void resp_verbatim(struct resp_writer *w, const char *kind, struct slice s);

#endif
