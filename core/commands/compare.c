/*
 * compare: compare and write, compare and delete: the conditions that SET shares with DELEX, then DELIFEQ, DELIFREV, DELEX
 * and DIGEST.
 */
#include "commands/compare.h"
#include "commands/commands.h"
#include "commands/digest.h"

/* --- conditions ------------------------------------------------------------------------- */

enum entry_need compare_need(enum compare_kind kind)
{
    return kind == COMPARE_REVISION ? NEED_META : NEED_VALUE;
}

static bool parse_revision(struct call *call, struct compare *out)
{
    if (slice_to_i64(out->with, &out->revision) == ERR_OK && out->revision >= 0) {
        return true;
    }
    resp_error(call->reply, "ERR revision is not an integer or out of range");
    return false;
}

/* parse_digest checks the length alone, as Redis does: what is no digit is in no digest. */
static bool parse_digest(struct call *call, const struct compare *compare)
{
    if (compare->with.len == DIGEST_TEXT) {
        return true;
    }
    resp_error(call->reply, "ERR must be exactly 16 hexadecimal characters");
    return false;
}

bool compare_parse(struct call *call, uint32_t i, enum compare_kind kind, struct compare *out)
{
    *out = (struct compare){ .kind = kind, .with = call->argv[i] };
    switch (kind) {
    case COMPARE_REVISION:
        return parse_revision(call, out);
    case COMPARE_DIGEST:
    case COMPARE_NOT_DIGEST:
        return parse_digest(call, out);
    case COMPARE_EQUAL:
    case COMPARE_NOT_EQUAL:
        break;
    }
    return true;
}

static bool has_digest(const struct entry *e, struct slice text)
{
    char digest[DIGEST_TEXT];
    digest_text(digest_of(e->value), digest);
    return slice_eq_nocase(text, (struct slice){ (const uint8_t *)digest, sizeof(digest) });
}

/* revision_of: an entry that this turn wrote gets its revision when it is stored: one that nobody can know yet. */
static int64_t revision_of(const struct entry *e)
{
    if (e == NULL) {
        return 0;
    }
    return e->dirty ? REVISION_UNKNOWN : e->revision;
}

bool compare_holds(const struct entry *e, const struct compare *compare)
{
    switch (compare->kind) {
    case COMPARE_EQUAL:
        return e != NULL && slice_eq(e->value, compare->with);
    case COMPARE_NOT_EQUAL:
        return e == NULL || !slice_eq(e->value, compare->with);
    case COMPARE_DIGEST:
        return e != NULL && has_digest(e, compare->with);
    case COMPARE_NOT_DIGEST:
        return e == NULL || !has_digest(e, compare->with);
    case COMPARE_REVISION:
        return revision_of(e) == compare->revision;
    }
    return false;
}

/* --- DELIFEQ DELIFREV DELEX -------------------------------------------------------------- */

/* remove_if: a key that is not there is never deleted, whatever the condition says of it. */
static void remove_if(struct call *call, const struct compare *compare)
{
    struct entry *e = call_find(call, 1);
    bool holds = e != NULL && compare_holds(e, compare);
    if (holds) {
        call_remove(call, 1, e);
    }
    resp_int(call->reply, holds);
}

static void delete_if(struct call *call, uint32_t argument, enum compare_kind kind)
{
    struct compare compare;
    if (compare_parse(call, argument, kind, &compare)) {
        remove_if(call, &compare);
    }
}

void run_delifeq(struct call *call)
{
    delete_if(call, 2, COMPARE_EQUAL);
}

void run_delifrev(struct call *call)
{
    delete_if(call, 2, COMPARE_REVISION);
}

static const struct {
    const char *word;
    enum compare_kind kind;
} delex_rows[] = {
    { "ifeq", COMPARE_EQUAL },
    { "ifne", COMPARE_NOT_EQUAL },
    { "ifdeq", COMPARE_DIGEST },
    { "ifdne", COMPARE_NOT_DIGEST },
};

void needs_delex(const struct call *call)
{
    ws_want(call->ws, call->db, call->argv[1], call->argc == 2 ? NEED_META : NEED_VALUE);
}

/* run_delex: without a condition it is DEL; the condition's word is looked at only where there is such a key. */
void run_delex(struct call *call)
{
    if (call->argc == 2) {
        run_del(call);
        return;
    }
    if (call->argc != 4) {
        reply_wrong_arity(call->reply, call->command);
        return;
    }
    if (call_find(call, 1) == NULL) {
        resp_int(call->reply, 0);
        return;
    }
    for (size_t k = 0; k < ARRAY_SIZE(delex_rows); k++) {
        if (call_arg_is(call, 2, delex_rows[k].word)) {
            delete_if(call, 3, delex_rows[k].kind);
            return;
        }
    }
    resp_error(call->reply, "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
}

/* --- DIGEST ------------------------------------------------------------------------------ */

void run_digest(struct call *call)
{
    const struct entry *e = call_read(call, 1);
    if (e == NULL) {
        resp_null(call->reply);
        return;
    }
    char text[DIGEST_TEXT];
    digest_text(digest_of(e->value), text);
    resp_bulk(call->reply, (struct slice){ (const uint8_t *)text, sizeof(text) });
}
