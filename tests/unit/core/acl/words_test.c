/* Words of ACL lines: quoting both ways, parentheses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "acl/words.h"

/* words: as they should be, each followed by "\n"; NULL: the line is malformed. */
static const struct {
    const char *line;
    const char *words;
} split_rows[] = {
    { "", "" },
    { "   ", "" },
    { "a", "a\n" },
    { " user  cn:alice\ton\r", "user\ncn:alice\non\n" },
    { "\"cn:Andrei Silva\" on", "cn:Andrei Silva\non\n" },
    { "issuer=\"CN=My CA,O=Us\" on", "issuer=CN=My CA,O=Us\non\n" },
    { "'a b'", "a b\n" },
    { "'it\\'s'", "it's\n" },
    { "'a\\nb'", "a\\nb\n" },
    { "\"a\\\"b\\\\c\"", "a\"b\\c\n" },
    { "\"\\x41\\x7a\\xzz\"", "Azxzz\n" },
    { "\"\\t\"", "\t\n" },
    { "\"\"", "\n" },
    { "~a\\b", "~a\\b\n" },
    { "(~a +get) x", "(~a\n+get)\nx\n" },
    { "\"a", NULL },
    { "'a", NULL },
    { "\"a\"b", NULL },
    { "\"a\\\"", NULL },
    { "\"a\\", NULL },
    { "x\"", NULL },
};

static void joined(const struct acl_words *w, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < w->count; i++) {
        buf_append_slice(out, w->items[i]);
        buf_append(out, "\n", 1);
    }
    buf_append(out, "", 1);
}

static void test_lines_are_split(void **state)
{
    struct buf text;
    (void)state;
    buf_init(&text, SIZE_MAX / 2);
    for (size_t i = 0; i < ARRAY_SIZE(split_rows); i++) {
        struct acl_words w;
        const enum err err = acl_words_split(slice_of(split_rows[i].line), &w);
        if (split_rows[i].words == NULL) {
            assert_int_equal(err, ERR_INVALID);
            continue;
        }
        assert_int_equal(err, ERR_OK);
        joined(&w, &text);
        assert_string_equal((const char *)buf_slice(&text).p, split_rows[i].words);
        acl_words_release(&w);
    }
    buf_release(&text);
}

static void test_any_word_survives_being_written(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            const uint8_t bytes[] = { 'x', (uint8_t)a, (uint8_t)b };
            const struct slice word = { bytes, sizeof(bytes) };
            struct buf out;
            struct acl_words w;
            buf_init(&out, SIZE_MAX / 2);
            acl_word_write(&out, word);
            assert_int_equal(acl_words_split(buf_slice(&out), &w), ERR_OK);
            assert_int_equal(w.count, 1);
            assert_true(slice_eq(w.items[0], word));
            acl_words_release(&w);
            buf_release(&out);
        }
    }
}

static void test_only_what_needs_quotes_gets_them(void **state)
{
    static const struct {
        struct slice word;
        const char *written;
    } rows[] = {
        { SLICE("cn:alice"), "cn:alice" },
        { SLICE("~a\\*"), "~a\\*" },
        { SLICE("cn:Jo\xc3\xa3o"), "cn:Jo\xc3\xa3o" },
        { SLICE("cn:Andrei Silva"), "\"cn:Andrei Silva\"" },
        { SLICE("~a\"b"), "\"~a\\\"b\"" },
        { SLICE("a\nb"), "\"a\\x0ab\"" },
        { SLICE(""), "\"\"" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf out;
        buf_init(&out, SIZE_MAX / 2);
        acl_word_write(&out, rows[i].word);
        buf_append(&out, "", 1);
        assert_string_equal((const char *)buf_slice(&out).p, rows[i].written);
        buf_release(&out);
    }
}

/* words: separated by single spaces */
static const struct {
    const char *words;
    const char *merged;
} merge_rows[] = {
    { "on +get", "on\n+get\n" },
    { "(+get ~a) on", "(+get ~a)\non\n" },
    { "( +get ~a ) ( +set )", "( +get ~a )\n( +set )\n" },
    { "(+get) (+set)", "(+get)\n(+set)\n" },
    { "() on", "()\non\n" },
    { "~a) (b c)", "~a)\n(b c)\n" },
    { ") on", ")\non\n" },
    { "((a b) c)", "((a b)\nc)\n" },
    { "on (+get", NULL },
    { "( ", NULL },
};

static void test_parentheses_are_merged(void **state)
{
    struct buf text;
    (void)state;
    buf_init(&text, SIZE_MAX / 2);
    for (size_t i = 0; i < ARRAY_SIZE(merge_rows); i++) {
        struct acl_words w;
        struct acl_words merged;
        struct slice unmatched = { NULL, 0 };
        assert_int_equal(acl_words_split(slice_of(merge_rows[i].words), &w), ERR_OK);
        const enum err err = acl_words_merge(w.items, w.count, &merged, &unmatched);
        if (merge_rows[i].merged == NULL) {
            assert_int_equal(err, ERR_INVALID);
            assert_int_equal(unmatched.p[0], '(');
        } else {
            assert_int_equal(err, ERR_OK);
            joined(&merged, &text);
            assert_string_equal((const char *)buf_slice(&text).p, merge_rows[i].merged);
            acl_words_release(&merged);
        }
        acl_words_release(&w);
    }
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_split),
        cmocka_unit_test(test_any_word_survives_being_written),
        cmocka_unit_test(test_only_what_needs_quotes_gets_them),
        cmocka_unit_test(test_parentheses_are_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
