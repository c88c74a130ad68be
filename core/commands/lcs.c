/*
 * lcs: LCS, the longest common subsequence of two values: the textbook's table, then a walk back through it. Where
 * several are longest, the walk takes the turns that Redis takes, so that it finds the same one.
 */
#include "commands/commands.h"
#include "core.h"

#include <stdlib.h>
#include <string.h>

struct lcs_options {
    bool length;
    bool positions;
    bool with_lengths;
    int64_t min_length; /* of a match that is shown */
};

/* lcs_options reads the arguments; false after an error reply. */
static bool parse_options(struct call *call, struct lcs_options *out)
{
    for (uint32_t i = 3; i < call->argc; i++) {
        if (call_arg_is(call, i, "idx")) {
            out->positions = true;
        } else if (call_arg_is(call, i, "len")) {
            out->length = true;
        } else if (call_arg_is(call, i, "withmatchlen")) {
            out->with_lengths = true;
        } else if (call_arg_is(call, i, "minmatchlen") && i + 1 < call->argc) {
            if (!call_i64(call, ++i, &out->min_length)) {
                return false;
            }
        } else {
            reply_syntax_error(call);
            return false;
        }
    }
    if (out->length && out->positions) {
        resp_error(call->reply,
                   "ERR If you want both the length and indexes, please just use IDX.");
        return false;
    }
    return true;
}

/* --- the table ---------------------------------------------------------------------------- */

/* rows[i * width + j] is the length for the first i bytes of a and the first j of b. */
struct lcs {
    struct slice a;
    struct slice b;
    size_t width;
    uint32_t *rows;
};

/* table_fits: what bounds the memory bounds the time as well: the loop stands still for everybody meanwhile. */
static bool table_fits(struct call *call, struct slice a, struct slice b)
{
    uint64_t bytes = 0;
    uint64_t most = (uint64_t)core_options(call->core)->max_value;
    if (!__builtin_mul_overflow((uint64_t)a.len + 1, (uint64_t)b.len + 1, &bytes) &&
        !__builtin_mul_overflow(bytes, sizeof(uint32_t), &bytes) && bytes <= most) {
        return true;
    }
    resp_error(call->reply,
               "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
    return false;
}

static void fill_table(struct lcs *l)
{
    l->width = l->b.len + 1;
    l->rows = mem_alloc((l->a.len + 1) * l->width * sizeof(*l->rows));
    memset(l->rows, 0, l->width * sizeof(*l->rows));
    for (size_t i = 1; i <= l->a.len; i++) {
        const uint32_t *above = l->rows + (i - 1) * l->width;
        uint32_t *row = l->rows + i * l->width;
        row[0] = 0;
        for (size_t j = 1; j < l->width; j++) {
            uint32_t longer = above[j] > row[j - 1] ? above[j] : row[j - 1];
            row[j] = l->a.p[i - 1] == l->b.p[j - 1] ? above[j - 1] + 1 : longer;
        }
    }
}

static uint32_t length_at(const struct lcs *l, size_t i, size_t j)
{
    return l->rows[i * l->width + j];
}

/* --- the walk back ------------------------------------------------------------------------ */

/* A run of equal bytes; also the place where the walk is: what is before it is still to be walked. */
struct match {
    size_t a;
    size_t b;
    size_t length;
};

static struct match walk_start(const struct lcs *l)
{
    return (struct match){ l->a.len, l->b.len, 0 };
}

/* previous_match goes on to the run before; false when there is none. */
static bool previous_match(const struct lcs *l, struct match *m)
{
    size_t i = m->a;
    size_t j = m->b;
    while (i > 0 && j > 0 && l->a.p[i - 1] != l->b.p[j - 1]) {
        if (length_at(l, i - 1, j) > length_at(l, i, j - 1)) {
            i--;
        } else {
            j--;
        }
    }
    size_t end = i;
    while (i > 0 && j > 0 && l->a.p[i - 1] == l->b.p[j - 1]) {
        i--;
        j--;
    }
    *m = (struct match){ i, j, end - i };
    return m->length > 0;
}

/* --- replies ------------------------------------------------------------------------------ */

static void reply_text(struct call *call, const struct lcs *l)
{
    size_t length = length_at(l, l->a.len, l->b.len);
    uint8_t *text = ws_alloc(call->ws, length);
    struct match m = walk_start(l);
    for (size_t left = length; previous_match(l, &m); left -= m.length) {
        memcpy(text + left - m.length, l->a.p + m.a, m.length);
    }
    resp_bulk(call->reply, (struct slice){ text, length });
}

static void reply_span(struct resp_writer *w, size_t start, size_t length)
{
    resp_array(w, 2);
    resp_int(w, (int64_t)start);
    resp_int(w, (int64_t)(start + length - 1));
}

static void reply_match(struct resp_writer *w, const struct match *m, bool with_length)
{
    resp_array(w, with_length ? 3 : 2);
    reply_span(w, m->a, m->length);
    reply_span(w, m->b, m->length);
    if (with_length) {
        resp_int(w, (int64_t)m->length);
    }
}

/* reply_positions walks twice, since the count comes before the matches. */
static void reply_positions(struct call *call, const struct lcs *l, const struct lcs_options *o)
{
    struct resp_writer *w = call->reply;
    size_t count = 0;
    for (struct match m = walk_start(l); previous_match(l, &m);) {
        count += (int64_t)m.length >= o->min_length;
    }
    resp_map(w, 2);
    resp_bulk_text(w, "matches");
    resp_array(w, count);
    for (struct match m = walk_start(l); previous_match(l, &m);) {
        if ((int64_t)m.length >= o->min_length) {
            reply_match(w, &m, o->with_lengths);
        }
    }
    resp_bulk_text(w, "len");
    resp_int(w, length_at(l, l->a.len, l->b.len));
}

static struct slice value_of(struct call *call, uint32_t i)
{
    const struct entry *e = call_read(call, i);
    return e != NULL ? e->value : (struct slice){ NULL, 0 };
}

void run_lcs(struct call *call)
{
    struct lcs l = { .a = value_of(call, 1), .b = value_of(call, 2) };
    struct lcs_options options = { 0 };
    if (!parse_options(call, &options) || !table_fits(call, l.a, l.b)) {
        return;
    }
    fill_table(&l);
    if (options.positions) {
        reply_positions(call, &l, &options);
    } else if (options.length) {
        resp_int(call->reply, length_at(&l, l.a.len, l.b.len));
    } else {
        reply_text(call, &l);
    }
    free(l.rows);
}
