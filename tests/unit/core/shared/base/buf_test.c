/* buf: its cursors against a plain model, its maximum, and what overflow means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"

static void assert_holds(const struct buf *b, const char *text)
{
    assert_true(slice_eq(buf_slice(b), slice_of(text)));
}

static void test_append_and_consume(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(buf_slice(&b).len, 0);
    assert_null(b.p); /* an empty one holds no memory */
    buf_append(&b, "hello", 5);
    buf_append_slice(&b, SLICE(" world"));
    buf_append(&b, NULL, 0);
    assert_holds(&b, "hello world");
    buf_consume(&b, 6);
    assert_holds(&b, "world");
    buf_printf(&b, "-%d-%s", 42, "x");
    assert_holds(&b, "world-42-x");
    buf_truncate(&b, 5);
    assert_holds(&b, "world");
    buf_consume(&b, 5);
    assert_int_equal(b.start, 0);
    assert_int_equal(b.end, 0);
    buf_release(&b);
    assert_null(b.p);
    buf_append(&b, "again", 5);
    assert_holds(&b, "again");
    buf_release(&b);
}

static void test_maximum(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    buf_append(&b, "12345678", 8);
    assert_false(b.overflow);
    buf_consume(&b, 3);
    buf_append(&b, "abc", 3); /* compacts: only unread bytes count */
    assert_holds(&b, "45678abc");
    assert_false(b.overflow);
    assert_null(buf_reserve(&b, 1));
    assert_true(b.overflow);
    buf_consume(&b, 4);
    buf_append(&b, "x", 1); /* would fit, but the stream has a hole now */
    assert_holds(&b, "8abc");
    buf_truncate(&b, 1);
    assert_false(b.overflow);
    buf_append(&b, "y", 1);
    assert_holds(&b, "8y");
    assert_null(buf_reserve(&b, SIZE_MAX));
    buf_clear(&b);
    assert_false(b.overflow);
    assert_int_equal(buf_len(&b), 0);
    buf_release(&b);
}

static void test_no_maximum_at_all(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    assert_null(buf_reserve(&b, 1));
    assert_true(b.overflow);
    buf_release(&b);
    buf_init(&b, SIZE_MAX);
    buf_append(&b, "x", 1);
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(b.overflow);
    buf_release(&b);
}

static void test_reserve_is_exact(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    for (size_t n = 1; n <= 1000; n += 37) {
        uint8_t *p = buf_reserve(&b, n);
        assert_non_null(p);
        memset(p, 'z', n); /* the sanitizer watches the end */
        buf_commit(&b, n);
        assert_int_equal(buf_len(&b), n);
        assert_true(b.cap <= b.max);
        buf_consume(&b, n);
    }
    buf_release(&b);
}

static void test_printf_at_the_maximum(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_printf(&b, "%s", "123");
    assert_holds(&b, "123");
    buf_clear(&b);
    buf_printf(&b, "%s", "12345");
    assert_holds(&b, "");
    assert_true(b.overflow);
    buf_release(&b);
}

/* Random appends and consumes: what comes out is what went in, and cap stays near what was held. */
static void test_against_a_model(void **state)
{
    (void)state;
    struct buf b;
    uint32_t in = 0, out = 0, dice = 12345;
    size_t most = 0;
    buf_init(&b, 5000);
    for (int round = 0; round < 20000; round++) {
        dice = dice * 1664525 + 1013904223;
        size_t n = dice >> 8 & 0x3ff;
        if ((dice >> 28) % 2 == 0 && buf_len(&b) + n <= b.max) {
            for (size_t i = 0; i < n; i++) {
                buf_append(&b, &(uint8_t){ (uint8_t)in++ }, 1);
            }
            most = buf_len(&b) > most ? buf_len(&b) : most;
        } else {
            struct slice s = buf_slice(&b);
            n = n < s.len ? n : s.len;
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(s.p[i], (uint8_t)out++);
            }
            buf_consume(&b, n);
        }
        assert_int_equal(buf_len(&b), in - out);
        assert_false(b.overflow);
    }
    assert_true(b.cap <= most * 4);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_and_consume),    cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_no_maximum_at_all),     cmocka_unit_test(test_reserve_is_exact),
        cmocka_unit_test(test_printf_at_the_maximum), cmocka_unit_test(test_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
