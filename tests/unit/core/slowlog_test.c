/* The slow log: what an entry shows and what it hides, how many are kept, keyspaces apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "redact.h"
#include "slowlog.h"

enum { KEPT = 4, WORDS = 64 };

static int setup(void **state)
{
    *state = slowlog_new(KEPT);
    return 0;
}

static int teardown(void **state)
{
    slowlog_free(*state);
    return 0;
}

/* split cuts a line at its spaces, and finds the row. */
static struct slow_call split(const char *line, struct slice argv[WORDS])
{
    struct slow_call call = { .argv = argv, .peer = SLICE("127.0.0.1:50110"), .name = SLICE("me") };
    while (*line) {
        const size_t n = strcspn(line, " ");
        argv[call.argc++] = (struct slice){ (const uint8_t *)line, n };
        line += n + (line[n] == ' ');
    }
    call.command = command_find(argv[0]);
    if (call.command->subcommands)
        call.command = command_find_sub(call.command, argv[1]);
    return call;
}

static void add(struct slowlog *log, uint32_t keyspace, const char *line)
{
    struct slice argv[WORDS];
    const struct slow_call call = split(line, argv);
    slowlog_add(log, keyspace, &call);
}

static void assert_newest(const struct slowlog *log, const char *line)
{
    const struct slow_entry *e = slowlog_first(log, 0);
    char shown[8192] = "";
    size_t n = 0;
    for (uint32_t i = 0; i < e->argc; i++)
        n += (size_t)snprintf(shown + n, sizeof(shown) - n, "%s%.*s", i ? " " : "",
                              (int)e->argv[i].len, (const char *)e->argv[i].p);
    assert_string_equal(shown, line);
}

static void test_an_entry(void **state)
{
    struct slice argv[WORDS];
    struct slow_call call = split("set k v", argv);
    call.at = 1700000000;
    call.cost_us = 12345;
    slowlog_add(*state, 0, &call);
    const struct slow_entry *e = slowlog_first(*state, 0);
    assert_int_equal(e->id, 0);
    assert_int_equal(e->at, 1700000000);
    assert_int_equal(e->cost_us, 12345);
    assert_true(slice_eq(e->peer, SLICE("127.0.0.1:50110")));
    assert_true(slice_eq(e->name, SLICE("me")));
    assert_newest(*state, "set k v");
    assert_null(e->next);
}

static void test_many_arguments_are_cut(void **state)
{
    char line[1024] = "mset";
    for (int i = 1; i <= 31; i++)
        snprintf(line + strlen(line), sizeof(line) - strlen(line), " %d", i);
    add(*state, 0, line);
    assert_int_equal(slowlog_first(*state, 0)->argc, 32);
    assert_newest(*state, line);
    char cut[1024];
    snprintf(cut, sizeof(cut), "%.*s... (2 more arguments)", (int)(strlen(line) - 2), line);
    snprintf(line + strlen(line), sizeof(line) - strlen(line), " 32");
    add(*state, 0, line);
    assert_int_equal(slowlog_first(*state, 0)->argc, 32);
    assert_newest(*state, cut);
}

static void test_long_arguments_are_cut(void **state)
{
    char line[512] = "set k ";
    memset(line + 6, 'A', 128);
    add(*state, 0, line);
    assert_newest(*state, line);
    char cut[600];
    snprintf(cut, sizeof(cut), "%s... (3 more bytes)", line);
    memset(line + 6 + 128, 'B', 3);
    add(*state, 0, line);
    assert_newest(*state, cut);
}

static void test_secrets_are_hidden(void **state)
{
    static const char *const cases[][2] = {
        { "auth secret", "auth (redacted)" },
        { "AUTH bob secret", "AUTH (redacted) (redacted)" },
        { "hello 3 AUTH bob secret SETNAME x", "hello 3 AUTH (redacted) (redacted) SETNAME x" },
        { "hello 3 setname auth", "hello 3 setname auth" },
        { "config set requirepass secret save x", "config set requirepass (redacted) save x" },
        { "config set timeout 0 MASTERAUTH secret", "config set timeout 0 MASTERAUTH (redacted)" },
        { "config get requirepass", "config get requirepass" },
        { "set auth secret", "set auth secret" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        add(*state, 0, cases[i][0]);
        assert_newest(*state, cases[i][1]);
    }
}

static void test_the_oldest_go(void **state)
{
    char line[32];
    for (int i = 0; i < 10; i++) {
        snprintf(line, sizeof(line), "get %d", i);
        add(*state, 0, line);
    }
    assert_int_equal(slowlog_length(*state, 0), KEPT);
    int64_t id = 9;
    for (const struct slow_entry *e = slowlog_first(*state, 0); e; e = e->next)
        assert_int_equal(e->id, id--);
    assert_int_equal(id, 9 - KEPT);
    slowlog_limit(*state, 2);
    assert_int_equal(slowlog_length(*state, 0), 2);
    assert_newest(*state, "get 9");
    slowlog_limit(*state, 0);
    add(*state, 0, "get 10");
    assert_int_equal(slowlog_length(*state, 0), 0);
    assert_null(slowlog_first(*state, 0));
    slowlog_limit(*state, KEPT);
    add(*state, 0, "get 11");
    assert_int_equal(slowlog_first(*state, 0)->id, 11);
}

static void test_reset_goes_on_with_the_numbers(void **state)
{
    add(*state, 0, "get a");
    slowlog_reset(*state, 0);
    slowlog_reset(*state, 7);
    assert_int_equal(slowlog_length(*state, 0), 0);
    add(*state, 0, "get b");
    assert_int_equal(slowlog_first(*state, 0)->id, 1);
}

static void test_keyspaces_see_their_own(void **state)
{
    for (int i = 0; i < 10; i++)
        add(*state, 1, "get theirs");
    add(*state, 0, "get ours");
    assert_int_equal(slowlog_length(*state, 0), 1);
    assert_int_equal(slowlog_first(*state, 0)->id, 0);
    assert_int_equal(slowlog_length(*state, 1), KEPT);
    assert_int_equal(slowlog_length(*state, 2), 0);
    slowlog_reset(*state, 1);
    assert_int_equal(slowlog_length(*state, 0), 1);
    assert_newest(*state, "get ours");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_entry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_arguments_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_arguments_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_secrets_are_hidden, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_oldest_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset_goes_on_with_the_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keyspaces_see_their_own, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
