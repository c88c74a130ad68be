/*
 * hll_test: both forms of a HyperLogLog hold the same, estimates are Redis's, and no bytes that somebody stored lead
 * out of the value. Each value is in a block of its own exact size, for the sanitizers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "commands/hll.h"

/* Both forms of one value. */
struct pair {
    uint8_t dense[HLL_DENSE_BYTES];
    uint8_t sparse[HLL_SPARSE_MAX + HLL_SPARSE_GROWTH];
    size_t length; /* of sparse; 0: it had to become dense */
};

static struct slice dense(const struct pair *p)
{
    return (struct slice){ p->dense, sizeof(p->dense) };
}

static struct slice sparse(const struct pair *p)
{
    return (struct slice){ p->sparse, p->length };
}

static void pair_init(struct pair *p)
{
    static const uint8_t none[HLL_REGISTERS];
    hll_write_empty(p->dense);
    hll_write_dense(p->dense, none);
    hll_write_empty(p->sparse);
    p->length = HLL_EMPTY_BYTES;
}

static void pair_raise(struct pair *p, struct hll_hit hit)
{
    if (hll_rank(dense(p), hit.index) >= hit.rank) {
        return;
    }
    hll_dense_raise(p->dense, hit);
    if (p->length > 0 && !hll_sparse_raise(p->sparse, &p->length, hit)) {
        p->length = 0;
    }
}

/* pair_add adds the number's digits, as PFADD h 0 1 2 ... does. */
static void pair_add(struct pair *p, unsigned n)
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%u", n);
    pair_raise(p, hll_hit((struct slice){ (const uint8_t *)text, (size_t)length }));
}

static uint64_t estimate(struct slice value)
{
    uint8_t registers[HLL_REGISTERS] = { 0 };
    assert_true(hll_is(value));
    assert_true(hll_merge(value, registers));
    return hll_estimate(registers);
}

/* the numbers below n; Redis 7.0.15's PFCOUNT, and STRLEN while the value is sparse */
static const struct {
    unsigned n;
    uint64_t count;
    size_t length;
} redis_rows[] = {
    { 0, 0, 18 },      { 1, 1, 21 },         { 10, 10, 48 },
    { 100, 100, 287 }, { 1000, 1001, 1923 }, { 2000, 2007, 0 },
    { 5000, 4985, 0 }, { 10000, 9987, 0 },   { 100000, 99565, 0 },
};

static void test_estimates_are_redis_s(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    unsigned n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(redis_rows); i++) {
        while (n < redis_rows[i].n) {
            pair_add(&p, n++);
        }
        assert_int_equal(estimate(dense(&p)), redis_rows[i].count);
        assert_int_equal(p.length, redis_rows[i].length);
        if (p.length > 0) {
            assert_int_equal(estimate(sparse(&p)), redis_rows[i].count);
        }
    }
}

/* check_runs: they follow each other, and each register's rank is what the dense form says. */
static void check_runs(const struct pair *p)
{
    struct hll_run run = { .at = HLL_HEADER_BYTES };
    unsigned index = 0;
    while (hll_next_run(sparse(p), &run)) {
        assert_int_equal(run.first, index);
        for (size_t i = 0; i < run.count; i++) {
            assert_int_equal(run.rank, hll_rank(dense(p), index++));
        }
    }
    assert_int_equal(index, HLL_REGISTERS);
}

static void test_forms_agree(void **state)
{
    (void)state;
    struct pair p;
    for (unsigned round = 0; round < 20; round++) {
        pair_init(&p);
        for (unsigned n = 0; n < 2000 && p.length > 0; n++) {
            /* crowded, with few ranks: runs are split and joined in every way */
            struct hll_hit hit = hll_hit((struct slice){ (const uint8_t *)&n, sizeof(n) });
            hit.index = (hit.index >> 5) + round * 7 % 3 * 7000;
            hit.rank = (uint8_t)(hit.rank % 4 + 1);
            pair_raise(&p, hit);
            if (p.length > 0 && n % 16 == 0) {
                check_runs(&p);
            }
        }
    }
}

