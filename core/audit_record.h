/*
 * audit_record: one record of the audit log as a line of JSON. Pure: it only appends to a buf. Bytes from outside cannot end a
 * text or a line; what is no text is given in hex, under a name of its own.
 */
#ifndef COFRE_AUDIT_RECORD_H
#define COFRE_AUDIT_RECORD_H

#include "base/buf.h"

/* record_begin … record_end make one line; between them members are added. */
void record_begin(struct buf *out, const char *event, int64_t at_ms);
void record_end(struct buf *out);

void record_number(struct buf *out, const char *name, int64_t n);
void record_bool(struct buf *out, const char *name, bool b);
void record_time(struct buf *out, const char *name, int64_t ms);
/* record_text writes "name":"text", or "name_hex":"…" when it is not UTF-8 or holds a NUL. */
void record_text(struct buf *out, const char *name, struct slice text);
void record_hex(struct buf *out, const char *name, struct slice bytes);
/* record_list_begin … record_list_end make an array of texts; what is no text is shown in part as "\xNN". */
void record_list_begin(struct buf *out, const char *name);
void record_list_text(struct buf *out, struct slice text);
void record_list_end(struct buf *out);

#endif
