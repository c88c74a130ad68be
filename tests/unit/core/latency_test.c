/* Latency events: the threshold, one sample a second, the ring; rates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "latency.h"
#include "rates.h"

static const uint64_t ms = 1000000;

static struct latency *fresh(int64_t threshold_ms)
{
    static struct latency l;
    latency_init(&l);
    latency_threshold(&l, threshold_ms);
    return &l;
}

static void test_off_unless_set(void **state)
{
    struct latency *l = fresh(0);
    (void)state;
    latency_note(l, LATENCY_TURN, UINT64_MAX - 1, 1);
    assert_int_equal(l->series[LATENCY_TURN].count, 0);
    latency_threshold(l, INT64_MAX);
    latency_note(l, LATENCY_TURN, UINT64_MAX - 1, 1);
    assert_int_equal(l->series[LATENCY_TURN].count, 0);
}

static void test_threshold(void **state)
{
    struct latency *l = fresh(100);
    (void)state;
    latency_note(l, LATENCY_COMMAND, 100 * ms - 1, 1);
    assert_int_equal(l->series[LATENCY_COMMAND].count, 0);
    latency_note(l, LATENCY_COMMAND, 100 * ms, 1);
    assert_int_equal(l->series[LATENCY_COMMAND].count, 1);
    assert_int_equal(l->series[LATENCY_FAST_COMMAND].count, 0);
}

static void test_the_worst_of_a_second(void **state)
{
    struct latency *l = fresh(1);
    const struct latency_series *s = &l->series[LATENCY_STORE];
    (void)state;
    latency_note(l, LATENCY_STORE, 5 * ms, 10);
    latency_note(l, LATENCY_STORE, 9 * ms, 10);
    latency_note(l, LATENCY_STORE, 2 * ms, 10);
    latency_note(l, LATENCY_STORE, 3 * ms, 11);
    assert_int_equal(s->count, 2);
    assert_int_equal(latency_sample_at(s, 0).at, 10);
    assert_int_equal(latency_sample_at(s, 0).ms, 9);
    assert_int_equal(latency_sample_at(s, 1).ms, 3);
    assert_int_equal(s->max_ms, 9);
}

static void test_the_oldest_go(void **state)
{
    struct latency *l = fresh(1);
    const struct latency_series *s = &l->series[LATENCY_TURN];
    (void)state;
    for (int i = 0; i < LATENCY_SAMPLES + 40; i++)
        latency_note(l, LATENCY_TURN, (uint64_t)(1000 - i) * ms, i);
    assert_int_equal(s->count, LATENCY_SAMPLES);
    for (uint32_t i = 0; i < s->count; i++) {
        assert_int_equal(latency_sample_at(s, i).at, 40 + i);
        assert_int_equal(latency_sample_at(s, i).ms, 960 - i);
    }
    assert_int_equal(s->max_ms, 1000); /* of all since the reset */
}

static void test_names(void **state)
{
    enum latency_event event;
    (void)state;
    for (int i = 0; i < LATENCY_EVENT_COUNT; i++) {
        assert_true(latency_find(slice_of(latency_name((enum latency_event)i)), &event));
        assert_int_equal(event, i);
    }
    assert_true(latency_find(SLICE("Fast-Command"), &event));
    assert_int_equal(event, LATENCY_FAST_COMMAND);
    assert_false(latency_find(SLICE("fork"), &event));
    assert_false(latency_find(SLICE(""), &event));
}

static void test_reset(void **state)
{
    struct latency *l = fresh(1);
    (void)state;
    latency_note(l, LATENCY_TURN, 7 * ms, 1);
    assert_false(latency_reset(l, LATENCY_STORE));
    assert_true(latency_reset(l, LATENCY_TURN));
    assert_false(latency_reset(l, LATENCY_TURN));
    assert_int_equal(l->series[LATENCY_TURN].max_ms, 0);
}

static void test_summary(void **state)
{
    struct latency *l = fresh(1);
    (void)state;
    assert_int_equal(latency_summary(&l->series[LATENCY_TURN]).high_ms, 0);
    latency_note(l, LATENCY_TURN, 10 * ms, 100);
    latency_note(l, LATENCY_TURN, 20 * ms, 104);
    latency_note(l, LATENCY_TURN, 60 * ms, 110);
    const struct latency_summary sum = latency_summary(&l->series[LATENCY_TURN]);
    assert_int_equal(sum.low_ms, 10);
    assert_int_equal(sum.high_ms, 60);
    assert_int_equal(sum.average_ms, 30);
    assert_int_equal(sum.deviation_ms, 20);
    assert_true(sum.period_s == 5.0);
}

static void test_a_duration_of_weeks(void **state)
{
    struct latency *l = fresh(1);
    (void)state;
    latency_note(l, LATENCY_CONNECT, UINT64_MAX - 1, 1);
    assert_int_equal(l->series[LATENCY_CONNECT].max_ms, UINT32_MAX);
}

/* --- rates ------------------------------------------------------------------------------------ */

static void sample(struct rates *r, uint64_t now_ms, uint64_t commands)
{
    const uint64_t totals[RATE_COUNT] = { [RATE_COMMANDS] = commands };
    rates_sample(r, now_ms, totals);
}

static void test_rates(void **state)
{
    struct rates r = { 0 };
    (void)state;
    assert_int_equal(rates_per_second(&r, RATE_COMMANDS), 0);
    sample(&r, 5000, 1000000); /* where it begins is no rate */
    assert_int_equal(rates_per_second(&r, RATE_COMMANDS), 0);
    for (uint64_t i = 1; i <= RATES_SAMPLES; i++)
        sample(&r, 5000 + i * 100, 1000000 + i * 50);
    assert_int_equal(rates_per_second(&r, RATE_COMMANDS), 500);
    assert_int_equal(rates_per_second(&r, RATE_BYTES_IN), 0);
    sample(&r, 5000 + RATES_SAMPLES * 100, 7000000); /* no time has passed */
    assert_int_equal(rates_per_second(&r, RATE_COMMANDS), 500);
}

static void test_rates_after_a_reset(void **state)
{
    struct rates r = { 0 };
    (void)state;
    sample(&r, 100, 1000);
    sample(&r, 200, 16); /* RESETSTAT, then 16 commands */
    assert_int_equal(rates_per_second(&r, RATE_COMMANDS), 160 / RATES_SAMPLES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off_unless_set),
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_the_worst_of_a_second),
        cmocka_unit_test(test_the_oldest_go),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_summary),
        cmocka_unit_test(test_a_duration_of_weeks),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_rates_after_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
