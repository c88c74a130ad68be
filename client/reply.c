/*
 * reply: the reader of RESP replies. Bytes in, trees out; it knows no socket and prints nothing.
 * A stack holds the lists that are still being filled; the node on top is the next to read.
 * https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md
 */
#include "reply.h"

#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_MAX = 64,
    LINE_MAX_BYTES = 1 << 16,
    BULK_MAX = 512 << 20, /* Redis's own proto-max-bulk-len */
};

/* One list that is being filled. `missing` nodes are still to come; `cap` is how many fit. */
struct level {
    struct reply *list;
    size_t missing;
    size_t cap;
};

struct reply_reader {
    struct reply *root;
    struct level stack[DEPTH_MAX];
    size_t depth;
    struct reply *bulk; /* the string whose body is being read, or NULL */
    size_t bulk_filled; /* bytes of it so far, CRLF included */
    size_t bulk_cap;
    size_t scanned; /* bytes of the unread line already searched for its end */
    bool skip;      /* the list being read is an attribute: to be dropped, its reply follows */
    bool broken;
};

/*
 * One row per first byte.
 * mark   the byte
 * type   what it makes
 * form   what follows: a line of text, a number, a body with its length, or items with their count
 * step   nodes per counted item (2 for maps)
 */
enum form { FORM_LINE, FORM_INTEGER, FORM_BODY, FORM_ITEMS, FORM_NIL, FORM_BOOLEAN };
struct mark_row {
    char mark;
    enum reply_type type;
    enum form form;
    uint8_t step;
};
static const struct mark_row marks[] = {
    { '+', REPLY_STATUS, FORM_LINE, 0 },     { '-', REPLY_ERROR, FORM_LINE, 0 },
    { ':', REPLY_INTEGER, FORM_INTEGER, 0 }, { '$', REPLY_BULK, FORM_BODY, 0 },
    { '*', REPLY_ARRAY, FORM_ITEMS, 1 },     { '_', REPLY_NIL, FORM_NIL, 0 },
    { ',', REPLY_DOUBLE, FORM_LINE, 0 },     { '#', REPLY_BOOLEAN, FORM_BOOLEAN, 0 },
    { '(', REPLY_BIGNUM, FORM_LINE, 0 },     { '=', REPLY_VERBATIM, FORM_BODY, 0 },
    { '!', REPLY_ERROR, FORM_BODY, 0 },      { '%', REPLY_MAP, FORM_ITEMS, 2 },
    { '~', REPLY_SET, FORM_ITEMS, 1 },       { '>', REPLY_PUSH, FORM_ITEMS, 1 },
    { '|', REPLY_MAP, FORM_ITEMS, 2 },
};

bool reply_is_list(const struct reply *r)
{
    return r->type == REPLY_ARRAY || r->type == REPLY_MAP || r->type == REPLY_SET ||
           r->type == REPLY_PUSH;
}

const struct reply *reply_lookup(const struct reply *r, const char *key)
{
    if (r == NULL || !reply_is_list(r)) {
        return NULL;
    }
    for (size_t i = 0; i + 1 < r->count; i += 2) {
        if (r->items[i].text != NULL && slice_eq(reply_text(&r->items[i]), slice_of(key))) {
            return &r->items[i + 1];
        }
    }
    return NULL;
}

/* Depth is bounded by DEPTH_MAX, so this recursion is too. */
static void release(struct reply *r)
{
    for (size_t i = 0; i < r->count; i++) {
        release(&r->items[i]);
    }
    free(r->items);
    free(r->text);
}

void reply_free(struct reply *r)
{
    if (r != NULL) {
        release(r);
        free(r);
    }
}

struct reply_reader *reply_reader_new(void)
{
    return mem_zalloc(sizeof(struct reply_reader));
}

void reply_reader_free(struct reply_reader *r)
{
    if (r != NULL) {
        reply_free(r->root);
        free(r);
    }
}

/* next_node gives the place of the node to read next: the root, or one more item of the top list. */
static struct reply *next_node(struct reply_reader *r)
{
    if (r->depth == 0) {
        r->root = mem_zalloc(sizeof(*r->root));
        return r->root;
    }
    struct level *top = &r->stack[r->depth - 1];
    if (top->list->count == top->cap) {
        top->cap = top->cap == 0 ? 8 : top->cap * 2;
        top->list->items = mem_realloc(top->list->items, top->cap * sizeof(struct reply));
    }
    struct reply *node = &top->list->items[top->list->count++];
    memset(node, 0, sizeof(*node));
    top->missing--;
    return node;
}

static void set_text(struct reply *node, struct slice text)
{
    struct slice copy = slice_dup(text);
    node->text = (uint8_t *)copy.p;
    node->text_len = copy.len;
}

static enum err start_body(struct reply_reader *r, struct reply *node, int64_t len)
{
    if (len == -1) {
        node->type = REPLY_NIL;
        return ERR_OK;
    }
    if (len < 0 || len > BULK_MAX) {
        return ERR_PROTOCOL;
    }
    node->text_len = (size_t)len;
    r->bulk = node;
    r->bulk_filled = 0;
    r->bulk_cap = 0;
    return ERR_OK;
}

static enum err start_items(struct reply_reader *r, struct reply *node, const struct mark_row *row,
                            int64_t count)
{
    if (count == -1 && row->mark == '*') {
        node->type = REPLY_NIL;
        return ERR_OK;
    }
    if (count < 0 || count > INT32_MAX || r->depth == DEPTH_MAX) {
        return ERR_PROTOCOL;
    }
    if (row->mark == '|') {
        if (r->depth != 0) { /* only ever seen before a whole reply */
            return ERR_PROTOCOL;
        }
        r->skip = true;
    }
    r->stack[r->depth++] = (struct level){ .list = node, .missing = (size_t)count * row->step };
    return ERR_OK;
}

