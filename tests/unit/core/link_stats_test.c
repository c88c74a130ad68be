/* Gateways' figures: what is malformed changes nothing, sums and settings, more names than there is room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "link_stats.h"

static int64_t of(const struct link_stats *stats, const char *name)
{
    int64_t sum = 0;
    link_stats_add(stats, slice_of(name), &sum);
    return sum;
}

static void test_takes_lines(void **state)
{
    struct link_stats stats = { .count = 0 };
    (void)state;
    link_stats_take(&stats, SLICE("a=1\nb=-2\na=3\nlast=9223372036854775807"));
    assert_int_equal(stats.count, 3);
    assert_int_equal(of(&stats, "a"), 3);
    assert_int_equal(of(&stats, "b"), -2);
    assert_int_equal(of(&stats, "last"), INT64_MAX);
    assert_int_equal(of(&stats, "none"), 0);
}

static void test_passes_over_nonsense(void **state)
{
    static const char *const lines[] = {
        "",
        "\n\n",
        "=",
        "=1",
        "a",
        "a=",
        "a=x",
        "a=1x",
        "a= ",
        "a==1",
        "1",
        "a=9223372036854775808",
        "a-name-that-is-longer-than-the-forty-seven-bytes-there-are=1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct link_stats stats = { .count = 0 };
        link_stats_take(&stats, slice_of(lines[i]));
        assert_int_equal(stats.count, 0);
    }
}

static void test_adds_workers_up(void **state)
{
    struct link_stats one = { .count = 0 }, other = { .count = 0 };
    int64_t sum = 0, setting = 0;
    (void)state;
    link_stats_take(&one, SLICE("n=2\nidle_seconds=30\n"));
    link_stats_take(&other, SLICE("idle_seconds=5\nn=40\n"));
    link_stats_add(&one, SLICE("n"), &sum);
    link_stats_add(&other, SLICE("n"), &sum);
    link_stats_add(&one, SLICE("idle_seconds"), &setting);
    link_stats_add(&other, SLICE("idle_seconds"), &setting);
    assert_int_equal(sum, 42);
    assert_int_equal(setting, 30);
}

static void test_is_bounded(void **state)
{
    struct link_stats stats = { .count = 0 };
    (void)state;
    for (int i = 0; i < 1000; i++) {
        char line[32];
        snprintf(line, sizeof(line), "n%d=%d", i, i);
        link_stats_take(&stats, slice_of(line));
    }
    assert_int_equal(stats.count, LINK_STATS_MAX);
    assert_int_equal(of(&stats, "n63"), 63);
    assert_int_equal(of(&stats, "n64"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_lines),
        cmocka_unit_test(test_passes_over_nonsense),
        cmocka_unit_test(test_adds_workers_up),
        cmocka_unit_test(test_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
