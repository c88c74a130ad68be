/*
 * conn_table_test: sessions never repeat, slots do; deadlines come once and not early.
 */
#include "test.h"

#include "conn_table.h"

static struct conn *fake(uintptr_t n)
{
    return (struct conn *)(n * 16);
}

static void test_sessions_are_never_used_again(void **state)
{
    (void)state;
    struct conn_table *t = conn_table_new();
    uint64_t former = 0;
    for (uintptr_t i = 1; i <= 1000; i++) {
        uint64_t session = conn_table_reserve(t);
        assert_true(session > former);
        assert_int_equal(session & 0xffffff, 0); /* the one slot */
        conn_table_set(t, session, fake(i));
        assert_ptr_equal(conn_table_find(t, session), fake(i));
        assert_null(conn_table_find(t, former));
        conn_table_drop(t, session);
        assert_null(conn_table_find(t, session));
        former = session;
    }
    assert_int_equal(conn_table_count(t), 0);
    conn_table_free(t);
}

static void test_goes_through_all(void **state)
{
    (void)state;
    struct conn_table *t = conn_table_new();
    uint64_t sessions[100];
    size_t at = 0;
    assert_null(conn_table_next(t, &at));
    for (uintptr_t i = 0; i < 100; i++) {
        sessions[i] = conn_table_reserve(t);
        conn_table_set(t, sessions[i], fake(i + 1));
    }
    for (uintptr_t i = 0; i < 100; i += 3) {
        conn_table_drop(t, sessions[i]);
    }
    at = 0;
    for (uintptr_t i = 0; i < 100; i++) {
        if (i % 3 != 0) {
            assert_ptr_equal(conn_table_next(t, &at), fake(i + 1));
            conn_table_drop(t, sessions[i]); /* it may go meanwhile */
        }
    }
    assert_null(conn_table_next(t, &at));
    conn_table_free(t);
}

static void test_sessions_of_nobody(void **state)
{
    (void)state;
    struct conn_table *t = conn_table_new();
    assert_null(conn_table_find(t, 0));
    assert_null(conn_table_find(t, UINT64_MAX));
    uint64_t session = conn_table_reserve(t);
    conn_table_set(t, session, fake(1));
    assert_null(conn_table_find(t, session + 1));
    assert_null(conn_table_find(t, session ^ ((uint64_t)1 << 40)));
    conn_table_free(t);
}

static void test_grows(void **state)
{
    (void)state;
    struct conn_table *t = conn_table_new();
    uint64_t sessions[3000];
    for (uintptr_t i = 0; i < 3000; i++) {
        sessions[i] = conn_table_reserve(t);
        conn_table_set(t, sessions[i], fake(i + 1));
    }
    for (uintptr_t i = 0; i < 3000; i++) {
        assert_ptr_equal(conn_table_find(t, sessions[i]), fake(i + 1));
    }
    assert_int_equal(conn_table_count(t), 3000);
    conn_table_free(t);
}

static void test_deadlines(void **state)
{
    (void)state;
    struct conn_table *t = conn_table_new();
    uint64_t a = conn_table_reserve(t), b = conn_table_reserve(t), c = conn_table_reserve(t);
    size_t from = 0;
    conn_table_set(t, a, fake(1));
    conn_table_set(t, b, fake(2));
    conn_table_set(t, c, fake(3));
    conn_table_set_deadline(t, a, 5000);
    conn_table_set_deadline(t, b, 0);
    conn_table_set_deadline(t, c, 9000);
    assert_null(conn_table_due(t, 4999, &from));
    from = 0;
    assert_ptr_equal(conn_table_due(t, 5100, &from), fake(1));
    assert_null(conn_table_due(t, 5100, &from));
    from = 0;
    assert_ptr_equal(conn_table_due(t, 100000, &from), fake(3));
    assert_null(conn_table_due(t, 100000, &from));
    conn_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions_are_never_used_again),
        cmocka_unit_test(test_goes_through_all),
        cmocka_unit_test(test_sessions_of_nobody),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_deadlines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
