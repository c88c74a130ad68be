/*
 * arrivals_test: who is served next and who gives way.
 */
#include "test.h"

#include "arrivals/arrivals.h"

enum { A_FEW = 12 };

static void test_newest_first_and_by_rank(void **state)
{
    (void)state;
    struct arrivals *s = arrivals_new(100);
    struct arrival a[A_FEW];
    static const enum arrival_rank ranks[A_FEW] = {
        ARRIVAL_FULL,    ARRIVAL_FULL,    ARRIVAL_RESUMES, ARRIVAL_GOES_ON,
        ARRIVAL_FULL,    ARRIVAL_RESUMES, ARRIVAL_GOES_ON, ARRIVAL_FULL,
        ARRIVAL_RESUMES, ARRIVAL_GOES_ON, ARRIVAL_RESUMES, ARRIVAL_FULL,
    };
    /* Every fourth turn is the worst rank's. */
    static const size_t order[A_FEW] = { 9, 6, 3, 11, 10, 8, 5, 7, 2, 4, 1, 0 };
    for (size_t i = 0; i < A_FEW; i++) {
        arrivals_enter(s, &a[i]);
        arrivals_queue(s, &a[i], ranks[i]);
        arrivals_queue(s, &a[i], ARRIVAL_GOES_ON); /* it waits already */
    }
    assert_int_equal(arrivals_waiting(s), A_FEW);
    for (size_t i = 0; i < A_FEW; i++) {
        assert_ptr_equal(arrivals_next(s), &a[order[i]]);
    }
    assert_null(arrivals_next(s));
    assert_int_equal(arrivals_count(s), A_FEW);
    for (size_t i = 0; i < A_FEW; i++) {
        arrivals_leave(s, &a[i]);
    }
    assert_int_equal(arrivals_count(s), 0);
    arrivals_free(s);
}

static void test_who_left_is_not_served(void **state)
{
    (void)state;
    struct arrivals *s = arrivals_new(100);
    struct arrival a[5];
    for (size_t i = 0; i < 5; i++) {
        arrivals_enter(s, &a[i]);
        arrivals_queue(s, &a[i], ARRIVAL_FULL);
    }
    arrivals_leave(s, &a[4]); /* the top, the bottom and one between */
    arrivals_leave(s, &a[0]);
    arrivals_leave(s, &a[2]);
    assert_int_equal(arrivals_waiting(s), 2);
    assert_ptr_equal(arrivals_next(s), &a[3]);
    arrivals_queue(s, &a[3], ARRIVAL_GOES_ON); /* again, with its next flight */
    assert_ptr_equal(arrivals_next(s), &a[3]);
    assert_ptr_equal(arrivals_next(s), &a[1]);
    assert_null(arrivals_next(s));
    arrivals_leave(s, &a[1]);
    arrivals_leave(s, &a[3]);
    arrivals_free(s);
}

static void test_full_ones_are_held(void **state)
{
    (void)state;
    struct arrivals *s = arrivals_new(100);
    struct arrival a[A_FEW];
    for (size_t i = 0; i < A_FEW; i++) {
        arrivals_enter(s, &a[i]);
        arrivals_queue(s, &a[i], i < A_FEW / 2 ? ARRIVAL_FULL : ARRIVAL_RESUMES);
    }
    arrivals_hold_full(s, true);
    for (size_t i = A_FEW - 1; i >= A_FEW / 2; i--) {
        assert_true(arrivals_ready(s));
        assert_ptr_equal(arrivals_next(s), &a[i]); /* no turn is the worst rank's */
    }
    assert_false(arrivals_ready(s));
    assert_null(arrivals_next(s));
    assert_int_equal(arrivals_waiting(s), A_FEW / 2);
    arrivals_leave(s, &a[1]); /* while it is held */
    arrivals_hold_full(s, false);
    assert_true(arrivals_ready(s));
    assert_ptr_equal(arrivals_next(s), &a[A_FEW / 2 - 1]);
    assert_int_equal(arrivals_waiting(s), A_FEW / 2 - 2);
    for (size_t i = 0; i < A_FEW; i++) {
        if (i != 1) {
            arrivals_leave(s, &a[i]);
        }
    }
    assert_false(arrivals_ready(s));
    arrivals_free(s);
}

static void test_the_oldest_of_the_fullest_stage_gives_way(void **state)
{
    (void)state;
    struct arrivals *s = arrivals_new(8);
    struct arrival a[9];
    for (size_t i = 0; i < 9; i++) {
        assert_null(arrivals_surplus(s));
        arrivals_enter(s, &a[i]);
    }
    assert_ptr_equal(arrivals_surplus(s), &a[0]);
    arrivals_move(s, &a[0], ARRIVAL_BEGUN);
    arrivals_move(s, &a[0], ARRIVAL_BEGUN);
    assert_ptr_equal(arrivals_surplus(s), &a[1]); /* the silent ones are the crowd */
    for (size_t i = 8; i > 3; i--) {
        arrivals_move(s, &a[i], ARRIVAL_BEGUN);
    }
    assert_ptr_equal(arrivals_surplus(s),
                     &a[0]); /* now those that have begun are, by when they did */
    arrivals_move(s, &a[0], ARRIVAL_LEAVING);
    assert_ptr_equal(arrivals_surplus(s), &a[8]);
    arrivals_leave(s, &a[8]);
    assert_null(arrivals_surplus(s));
    for (size_t i = 0; i < 8; i++) {
        arrivals_leave(s, &a[i]);
    }
    arrivals_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest_first_and_by_rank),
        cmocka_unit_test(test_who_left_is_not_served),
        cmocka_unit_test(test_full_ones_are_held),
        cmocka_unit_test(test_the_oldest_of_the_fullest_stage_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
