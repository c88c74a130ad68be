/*
 * hyperloglog: PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST: counting different elements in little memory. What the
 * bytes of a value mean is in hll.h.
 */
#include "commands/commands.h"
#include "commands/hll.h"

#include <math.h>
#include <string.h>

static void reply_corrupt(struct call *call)
{
    resp_error(call->reply, "INVALIDOBJ Corrupted HLL object detected");
}

static bool check(struct call *call, const struct entry *e)
{
    if (hll_is(e->value)) {
        return true;
    }
    resp_error(call->reply, "WRONGTYPE Key is not a valid HyperLogLog string value.");
    return false;
}

static struct entry *make(struct call *call)
{
    hll_write_empty(call_edit(call, 1, NULL, HLL_EMPTY_BYTES));
    return call_find(call, 1);
}

static void set_stale(struct call *call, struct entry *e)
{
    hll_set_stale(ws_edit(call->ws, e, e->length));
}

/* to_dense is false when the value is corrupt; it is as it was then. */
static bool to_dense(struct call *call, struct entry *e)
{
    uint8_t registers[HLL_REGISTERS] = { 0 };
    if (!hll_merge(e->value, registers)) {
        return false;
    }
    hll_write_dense(ws_edit(call->ws, e, HLL_DENSE_BYTES), registers);
    return true;
}

static bool raise_sparse(struct call *call, struct entry *e, struct hll_hit hit)
{
    size_t length = e->length;
    uint8_t *p = ws_edit(call->ws, e, length + HLL_SPARSE_GROWTH);
    bool raised = hll_sparse_raise(p, &length, hit);
    ws_edit(call->ws, e, length);
    return raised;
}

enum raised { RAISED_NOT, RAISED, RAISED_CORRUPT };

/* raise sets a register that is lower. Like Redis it looks no further into the value than it has to. */
static enum raised raise_register(struct call *call, struct entry *e, struct hll_hit hit)
{
    int rank = hll_rank(e->value, hit.index);
    if (rank < 0) {
        return RAISED_CORRUPT;
    }
    if (rank >= hit.rank) {
        return RAISED_NOT;
    }
    if (hll_form(e->value) == HLL_SPARSE) {
        if (raise_sparse(call, e, hit)) {
            return RAISED;
        }
        if (!to_dense(call, e)) {
            return RAISED_CORRUPT;
        }
    }
    hll_dense_raise(ws_edit(call->ws, e, e->length), hit);
    return RAISED;
}

/* --- PFADD ------------------------------------------------------------------------------- */

void run_pfadd(struct call *call)
{
    struct entry *e = call_find(call, 1);
    bool changed = e == NULL;
    if (e == NULL) {
        e = make(call);
    } else if (!check(call, e)) {
        return;
    }
    for (uint32_t i = 2; i < call->argc; i++) {
        enum raised raised = raise_register(call, e, hll_hit(call->argv[i]));
        if (raised == RAISED_CORRUPT) {
            reply_corrupt(call);
            return;
        }
        changed |= raised == RAISED;
    }
    if (changed) {
        set_stale(call, e);
        call_event(call, EVENT_STRING, "pfadd", call->argv[1]);
    }
    resp_int(call->reply, changed);
}

/* --- PFCOUNT PFMERGE --------------------------------------------------------------------- */

/* merge raises registers to those of all keys from argv[1] on; false after an error reply. */
static bool merge(struct call *call, uint8_t *registers, bool *dense)
{
    for (uint32_t i = 1; i < call->argc; i++) {
        const struct entry *e = call_read(call, i);
        if (e == NULL) {
            continue;
        }
        if (!check(call, e)) {
            return false;
        }
        *dense |= hll_form(e->value) == HLL_DENSE;
        if (!hll_merge(e->value, registers)) {
            reply_corrupt(call);
            return false;
        }
    }
    return true;
}

