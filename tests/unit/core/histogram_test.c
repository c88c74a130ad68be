/* The histogram: percentiles within a 32nd, edges in microseconds, the extremes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "histogram.h"

static int setup(void **state)
{
    *state = mem_zalloc(sizeof(struct histogram));
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void test_empty(void **state)
{
    assert_int_equal(histogram_percentile(*state, 50), 0);
    assert_int_equal(histogram_percentile(*state, 100), 0);
    assert_int_equal(histogram_below(*state, 1024), 0);
}

static void test_one_value_is_every_percentile(void **state)
{
    static const double percents[] = { 0, 0.001, 50, 99.999, 100 };
    histogram_add(*state, 123456);
    for (size_t i = 0; i < ARRAY_SIZE(percents); i++)
        assert_int_equal(histogram_percentile(*state, percents[i]), 123456);
}

/* Of 1 … 1000 µs the p-th percentile is p * 10 µs, at most a 32nd above it. */
static void test_percentiles_of_a_ramp(void **state)
{
    for (uint64_t us = 1; us <= 1000; us++)
        histogram_add(*state, us * 1000);
    for (int percent = 1; percent <= 100; percent++) {
        const uint64_t exact = (uint64_t)percent * 10000;
        assert_in_range(histogram_percentile(*state, percent), exact, exact + exact / 32);
    }
    assert_int_equal(histogram_percentile(*state, 100), 1000000);
    assert_in_range(histogram_percentile(*state, 0), 1000, 1032);
}

static void test_a_rare_value_is_in_the_high_percentiles_alone(void **state)
{
    for (int i = 0; i < 999; i++)
        histogram_add(*state, 1000);
    histogram_add(*state, 50000000);
    assert_in_range(histogram_percentile(*state, 99.9), 1000, 1032);
    assert_int_equal(histogram_percentile(*state, 99.91), 50000000);
}

/* A duration of exactly so many microseconds is not below them; one of a nanosecond less is. */
static void test_edges_are_exact(void **state)
{
    struct histogram *h = *state;
    uint64_t count = 0;
    for (uint64_t us = 1; us <= UINT64_C(1) << 24; us *= 2) {
        histogram_add(h, us * 1000);
        assert_int_equal(histogram_below(h, us), count);
        histogram_add(h, us * 1000 - 1);
        assert_int_equal(histogram_below(h, us), count + 1);
        count += 2;
        assert_int_equal(histogram_below(h, us * 2), count);
    }
    assert_int_equal(h->count, count);
}

static void test_extremes(void **state)
{
    struct histogram *h = *state;
    histogram_add(h, 0);
    assert_int_equal(histogram_percentile(h, 100), 0);
    histogram_add(h, UINT64_MAX);
    histogram_add(h, UINT64_C(3600) * 1000 * 1000 * 1000); /* longer than is told apart */
    assert_int_equal(h->count, 3);
    assert_int_equal(histogram_percentile(h, 50), UINT64_MAX);
    assert_int_equal(histogram_percentile(h, 100), UINT64_MAX);
    assert_int_equal(histogram_below(h, UINT64_C(1) << 24), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_value_is_every_percentile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_percentiles_of_a_ramp, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_rare_value_is_in_the_high_percentiles_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_edges_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(test_extremes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
