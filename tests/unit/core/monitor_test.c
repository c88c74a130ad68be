/* The lines of MONITOR: Redis's form and escapes, and what is never shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core_private.h"
#include "monitor.h"

enum { WORDS_MAX = 8 };

/* Words are separated by spaces; expected is what stands behind the address. */
struct line_case {
    const char *words;
    const char *expected;
};

static const struct line_case line_cases[] = {
    { "PING", "\"PING\"" },
    { "set k v", "\"set\" \"k\" \"v\"" },
    { "SET a\"b c\\d", "\"SET\" \"a\\\"b\" \"c\\\\d\"" },
    { "ECHO \a\b\t\n\r", "\"ECHO\" \"\\a\\b\\t\\n\\r\"" },
    { "ECHO a\x01\x7f\xff~", "\"ECHO\" \"a\\x01\\x7f\\xff~\"" },
    { "AUTH secret", "\"AUTH\" \"(redacted)\"" },
    { "auth me secret", "\"auth\" \"(redacted)\" \"(redacted)\"" },
    { "Auth a b c d", "\"Auth\" \"(redacted)\" \"(redacted)\" \"(redacted)\" \"(redacted)\"" },
    { "HELLO 3", "\"HELLO\" \"3\"" },
    { "HELLO 3 AUTH me secret", "\"HELLO\" \"3\" \"AUTH\" \"(redacted)\" \"(redacted)\"" },
    { "hello 3 setname x auth me secret",
      "\"hello\" \"3\" \"setname\" \"x\" \"auth\" \"(redacted)\" \"(redacted)\"" },
    { "HELLO 3 AUTH me secret SETNAME x",
      "\"HELLO\" \"3\" \"AUTH\" \"(redacted)\" \"(redacted)\" \"SETNAME\" \"x\"" },
    { "HELLO 3 AUTH auth auth", "\"HELLO\" \"3\" \"AUTH\" \"(redacted)\" \"(redacted)\"" },
    { "HELLO 3 AUTH secret", "\"HELLO\" \"3\" \"AUTH\" \"(redacted)\"" },
    { "HELLO AUTH me secret", "\"HELLO\" \"AUTH\" \"(redacted)\" \"(redacted)\"" },
    { "SET auth value", "\"SET\" \"auth\" \"value\"" },
};

static uint32_t split(const char *words, struct slice *argv)
{
    uint32_t argc = 0;
    while (*words) {
        const size_t n = strcspn(words, " ");
        argv[argc++] = (struct slice){ (const uint8_t *)words, n };
        words += n + (words[n] == ' ');
    }
    return argc;
}

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(line_cases); i++) {
        struct slice argv[WORDS_MAX];
        struct buf out;
        buf_init(&out, 4096);
        const uint32_t argc = split(line_cases[i].words, argv);
        monitor_line(&out, 1700000000000042, 3, SLICE("127.0.0.1:50110"), argv, argc);
        buf_append(&out, "", 1);
        char expected[512];
        snprintf(expected, sizeof(expected), "+1700000000.000042 [3 127.0.0.1:50110] %s\r\n",
                 line_cases[i].expected);
        assert_string_equal((const char *)out.p, expected);
        buf_release(&out);
    }
}

static void test_empty_and_nul(void **state)
{
    static const struct slice argv[] = { SLICE("SET"), { NULL, 0 }, SLICE("a\0b") };
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    monitor_line(&out, 0, 0, SLICE("[::1]:1"), argv, ARRAY_SIZE(argv));
    assert_true(
        slice_eq(buf_slice(&out), SLICE("+0.000000 [0 [::1]:1] \"SET\" \"\" \"a\\x00b\"\r\n")));
    buf_release(&out);
}

/* --- the list ----------------------------------------------------------------------------------- */

static void test_start_and_stop(void **state)
{
    struct core core = { 0 };
    struct session s[3] = { { .core = &core }, { .core = &core }, { .core = &core } };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
        monitor_start(&s[i]);
        monitor_start(&s[i]); /* once is enough */
    }
    monitor_stop(&s[1]);
    monitor_stop(&s[1]);
    assert_ptr_equal(core.first_monitor, &s[2]);
    assert_ptr_equal(s[2].monitors.next, &s[0]);
    assert_ptr_equal(s[0].monitors.prev, &s[2]);
    monitor_stop(&s[2]);
    assert_ptr_equal(core.first_monitor, &s[0]);
    monitor_stop(&s[0]);
    assert_null(core.first_monitor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_empty_and_nul),
        cmocka_unit_test(test_start_and_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
