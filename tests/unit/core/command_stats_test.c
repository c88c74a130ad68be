/* Statistics of commands: what is counted for whom, error codes, forgetting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "command_stats.h"

static int setup(void **state)
{
    *state = command_stats_new();
    return 0;
}

static int teardown(void **state)
{
    command_stats_free(*state);
    return 0;
}

static const struct command *find(const char *name)
{
    const struct command *command = command_find(slice_of(name));
    assert_non_null(command);
    return command;
}

static uint16_t code(struct command_stats *s, const char *reply)
{
    return command_stats_code(s, slice_of(reply));
}

struct seen {
    bool numbers[4096];
    size_t count;
};

static void see(const struct command *command, void *arg)
{
    struct seen *seen = arg;
    const size_t number = command_id(command);
    assert_true(number < command_id_count());
    assert_false(seen->numbers[number]);
    seen->numbers[number] = true;
    seen->count++;
}

static void test_each_row_has_a_number_of_its_own(void **state)
{
    static struct seen seen;
    (void)state;
    assert_true(command_id_count() < ARRAY_SIZE(seen.numbers));
    command_each(see, &seen);
    assert_int_equal(seen.count, command_id_count());
    assert_true(command_id_count() > command_count());
}

static void test_calls(void **state)
{
    struct command_stats *s = *state;
    command_stats_call(s, find("get"), 1000, 5000, 0);
    command_stats_call(s, find("get"), 2000, 7000, code(s, "-WRONGTYPE x\r\n"));
    command_stats_reject(s, find("set"), code(s, "-ERR wrong\r\n"));
    command_stats_reject(s, NULL, code(s, "-ERR unknown\r\n"));
    const struct command_figures *get = command_stats_of(s, find("get"));
    assert_int_equal(get->calls, 2);
    assert_int_equal(get->failed, 1);
    assert_int_equal(get->rejected, 0);
    assert_int_equal(get->cost_ns, 3000);
    assert_int_equal(get->latency->count, 2);
    assert_int_equal(histogram_percentile(get->latency, 100), 7000);
    const struct command_figures *set = command_stats_of(s, find("set"));
    assert_int_equal(set->calls, 0);
    assert_int_equal(set->rejected, 1);
    assert_null(set->latency);
    assert_int_equal(command_stats_calls(s), 2);
    assert_int_equal(command_stats_errors(s), 3);
}

static void test_subcommands_are_counted_apart(void **state)
{
    struct command_stats *s = *state;
    const struct command *config = find("config");
    const struct command *get = command_find_sub(config, SLICE("GET"));
    command_stats_call(s, get, 1, 1, 0);
    assert_int_equal(command_stats_of(s, get)->calls, 1);
    assert_int_equal(command_stats_of(s, config)->calls, 0);
    assert_int_equal(command_stats_of(s, find("get"))->calls, 0);
}

static void test_codes(void **state)
{
    struct command_stats *s = *state;
    static const char *const no_errors[] = { "", "+OK\r\n", "$5\r\n-ERR \r\n", ":-1\r\n",
                                             "*0\r\n" };
    for (size_t i = 0; i < ARRAY_SIZE(no_errors); i++)
        assert_int_equal(code(s, no_errors[i]), 0);
    const uint16_t err = code(s, "-ERR syntax error\r\n");
    assert_int_not_equal(err, 0);
    assert_int_equal(code(s, "-ERR\r\n"), err);
    assert_int_not_equal(code(s, "-ERRX other\r\n"), err);
    command_stats_error(s, err);
    command_stats_error(s, 0);
    assert_string_equal(command_stats_error_at(s, 0)->code, "ERR");
    assert_int_equal(command_stats_error_at(s, 0)->count, 1);
    assert_int_equal(command_stats_error_at(s, 1)->count, 0);
    assert_null(command_stats_error_at(s, 2));
}

/* However many codes there are, all errors are in the total. */
static void test_codes_are_bounded(void **state)
{
    struct command_stats *s = *state;
    char reply[80];
    for (int i = 0; i < 1000; i++) {
        snprintf(reply, sizeof(reply), "-CODE%d x\r\n", i);
        command_stats_error(s, code(s, reply));
    }
    snprintf(reply, sizeof(reply), "-%060d x\r\n", 7);
    command_stats_error(s, code(s, reply));
    assert_int_equal(command_stats_errors(s), 1001);
    size_t codes = 0;
    while (command_stats_error_at(s, codes))
        codes++;
    assert_in_range(codes, 10, 200);
    assert_string_equal(command_stats_error_at(s, 0)->code, "CODE0");
}

static void test_latency_is_not_tracked_where_not_wanted(void **state)
{
    struct command_stats *s = *state;
    command_stats_track(s, false);
    command_stats_call(s, find("get"), 1, 1, 0);
    assert_null(command_stats_of(s, find("get"))->latency);
    assert_int_equal(command_stats_of(s, find("get"))->calls, 1);
    command_stats_track(s, true);
    command_stats_call(s, find("get"), 1, 1, 0);
    assert_int_equal(command_stats_of(s, find("get"))->latency->count, 1);
}

/* A code's number holds over a reset: a turn that is under way has it still. */
static void test_reset(void **state)
{
    struct command_stats *s = *state;
    const uint16_t noperm = code(s, "-NOPERM x\r\n");
    command_stats_call(s, find("get"), 1, 1, noperm);
    command_stats_reset(s);
    assert_int_equal(command_stats_calls(s), 0);
    assert_int_equal(command_stats_errors(s), 0);
    assert_int_equal(command_stats_of(s, find("get"))->calls, 0);
    assert_null(command_stats_of(s, find("get"))->latency);
    assert_int_equal(command_stats_error_at(s, 0)->count, 0);
    command_stats_error(s, noperm);
    assert_string_equal(command_stats_error_at(s, 0)->code, "NOPERM");
    assert_int_equal(command_stats_error_at(s, 0)->count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row_has_a_number_of_its_own),
        cmocka_unit_test_setup_teardown(test_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_subcommands_are_counted_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_codes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_codes_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_latency_is_not_tracked_where_not_wanted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
