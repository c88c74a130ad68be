/*
 * slice: comparing, numbers as Redis's string2ll reads them, UTF-8, KEYS patterns, SipHash's own
 * vectors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/slice.h"

static void test_comparing(void **state)
{
    (void)state;
    struct slice none = { NULL, 0 };
    assert_true(slice_eq(none, SLICE("")));
    assert_true(slice_eq(SLICE("a\0b"), SLICE("a\0b")));
    assert_false(slice_eq(SLICE("a\0b"), SLICE("a\0c")));
    assert_false(slice_eq(SLICE("a"), SLICE("a\0")));
    assert_true(slice_eq_nocase(SLICE("GeT"), SLICE("gEt")));
    assert_false(slice_eq_nocase(SLICE("get["), SLICE("get{")));
    assert_false(slice_eq_nocase(SLICE("get"), SLICE("gets")));
    assert_true(slice_starts_with(SLICE("prefix"), SLICE("pre")));
    assert_true(slice_starts_with(SLICE("prefix"), none));
    assert_true(slice_starts_with(none, none));
    assert_false(slice_starts_with(SLICE("pre"), SLICE("prefix")));
    assert_int_equal(slice_cmp(none, SLICE("")), 0);
    assert_true(slice_cmp(SLICE("a"), SLICE("ab")) < 0);
    assert_true(slice_cmp(SLICE("b"), SLICE("ab")) > 0);
    assert_true(slice_cmp(SLICE("\xff"), SLICE("\x01")) > 0);
    struct slice copy = slice_dup(SLICE("a\0b"));
    assert_true(slice_eq(copy, SLICE("a\0b")));
    assert_int_equal(copy.p[3], 0);
    free((void *)copy.p);
    copy = slice_dup(none);
    assert_int_equal(copy.len, 0);
    free((void *)copy.p);
}

static const struct number_row {
    struct slice text;
    bool ok;
    int64_t n;
} numbers[] = {
    { SLICE("0"), true, 0 },
    { SLICE("7"), true, 7 },
    { SLICE("-7"), true, -7 },
    { SLICE("9223372036854775807"), true, INT64_MAX },
    { SLICE("-9223372036854775808"), true, INT64_MIN },
    { SLICE("9223372036854775808"), false, 0 },
    { SLICE("-9223372036854775809"), false, 0 },
    { SLICE("18446744073709551615"), false, 0 },
    { SLICE("99999999999999999999"), false, 0 },
    { SLICE("100000000000000000000"), false, 0 },
    { SLICE(""), false, 0 },
    { SLICE("-"), false, 0 },
    { SLICE("--1"), false, 0 },
    { SLICE("-0"), false, 0 },
    { SLICE("00"), false, 0 },
    { SLICE("01"), false, 0 },
    { SLICE("-01"), false, 0 },
    { SLICE("+1"), false, 0 },
    { SLICE(" 1"), false, 0 },
    { SLICE("1 "), false, 0 },
    { SLICE("1\0"), false, 0 },
    { SLICE("1.0"), false, 0 },
    { SLICE("1e3"), false, 0 },
    { SLICE("0x1"), false, 0 },
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        int64_t n = 77;
        assert_int_equal(slice_to_i64(numbers[i].text, &n), numbers[i].ok ? ERR_OK : ERR_INVALID);
        assert_true(n == (numbers[i].ok ? numbers[i].n : 77));
    }
    uint64_t u = 0;
    assert_int_equal(slice_to_u64(SLICE("18446744073709551615"), &u), ERR_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(slice_to_u64(SLICE("18446744073709551616"), &u), ERR_INVALID);
    assert_int_equal(slice_to_u64(SLICE("-1"), &u), ERR_INVALID);
}

static const struct text_row {
    struct slice bytes;
    bool text;
} texts[] = {
    { SLICE(""), true },
    { SLICE("plain"), true },
    { SLICE("ol\xc3\xa1, eight bytes and more \xe2\x82\xac"), true },
    { SLICE("\xf0\x9f\x94\x92"), true },
    { SLICE("\x7f\x01\t"), true },
    { SLICE("\xed\x9f\xbf"), true },
    { SLICE("\xf4\x8f\xbf\xbf"), true },
    { SLICE("a\0b"), false },
    { SLICE("0123456\0"), false },
    { SLICE("01234567\0"), false },
    { SLICE("\x80"), false },
    { SLICE("\xc0\x80"), false }, /* overlong NUL */
    { SLICE("\xc1\xbf"), false },
    { SLICE("\xe0\x9f\xbf"), false }, /* overlong */
    { SLICE("\xed\xa0\x80"), false }, /* a surrogate */
    { SLICE("\xf0\x8f\xbf\xbf"), false },
    { SLICE("\xf4\x90\x80\x80"), false }, /* U+110000 */
    { SLICE("\xf5\x80\x80\x80"), false },
    { SLICE("\xff"), false },
    { SLICE("\xc3"), false },
    { SLICE("abcdefgh\xe2\x82"), false },
    { SLICE("\xe2\x82x"), false },
    { SLICE("\xf0\x9f\x94"), false },
};

static void test_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        size_t len = texts[i].bytes.len;
        uint8_t *block =
            malloc(len > 0 ? len : 1); /* exactly so long: the sanitizer watches the end */
        memcpy(block, texts[i].bytes.p, len);
        assert_int_equal(slice_is_text((struct slice){ block, len }), texts[i].text);
        free(block);
    }
}

