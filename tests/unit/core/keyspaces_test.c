/* Keyspaces: numbers that stay, and what is known of their rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keyspaces.h"

static void test_numbers_stay(void **state)
{
    struct keyspaces *k = keyspaces_new();
    (void)state;
    assert_int_equal(keyspaces_index(k, SLICE("")), 0);
    assert_int_equal(keyspaces_index(k, SLICE("a")), 1);
    assert_int_equal(keyspaces_index(k, SLICE("b")), 2);
    assert_int_equal(keyspaces_index(k, SLICE("a")), 1);
    assert_int_equal(keyspaces_count(k), 3);
    assert_true(slice_eq(keyspaces_name(k, 2), SLICE("b")));
    assert_int_equal(keyspaces_name(k, 0).len, 0);
    keyspaces_free(k);
}

static void test_rows_are_known_until_a_connection_is_lost(void **state)
{
    struct keyspaces *k = keyspaces_new();
    const uint32_t a = keyspaces_index(k, SLICE("a"));
    (void)state;
    assert_true(keyspaces_ready(k, 0));
    assert_false(keyspaces_ready(k, a));
    keyspaces_set_ready(k, a);
    assert_true(keyspaces_ready(k, a));
    assert_true(keyspaces_forget(k));
    assert_false(keyspaces_forget(k));
    assert_false(keyspaces_ready(k, a));
    assert_true(keyspaces_ready(k, 0));
    keyspaces_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_stay),
        cmocka_unit_test(test_rows_are_known_until_a_connection_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
