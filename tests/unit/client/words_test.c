/* words: redis-cli's quoting rules, and what completion sees of an unfinished line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "words.h"

#define S(literal)                                      \
    {                                                   \
        (const uint8_t *)(literal), sizeof(literal) - 1 \
    }

/* One row per line and what it splits into; a count of -1: its quotes do not match. */
static const struct row {
    struct slice line;
    int count;
    struct slice words[3];
} rows[] = {
    { S(""), 0, { { 0 } } },
    { S("   \t "), 0, { { 0 } } },
    { S("get a"), 2, { S("get"), S("a") } },
    { S("  set  k  v\n"), 3, { S("set"), S("k"), S("v") } },
    { S("set k \"a b\""), 3, { S("set"), S("k"), S("a b") } },
    { S("set k \"\""), 3, { S("set"), S("k"), S("") } },
    { S("\"\\n\\r\\t\\b\\a\\\\\\\"\""), 1, { S("\n\r\t\b\a\\\"") } },
    { S("\"\\x00\\xFf\\xzz\\q\""), 1, { S("\x00\xffxzzq") } },
    { S("'a\\'b' 'c\\n'"), 2, { S("a'b"), S("c\\n") } },
    { S("\"it's\" 'a\"b'"), 2, { S("it's"), S("a\"b") } },
    { S("a\"b c\""), 1, { S("ab c") } },
    { S("ol\xc3\xa1"), 1, { S("ol\xc3\xa1") } },
    { S("\"open"), -1, { { 0 } } },
    { S("'open"), -1, { { 0 } } },
    { S("\"a\"b"), -1, { { 0 } } },
    { S("'a'\"b\""), -1, { { 0 } } },
    { S("\"a\\\""), -1, { { 0 } } },
    { S("\""), -1, { { 0 } } },
};

static void test_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct words w;
        enum err err = words_split(rows[i].line, &w);
        assert_int_equal(err, rows[i].count < 0 ? ERR_INVALID : ERR_OK);
        assert_int_equal(w.count, rows[i].count < 0 ? 0 : rows[i].count);
        for (size_t k = 0; k < w.count; k++) {
            assert_true(slice_eq(w.v[k], rows[i].words[k]));
        }
        words_release(&w);
    }
}

static void check_partial(const char *line, size_t count, bool open)
{
    struct words w;
    words_split_partial(slice_of(line), &w);
    assert_int_equal(w.count, count);
    assert_int_equal(w.open, open);
    words_release(&w);
}

static void test_partial(void **state)
{
    (void)state;
    check_partial("", 0, false);
    check_partial("g", 1, true);
    check_partial("get ", 1, false);
    check_partial("set k \"a b", 3, true);
    check_partial("set k \"a b ", 3, true);
    check_partial("set k \"a b\" ", 3, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_partial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