/* count_one keeps what it found in the value, until a register is raised. */
static void count_one(struct call *call)
{
    struct entry *e = call_read(call, 1);
    uint64_t count = 0;
    if (e != NULL && !check(call, e)) {
        return;
    }
    if (e != NULL && !hll_cached(e->value, &count)) {
        uint8_t registers[HLL_REGISTERS] = { 0 };
        if (!hll_merge(e->value, registers)) {
            reply_corrupt(call);
            return;
        }
        count = hll_estimate(registers);
        hll_set_cached(ws_edit(call->ws, e, e->length), count);
    }
    resp_int(call->reply, (int64_t)count);
}

void run_pfcount(struct call *call)
{
    if (call->argc == 2) {
        count_one(call);
        return;
    }
    uint8_t registers[HLL_REGISTERS] = { 0 };
    bool dense = false;
    if (merge(call, registers, &dense)) {
        resp_int(call->reply, (int64_t)hll_estimate(registers));
    }
}

/* run_pfmerge: what was there before is merged too, and is sound then, so that nothing below fails. */
void run_pfmerge(struct call *call)
{
    uint8_t registers[HLL_REGISTERS] = { 0 };
    bool dense = false;
    if (!merge(call, registers, &dense)) {
        return;
    }
    struct entry *e = call_find(call, 1);
    if (e == NULL) {
        e = make(call);
    }
    if (dense && hll_form(e->value) == HLL_SPARSE) {
        (void)to_dense(call, e);
    }
    for (unsigned i = 0; i < HLL_REGISTERS; i++) {
        if (registers[i] > 0) {
            (void)raise_register(call, e, (struct hll_hit){ i, registers[i] });
        }
    }
    set_stale(call, e);
    call_event(call, EVENT_STRING, "pfadd", call->argv[1]);
    resp_ok(call->reply);
}

/* --- PFDEBUG ----------------------------------------------------------------------------- */

static void debug_getreg(struct call *call, struct entry *e)
{
    if (hll_form(e->value) == HLL_SPARSE && !to_dense(call, e)) {
        reply_corrupt(call);
        return;
    }
    resp_array(call->reply, HLL_REGISTERS);
    for (unsigned i = 0; i < HLL_REGISTERS; i++) {
        resp_int(call->reply, hll_rank(e->value, i));
    }
}

static void append_run(struct buf *text, const struct hll_run *run)
{
    if (buf_len(text) > 0) {
        buf_append(text, " ", 1);
    }
    if (run->rank > 0) {
        buf_printf(text, "v:%d,%zu", run->rank, run->count);
    } else {
        buf_printf(text, "%c:%zu", run->is_long ? 'Z' : 'z', run->count);
    }
}

static void debug_decode(struct call *call, struct entry *e)
{
    if (hll_form(e->value) == HLL_DENSE) {
        resp_error(call->reply, "ERR HLL encoding is not sparse");
        return;
    }
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    struct hll_run run = { .at = HLL_HEADER_BYTES };
    while (hll_next_run(e->value, &run)) {
        append_run(&text, &run);
    }
    resp_bulk(call->reply, buf_slice(&text));
    buf_release(&text);
}

static void debug_encoding(struct call *call, struct entry *e)
{
    resp_simple(call->reply, hll_form(e->value) == HLL_DENSE ? "dense" : "sparse");
}

static void debug_todense(struct call *call, struct entry *e)
{
    bool sparse = hll_form(e->value) == HLL_SPARSE;
    if (sparse && !to_dense(call, e)) {
        reply_corrupt(call);
        return;
    }
    resp_int(call->reply, sparse);
}

static const struct {
    const char *word;
    void (*run)(struct call *call, struct entry *e);
} debug_rows[] = {
    { "getreg", debug_getreg },
    { "decode", debug_decode },
    { "encoding", debug_encoding },
    { "todense", debug_todense },
};

void run_pfdebug(struct call *call)
{
    struct entry *e = call_find(call, 2);
    if (e == NULL) {
        resp_error(call->reply, "ERR The specified key does not exist");
        return;
    }
    if (!check(call, e)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(debug_rows); i++) {
        if (call_arg_is(call, 1, debug_rows[i].word)) {
            debug_rows[i].run(call, e);
            return;
        }
    }
    resp_error(call->reply, "ERR Unknown PFDEBUG subcommand '%.*s'", (int)call->argv[1].len,
               (const char *)call->argv[1].p);
}

