/* peers_test: who is there, what they want and know, and when something of theirs was missed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "peers.h"

enum { NOW = 1000000 };

static int setup(void **state)
{
    *state = peers_new();
    return 0;
}

static int teardown(void **state)
{
    peers_free(*state);
    return 0;
}

/* list reads a table with one row; returns whether something was lost. */
static bool list(struct peers *p, int64_t id, int64_t seen_at)
{
    peers_list(p);
    if (id)
        peers_row(p, id, 0, 0, seen_at, NOW);
    return peers_listed(p);
}

static void test_one_that_vanishes_is_lost(void **state)
{
    struct peers *p = *state;
    assert_false(list(p, 1, NOW));
    assert_int_equal(peers_count(p), 1);
    assert_false(list(p, 1, NOW - PEERS_DEAD_MS));
    assert_true(list(p, 1, NOW - PEERS_DEAD_MS - 1));
    assert_int_equal(peers_count(p), 0);
    assert_false(list(p, 1, NOW - PEERS_DEAD_MS - 1));
    assert_false(list(p, 2, NOW));
    assert_true(list(p, 0, 0));
}

static void test_one_that_says_goodbye_is_not_lost(void **state)
{
    struct peers *p = *state;
    assert_false(list(p, 1, NOW));
    peers_bye(p, 1);
    peers_bye(p, 7);
    assert_int_equal(peers_count(p), 0);
    assert_false(list(p, 0, 0));
}

static void test_one_that_speaks_before_it_is_listed(void **state)
{
    struct peers *p = *state;
    assert_false(peers_payload(p, 5, 1));
    assert_int_equal(peers_count(p), 1);
    assert_false(list(p, 0, 0));
    assert_false(list(p, 0, 0));
    assert_true(list(p, 0, 0)); /* it never came */
    assert_false(peers_payload(p, 6, 1));
    assert_false(list(p, 0, 0));
    assert_false(list(p, 6, NOW));
    assert_true(list(p, 0, 0));
}

static void test_gaps(void **state)
{
    struct peers *p = *state;
    assert_false(peers_payload(p, 1, 41)); /* it spoke before we listened */
    assert_false(peers_payload(p, 1, 42));
    assert_true(peers_payload(p, 1, 44));
    assert_false(peers_payload(p, 1, 45));
    assert_false(peers_payload(p, 2, 1));
    assert_true(peers_payload(p, 2, 1));
    peers_clear(p);
    assert_false(peers_payload(p, 1, 50));
}

static void test_wishes(void **state)
{
    struct peers *p = *state;
    peers_list(p);
    assert_true(peers_row(p, 1, 4, 1, NOW, NOW));
    assert_false(peers_row(p, 1, 4, 1, NOW, NOW));
    assert_false(peers_listed(p));
    peers_wish(p, 2, PEERS_WANT_WRITES, 3);
    assert_int_equal(peers_want(p), 4 | PEERS_WANT_WRITES);
    peers_wish(p, 2, 8, 4);
    assert_int_equal(peers_want(p), 4 | 8);
    peers_wish(p, 2, PEERS_WANT_WRITES, 3); /* its row, read late */
    assert_int_equal(peers_want(p), 4 | 8);
    peers_bye(p, 1);
    assert_int_equal(peers_want(p), 8);
}

static void test_who_knows_our_wish(void **state)
{
    struct peers *p = *state;
    assert_true(peers_know(p, 1)); /* there is nobody */
    assert_false(peers_payload(p, 1, 1));
    assert_false(peers_payload(p, 2, 1));
    assert_true(peers_know(p, 0));
    assert_false(peers_know(p, 1));
    peers_heard(p, 1, 2);
    assert_false(peers_know(p, 1));
    peers_heard(p, 2, 1);
    assert_true(peers_know(p, 1));
    assert_false(peers_know(p, 2));
    peers_heard(p, 1, 1); /* late */
    peers_heard(p, 2, 2);
    assert_true(peers_know(p, 2));
    assert_false(peers_payload(p, 3, 1));
    assert_false(peers_know(p, 2));
    peers_bye(p, 3);
    assert_true(peers_know(p, 2));
}

static void add_up(void *arg, int64_t id, int64_t wish)
{
    *(int64_t *)arg += id * 100 + wish;
}

static void test_each(void **state)
{
    struct peers *p = *state;
    int64_t sum = 0;
    for (int64_t id = 1; id <= 9; id++)
        peers_wish(p, id, 0, id);
    peers_each(p, add_up, &sum);
    assert_int_equal(sum, 45 * 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_that_vanishes_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_says_goodbye_is_not_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_speaks_before_it_is_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gaps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wishes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_knows_our_wish, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