static enum err read_boolean(struct reply *node, struct slice text)
{
    if (!slice_eq(text, SLICE("t")) && !slice_eq(text, SLICE("f"))) {
        return ERR_PROTOCOL;
    }
    node->integer = text.p[0] == 't';
    return ERR_OK;
}

/* read_line makes a node of one header line, given without its CRLF. */
static enum err read_line(struct reply_reader *r, struct slice line)
{
    const struct mark_row *row = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(marks) && line.len > 0; i++) {
        if (marks[i].mark == (char)line.p[0]) {
            row = &marks[i];
        }
    }
    if (row == NULL) {
        return ERR_PROTOCOL;
    }
    struct slice text = { line.p + 1, line.len - 1 };
    int64_t number = 0;
    if (row->form == FORM_INTEGER || row->form == FORM_BODY || row->form == FORM_ITEMS) {
        if (slice_to_i64(text, &number) != ERR_OK) {
            return ERR_PROTOCOL;
        }
    }
    struct reply *node = next_node(r);
    node->type = row->type;
    switch (row->form) {
    case FORM_LINE:
        set_text(node, text);
        return ERR_OK;
    case FORM_INTEGER:
        node->integer = number;
        return ERR_OK;
    case FORM_BODY:
        return start_body(r, node, number);
    case FORM_ITEMS:
        return start_items(r, node, row, number);
    case FORM_NIL:
        return text.len == 0 ? ERR_OK : ERR_PROTOCOL;
    case FORM_BOOLEAN:
        return read_boolean(node, text);
    }
    return ERR_PROTOCOL;
}

/* end_body checks the CRLF behind a string and cuts it off, as well as a verbatim string's "txt:". */
static enum err end_body(struct reply_reader *r)
{
    struct reply *node = r->bulk;
    r->bulk = NULL;
    if (memcmp(node->text + node->text_len, "\r\n", 2) != 0) {
        return ERR_PROTOCOL;
    }
    node->text[node->text_len] = '\0';
    if (node->type != REPLY_VERBATIM) {
        return ERR_OK;
    }
    if (node->text_len < 4 || node->text[3] != ':') {
        return ERR_PROTOCOL;
    }
    node->text_len -= 4;
    memmove(node->text, node->text + 4, node->text_len + 1);
    return ERR_OK;
}

/* fill_body copies what is there of a string; it grows by doubling, never past what was announced. */
static size_t fill_body(struct reply_reader *r, struct slice bytes)
{
    size_t whole = r->bulk->text_len + 2;
    size_t take = whole - r->bulk_filled < bytes.len ? whole - r->bulk_filled : bytes.len;
    if (r->bulk_filled + take > r->bulk_cap) {
        size_t cap =
            r->bulk_cap * 2 > r->bulk_filled + take ? r->bulk_cap * 2 : r->bulk_filled + take;
        r->bulk_cap = cap < whole ? cap : whole;
        r->bulk->text = mem_realloc(r->bulk->text, r->bulk_cap);
    }
    memcpy(r->bulk->text + r->bulk_filled, bytes.p, take);
    r->bulk_filled += take;
    return take;
}

/* find_line returns the length of the line at the front, without CRLF, or -1 while its end is missing. */
static ptrdiff_t find_line(struct reply_reader *r, struct slice bytes)
{
    const uint8_t *from = bytes.p + r->scanned;
    const uint8_t *end = memchr(from, '\n', bytes.len - r->scanned);
    if (end == NULL) {
        r->scanned = bytes.len;
        return -1;
    }
    r->scanned = 0;
    return end - bytes.p;
}

/* take_line reads one header line. ERR_LIMIT: its end has not arrived. */
static enum err take_line(struct reply_reader *r, struct slice bytes, size_t *used)
{
    ptrdiff_t len = bytes.len == 0 ? -1 : find_line(r, bytes);
    if (len < 0) {
        return bytes.len > LINE_MAX_BYTES ? ERR_PROTOCOL : ERR_LIMIT;
    }
    if (len < 2 || bytes.p[len - 1] != '\r') {
        return ERR_PROTOCOL;
    }
    *used += (size_t)len + 1;
    return read_line(r, (struct slice){ bytes.p, (size_t)len - 1 });
}

static enum err take_body(struct reply_reader *r, struct slice bytes, size_t *used)
{
    *used += fill_body(r, bytes);
    if (r->bulk_filled < r->bulk->text_len + 2) {
        return ERR_LIMIT;
    }
    return end_body(r);
}

/* is_whole closes every list that has all its items, and says whether the root is complete. */
static bool is_whole(struct reply_reader *r)
{
    if (r->bulk != NULL) {
        return false;
    }
    while (r->depth > 0 && r->stack[r->depth - 1].missing == 0) {
        r->depth--;
    }
    if (r->depth > 0) {
        return false;
    }
    if (r->skip) {
        r->skip = false;
        reply_free(r->root);
        r->root = NULL;
        return false;
    }
    return true;
}

enum reply_status reply_read(struct reply_reader *r, struct slice bytes, size_t *used,
                             struct reply **out)
{
    *used = 0;
    while (!r->broken) {
        struct slice rest = { bytes.p + *used, bytes.len - *used };
        enum err err = ERR_LIMIT;
        if (r->bulk == NULL) {
            err = take_line(r, rest, used);
        } else if (rest.len > 0) {
            err = take_body(r, rest, used);
        }
        if (err == ERR_LIMIT) {
            return REPLY_NEED_MORE;
        }
        if (err != ERR_OK) {
            r->broken = true;
        } else if (is_whole(r)) {
            *out = r->root;
            r->root = NULL;
            return REPLY_READY;
        }
    }
    return REPLY_BROKEN;
}