/* --- PFSELFTEST -------------------------------------------------------------------------- */

/* Redis's adds ten million, which takes a second or two, and meanwhile nobody would be served. */
enum { SELFTEST_ELEMENTS = 100 * 1000, SELFTEST_ROUNDS = 10 };

struct selftest {
    struct call *call;
    uint8_t dense[HLL_DENSE_BYTES];
    uint8_t sparse[HLL_SPARSE_MAX + HLL_SPARSE_GROWTH];
    size_t length; /* of sparse; 0: it had to become dense */
};

static void begin_selftest(struct selftest *t)
{
    const uint8_t none[HLL_REGISTERS] = { 0 };
    hll_write_empty(t->dense);
    hll_write_dense(t->dense, none);
    hll_write_empty(t->sparse);
    t->length = HLL_EMPTY_BYTES;
}

/* test_registers: each keeps what was put there, whatever its neighbours are. */
static bool test_registers(struct selftest *t)
{
    struct slice value = { t->dense, sizeof(t->dense) };
    for (unsigned round = 0; round < SELFTEST_ROUNDS; round++) {
        for (unsigned i = 0; i < HLL_REGISTERS; i++) {
            uint8_t rank = (uint8_t)((i * 37 + round * 11) & 63);
            hll_dense_raise(t->dense, (struct hll_hit){ i, rank });
        }
        for (unsigned i = 0; i < HLL_REGISTERS; i++) {
            int expected = (int)((i * 37 + round * 11) & 63);
            int rank = hll_rank(value, i);
            if (rank != expected) {
                resp_error(t->call->reply, "ERR TESTFAILED Register %u should be %d but is %d", i,
                           expected, rank);
                return false;
            }
        }
    }
    return true;
}

static void add_element(struct selftest *t, uint64_t n)
{
    struct hll_hit hit = hll_hit((struct slice){ (const uint8_t *)&n, sizeof(n) });
    if (hll_rank((struct slice){ t->dense, sizeof(t->dense) }, hit.index) < hit.rank) {
        hll_dense_raise(t->dense, hit);
    }
    struct slice sparse = { t->sparse, t->length };
    if (t->length > 0 && hll_rank(sparse, hit.index) < hit.rank &&
        !hll_sparse_raise(t->sparse, &t->length, hit)) {
        t->length = 0;
    }
}

/* test_estimate: both forms agree, and are not further from n than six times the standard error. */
static bool test_estimate(struct selftest *t, uint64_t n)
{
    uint8_t registers[HLL_REGISTERS] = { 0 };
    uint8_t others[HLL_REGISTERS] = { 0 };
    bool sound = hll_merge((struct slice){ t->dense, sizeof(t->dense) }, registers);
    if (t->length > 0) {
        sound = sound && hll_merge((struct slice){ t->sparse, t->length }, others) &&
                memcmp(registers, others, sizeof(registers)) == 0;
    } else if (n < HLL_SPARSE_MAX / 2) {
        resp_error(t->call->reply, "ERR TESTFAILED sparse encoding not used");
        return false;
    }
    if (!sound) {
        resp_error(t->call->reply, "ERR TESTFAILED dense/sparse disagree");
        return false;
    }
    double error = fabs((double)hll_estimate(registers) - (double)n);
    if (error > ceil(6 * 1.04 / sqrt(HLL_REGISTERS) * (double)n)) {
        resp_error(t->call->reply, "ERR TESTFAILED Too big error. card:%llu abserr:%.0f",
                   (unsigned long long)n, error);
        return false;
    }
    return true;
}

void run_pfselftest(struct call *call)
{
    struct selftest t = { .call = call };
    begin_selftest(&t);
    if (!test_registers(&t)) {
        return;
    }
    begin_selftest(&t);
    uint64_t checkpoint = 1;
    for (uint64_t n = 1; n <= SELFTEST_ELEMENTS; n++) {
        add_element(&t, n);
        if (n == checkpoint) {
            if (!test_estimate(&t, n)) {
                return;
            }
            checkpoint *= 10;
        }
    }
    resp_ok(call->reply);
}
