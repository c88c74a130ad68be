/*
 * load_replies: finds where replies end, and looks only at their first bytes.
 */
#include "load_replies.h"

#include <stdlib.h>
#include <string.h>

/* line_ended reads the first line of a reply; returns 1 when that is all of it. */
static unsigned line_ended(struct replies *r, struct totals *totals)
{
    r->line[r->line_len < sizeof r->line ? r->line_len : sizeof r->line - 1] = '\0';
    r->line_len = 0;
    if (r->line[0] == '$' && r->line[1] != '-') {
        r->skip = strtoull(r->line + 1, NULL, 10) + 2;
        return 0;
    }
    if (r->line[0] == '-') {
        if (totals->errors++ == 0) {
            memcpy(totals->first_error, r->line, sizeof totals->first_error);
        }
    }
    totals->nulls += r->line[0] == '$' || r->line[0] == '_';
    return 1;
}

unsigned replies_count(struct replies *r, struct totals *totals, const uint8_t *p, size_t len)
{
    unsigned count = 0;
    while (len > 0) {
        size_t n = 0;
        if (r->skip > 0) {
            n = r->skip < len ? (size_t)r->skip : len;
            r->skip -= n;
            count += r->skip == 0;
        } else {
            const uint8_t *end = memchr(p, '\n', len);
            n = end == NULL ? len : (size_t)(end - p) + 1;
            size_t room = sizeof r->line - 1 - r->line_len;
            size_t copied = n < room ? n : room;
            memcpy(r->line + r->line_len, p, copied);
            r->line_len += copied;
            count += end == NULL ? 0 : line_ended(r, totals);
        }
        p += n;
        len -= n;
    }
    return count;
}
