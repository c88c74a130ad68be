/*
 * log: the exact line in both formats, what is escaped, and that no bytes from outside can forge a
 * line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"

enum { TIME_LENGTH = 24 }; /* 2026-01-31T12:00:00.000Z */

static char line[20000];

/* capture runs log_write with standard error going to `line`. */
static void capture(enum log_level level, const char *message, const struct log_field *fields,
                    size_t count)
{
    int ends[2];
    int saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_write(level, message, fields, count);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], line, sizeof(line) - 1);
    close(ends[0]);
    line[n > 0 ? n : 0] = '\0';
}

static void check_text(const struct log_field *field, const char *expected)
{
    log_setup("cofre-core", LOG_INFO, LOG_TEXT);
    capture(LOG_INFO, "said", field, 1);
    assert_string_equal(line + TIME_LENGTH, expected);
}

static void test_text(void **state)
{
    (void)state;
    log_setup("cofre-core", LOG_INFO, LOG_TEXT);
    const struct log_field fields[] = { { .name = NULL },
                                        LF_INT("session", 7),
                                        LF_SLICE("identity", SLICE("cn:alice")),
                                        LF_STR("why", "no more") };
    capture(LOG_WARNING, "session closed", fields, ARRAY_SIZE(fields));
    assert_int_equal(line[TIME_LENGTH - 1], 'Z');
    assert_string_equal(
        line + TIME_LENGTH,
        " warning cofre-core: session closed session=7 identity=cn:alice why=\"no more\"\n");
}

static void test_escapes(void **state)
{
    (void)state;
    check_text(&LF_SLICE("k", SLICE("a\nb\r\0\x1b[1m")),
               " info cofre-core: said k=\"a\\x0ab\\x0d\\x00\\x1b[1m\"\n");
    check_text(&LF_SLICE("k", SLICE("a\" x=\"\\")),
               " info cofre-core: said k=\"a\\\" x=\\\"\\\\\"\n");
    check_text(&LF_SLICE("k", SLICE("a=b")), " info cofre-core: said k=\"a=b\"\n");
    check_text(&LF_SLICE("k", SLICE("")), " info cofre-core: said k=\"\"\n");
    check_text(&LF_STR("k", NULL), " info cofre-core: said k=\"\"\n");
    check_text(&LF_SLICE("k", SLICE("ol\xc3\xa1")), " info cofre-core: said k=\"ol\xc3\xa1\"\n");
    check_text(&LF_SLICE("k", SLICE("\xc2\x9b\xff")),
               " info cofre-core: said k=\"\\xc2\\x9b\\xff\"\n"); /* C1 */
    check_text(&LF_SLICE("k", SLICE("\xe2\x80\xae")),
               " info cofre-core: said k=\"\\xe2\\x80\\xae\"\n");
    check_text(&LF_INT("k", INT64_MIN), " info cofre-core: said k=-9223372036854775808\n");
}

static void test_json(void **state)
{
    (void)state;
    log_setup("cofre-core", LOG_DEBUG, LOG_JSON);
    const struct log_field fields[] = { LF_INT("session", -7),
                                        LF_SLICE("key", SLICE("a\"\\\n\xff\xc3\xa1")) };
    capture(LOG_DEBUG, "said", fields, ARRAY_SIZE(fields));
    assert_memory_equal(line, "{\"time\":\"", 9);
    assert_string_equal(line + 9 + TIME_LENGTH,
                        "\",\"level\":\"debug\",\"program\":\"cofre-core\",\"message\":\"said\","
                        "\"session\":-7,\"key\":\"a\\\"\\\\\\\\x0a\\\\xff\xc3\xa1\"}\n");
}

/* Whatever the length, a cut line ends as a line of its format does. */
static void test_long_values(void **state)
{
    (void)state;
    static uint8_t bytes[12000];
    for (size_t len = 7900; len < 8300; len++) {
        memset(bytes, len % 2 == 0 ? 'a' : '\n', len);
        const struct log_field fields[] = { LF_SLICE("k", ((struct slice){ bytes, len })),
                                            LF_INT("n", 1) };
        log_setup("cofre-core", LOG_INFO, LOG_TEXT);
        capture(LOG_INFO, "long", fields, 2);
        assert_int_equal(line[strlen(line) - 1], '\n');
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
        assert_true(strlen(line) <= 8192);
        log_setup("cofre-core", LOG_INFO, LOG_JSON);
        capture(LOG_INFO, "long", fields, 2);
        assert_true(strlen(line) <= 8192);
        const char *end = line + strlen(line);
        assert_true(strcmp(end - 6, "...\"}\n") == 0 || strcmp(end - 8, ",\"n\":1}\n") == 0 ||
                    strcmp(end - 3, "\"}\n") == 0);
    }
}

static void test_many_fields(void **state)
{
    (void)state;
    static uint8_t bytes[400];
    struct log_field fields[40];
    memset(bytes, 'b', sizeof(bytes));
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        fields[i] = LF_SLICE("field", ((struct slice){ bytes, sizeof(bytes) - i }));
    }
    log_setup("cofre-core", LOG_INFO, LOG_JSON);
    capture(LOG_INFO, "many", fields, ARRAY_SIZE(fields));
    assert_true(strlen(line) > 7000 && strlen(line) <= 8192);
    assert_string_equal(line + strlen(line) - 3, "\"}\n");
}

static void test_levels(void **state)
{
    (void)state;
    enum log_level level = LOG_INFO;
    enum log_format format = LOG_TEXT;
    log_setup("cofre-core", LOG_WARNING, LOG_TEXT);
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_ERROR));
    capture(LOG_INFO, "quiet", NULL, 0);
    assert_string_equal(line, "");
    assert_int_equal(log_level_parse("error", &level), ERR_OK);
    assert_int_equal(level, LOG_ERROR);
    assert_int_equal(log_level_parse("loud", &level), ERR_INVALID);
    assert_int_equal(level, LOG_ERROR);
    assert_int_equal(log_format_parse("json", &format), ERR_OK);
    assert_int_equal(format, LOG_JSON);
    assert_int_equal(log_format_parse("", &format), ERR_INVALID);
}

static void test_macro(void **state)
{
    (void)state;
    log_setup("cofre-core", LOG_ERROR, LOG_TEXT);
    log_event(LOG_INFO, "no fields"); /* both forms compile; neither is printed */
    log_event(LOG_INFO, "fields", LF_INT("a", 1), LF_STR("b", "c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_json),        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_many_fields), cmocka_unit_test(test_levels),
        cmocka_unit_test(test_macro),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