static void test_what_sparse_cannot_hold(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    uint8_t before[HLL_EMPTY_BYTES];
    memcpy(before, p.sparse, sizeof(before));
    assert_false(hll_sparse_raise(p.sparse, &p.length, (struct hll_hit){ 7, 33 }));
    assert_int_equal(p.length, HLL_EMPTY_BYTES);
    assert_memory_equal(p.sparse, before, sizeof(before));
    assert_true(hll_sparse_raise(p.sparse, &p.length, (struct hll_hit){ 7, 32 }));
    assert_int_equal(hll_rank(sparse(&p), 7), 32);
    assert_int_equal(hll_rank(sparse(&p), 6), 0);
    assert_int_equal(hll_rank(sparse(&p), 8), 0);
}

static void test_cache(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    uint64_t count = 1;
    assert_true(hll_cached(sparse(&p), &count));
    assert_int_equal(count, 0);
    hll_set_cached(p.sparse, UINT64_C(0x0123456789ABCDEF));
    assert_true(hll_cached(sparse(&p), &count));
    assert_true(count == UINT64_C(0x0123456789ABCDEF));
    assert_int_equal(p.sparse[8], 0xEF);
    hll_set_stale(p.sparse);
    assert_false(hll_cached(sparse(&p), &count));
    assert_int_equal(p.sparse[15], 0x81);
}

static void test_ranks_that_no_element_has(void **state)
{
    (void)state;
    for (unsigned rank = 50; rank < 64; rank++) {
        uint8_t registers[HLL_REGISTERS];
        memset(registers, (int)rank, sizeof(registers));
        assert_true(hll_estimate(registers) == UINT64_C(1) << 63);
    }
}

/* --- values that somebody else wrote ------------------------------------------------------ */

/* use does all that can be done with a value; it is copied to blocks without a byte to spare. */
static void use(struct slice value)
{
    uint8_t registers[HLL_REGISTERS] = { 0 };
    if (!hll_is(value)) {
        return;
    }
    uint8_t *copy = malloc(value.len);
    memcpy(copy, value.p, value.len);
    value.p = copy;
    bool sound = hll_merge(value, registers);
    hll_estimate(registers);
    for (unsigned i = 0; i < HLL_REGISTERS; i += 97) {
        int rank = hll_rank(value, i);
        assert_true(!sound || rank == registers[i]);
        if (rank >= 0 && hll_form(value) == HLL_SPARSE) {
            size_t length = value.len;
            uint8_t *more = malloc(length + HLL_SPARSE_GROWTH);
            memcpy(more, copy, length);
            memset(more + length, 0, HLL_SPARSE_GROWTH);
            struct hll_hit hit = { i, (uint8_t)(rank + 1) };
            if (hll_sparse_raise(more, &length, hit)) {
                assert_int_equal(hll_rank((struct slice){ more, length }, i), rank + 1);
            }
            free(more);
        }
    }
    free(copy);
}

static void test_damaged_values(void **state)
{
    static const uint8_t bytes[] = { 0x00, 0x3F, 0x40, 0x7F, 0x80, 0xFF };
    (void)state;
    struct pair p;
    pair_init(&p);
    for (unsigned n = 0; n < 40; n++) {
        pair_add(&p, n);
    }
    for (size_t i = 0; i < p.length; i++) {
        use((struct slice){ p.sparse, i });
        for (size_t k = 0; k < sizeof(bytes); k++) {
            uint8_t was = p.sparse[i];
            p.sparse[i] = bytes[k];
            use(sparse(&p));
            use((struct slice){ p.sparse, i + 1 });
            p.sparse[i] = was;
        }
    }
    use(sparse(&p));
    use(dense(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_estimates_are_redis_s),     cmocka_unit_test(test_forms_agree),
        cmocka_unit_test(test_what_sparse_cannot_hold),   cmocka_unit_test(test_cache),
        cmocka_unit_test(test_ranks_that_no_element_has), cmocka_unit_test(test_damaged_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