/* Every place in a longer text, so that the eight-byte steps and their rests are all met. */
static void test_text_at_every_place(void **state)
{
    (void)state;
    for (size_t len = 1; len < 40; len++) {
        for (size_t at = 0; at < len; at++) {
            uint8_t bytes[40];
            memset(bytes, 'a', sizeof(bytes));
            assert_true(slice_is_text((struct slice){ bytes, len }));
            bytes[at] = 0;
            assert_false(slice_is_text((struct slice){ bytes, len }));
            bytes[at] = 0x80;
            assert_false(slice_is_text((struct slice){ bytes, len }));
            if (at + 1 < len) {
                bytes[at] = 0xc3;
                bytes[at + 1] = 0xa1;
                assert_true(slice_is_text((struct slice){ bytes, len }));
            }
        }
    }
}

static const struct glob_row {
    struct slice pattern, text;
    bool match;
} globs[] = {
    { SLICE("*"), SLICE(""), true },
    { SLICE(""), SLICE(""), true },
    { SLICE(""), SLICE("a"), false },
    { SLICE("a"), SLICE(""), false },
    { SLICE("?"), SLICE(""), false },
    { SLICE("h?llo"), SLICE("hello"), true },
    { SLICE("h*llo"), SLICE("hllo"), true },
    { SLICE("h*llo"), SLICE("heeeello"), true },
    { SLICE("h*llo"), SLICE("hell"), false },
    { SLICE("h[ae]llo"), SLICE("hallo"), true },
    { SLICE("h[ae]llo"), SLICE("hillo"), false },
    { SLICE("h[^e]llo"), SLICE("hallo"), true },
    { SLICE("h[^e]llo"), SLICE("hello"), false },
    { SLICE("h[a-c]llo"), SLICE("hbllo"), true },
    { SLICE("h[c-a]llo"), SLICE("hbllo"), true },
    { SLICE("h[a-c]llo"), SLICE("hdllo"), false },
    { SLICE("[a-]"), SLICE("-"), false }, /* the range from "]" to "a", as in Redis */
    { SLICE("[a-]"), SLICE("_"), true },
    { SLICE("[\\]]"), SLICE("]"), true },
    { SLICE("[a"), SLICE("a"), true },
    { SLICE("[^a"), SLICE("a"), false },
    { SLICE("["), SLICE("["), false },
    { SLICE("[]"), SLICE("a"), false },
    { SLICE("[^]"), SLICE("a"), true },
    { SLICE("\\*"), SLICE("*"), true },
    { SLICE("\\*"), SLICE("a"), false },
    { SLICE("a\\"), SLICE("a\\"), true },
    { SLICE("a*b*c"), SLICE("axxbyybzzc"), true },
    { SLICE("a*b*c"), SLICE("axxbyybzz"), false },
    { SLICE("**a**"), SLICE("bab"), true },
    { SLICE("*[0-9]"), SLICE("key:7"), true },
    { SLICE("*\0*"), SLICE("a\0b"), true },
    { SLICE("*a"), SLICE("aaab"), false },
};

static void test_glob(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(globs); i++) {
        assert_int_equal(slice_glob(globs[i].pattern, globs[i].text, false), globs[i].match);
    }
    assert_false(slice_glob(SLICE("HE*"), SLICE("hello"), false));
    assert_true(slice_glob(SLICE("HE*"), SLICE("hello"), true));
    assert_true(slice_glob(SLICE("[H-I]E*"), SLICE("hello"), true));
    assert_true(slice_glob(SLICE("\\HE*"), SLICE("hello"), true));
}

/* Redis's own regression: this took for ever once. */
static void test_glob_is_bounded(void **state)
{
    (void)state;
    enum { STARS = 5000 };
    uint8_t pattern[2 * STARS + 1], text[2 * STARS];
    for (size_t i = 0; i < STARS; i++) {
        pattern[2 * i] = 'a';
        pattern[2 * i + 1] = '*';
    }
    pattern[2 * STARS] = 'b';
    memset(text, 'a', sizeof(text));
    struct slice p = { pattern, sizeof(pattern) }, t = { text, sizeof(text) };
    assert_false(slice_glob(p, t, false));
}

static void test_glob_prefix(void **state)
{
    (void)state;
    assert_int_equal(slice_glob_prefix(SLICE("user:*")), 5);
    assert_int_equal(slice_glob_prefix(SLICE("user:[ab]")), 5);
    assert_int_equal(slice_glob_prefix(SLICE("us?r")), 2);
    assert_int_equal(slice_glob_prefix(SLICE("a\\*b")), 1);
    assert_int_equal(slice_glob_prefix(SLICE("plain")), 5);
    assert_int_equal(slice_glob_prefix(SLICE("")), 0);
}

/*
 * slice_hash of the bytes 0, 1, 2, … with seed 42. The figures are from an implementation of
 * SipHash-1-3 in Python that agrees with CPython's own hash of bytes.
 */
static const struct hash_row {
    size_t len;
    uint64_t hash;
} hashes[] = {
    { 0, 0x20c685d85f148e65 }, { 1, 0xbade99ba689208bb },  { 7, 0x7b6e33a8d674da94 },
    { 8, 0x882118d84f79e8ad }, { 15, 0x77f340b12838b72f }, { 63, 0xdfd3c77445654593 },
};

static void test_hash(void **state)
{
    (void)state;
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
        struct slice s = { bytes, hashes[i].len };
        assert_true(slice_hash(s, 42) == hashes[i].hash);
        assert_true(slice_hash(s, 43) != hashes[i].hash);
    }
    assert_true(slice_hash((struct slice){ NULL, 0 }, 42) == hashes[0].hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparing),   cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_text),        cmocka_unit_test(test_text_at_every_place),
        cmocka_unit_test(test_glob),        cmocka_unit_test(test_glob_is_bounded),
        cmocka_unit_test(test_glob_prefix), cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
