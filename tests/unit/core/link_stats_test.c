/* Gateways' figures: what is malformed changes nothing, sums, least and greatest, more names than there is room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "link_stats.h"

static struct link_stat total_of(const struct link_stats *workers, size_t count, const char *name)
{
    struct link_stat total = { .kind = LINK_STAT_NONE };
    memcpy(total.name, name, strlen(name) + 1);
    for (size_t i = 0; i < count; i++)
        link_stats_add(&workers[i], &total);
    return total;
}

static int64_t of(const struct link_stats *stats, const char *name)
{
    return total_of(stats, 1, name).value;
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
        "a=x",
        "a=1x",
        "a= ",
        "a==1",
        "a<>1",
        "<1",
        "a>x",
        "a:x\r",
        "a:\xff",
        "a:a-text-that-is-longer-than-the-seventy-nine-bytes-that-there-are-for-it-and-then-some-more",
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
    struct link_stats workers[3] = { { .count = 0 } };
    (void)state;
    link_stats_take(&workers[0], SLICE("n=2\nidle>30\nends<500\nsum:abc\n"));
    link_stats_take(&workers[1], SLICE("idle>5\nends<-7\nn=40\nsum:def\n"));
    link_stats_take(&workers[2], SLICE("only>0\nends<\n"));
    assert_int_equal(total_of(workers, 3, "n").value, 42);
    assert_int_equal(total_of(workers, 3, "idle").value, 30);
    assert_int_equal(total_of(workers, 3, "ends").value, -7);
    assert_int_equal(total_of(workers, 3, "only").value, 0);
    assert_int_equal(total_of(workers, 3, "only").kind, LINK_STAT_GREATEST);
    assert_string_equal(total_of(workers, 3, "sum").text, "abc");
    assert_int_equal(total_of(workers, 1, "ends").value, 500);
}

static void test_a_figure_can_go(void **state)
{
    struct link_stats stats = { .count = 0 };
    (void)state;
    link_stats_take(&stats, SLICE("ends<500\n"));
    link_stats_take(&stats, SLICE("ends<\n"));
    assert_int_equal(stats.count, 1); /* its place stays */
    assert_int_equal(total_of(&stats, 1, "ends").kind, LINK_STAT_NONE);
    link_stats_take(&stats, SLICE("ends<7\n"));
    assert_int_equal(of(&stats, "ends"), 7);
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
    assert_int_equal(of(&stats, "n159"), 159);
    assert_int_equal(of(&stats, "n160"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_lines),     cmocka_unit_test(test_passes_over_nonsense),
        cmocka_unit_test(test_adds_workers_up), cmocka_unit_test(test_a_figure_can_go),
        cmocka_unit_test(test_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
