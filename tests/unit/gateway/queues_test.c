/*
 * queues_test: replies of one batch stay in order per connection; long requests take turns.
 */
#include "test.h"

#include "part_queue.h"
#include "reply_batch.h"

static struct conn *fake(uintptr_t n)
{
    return (struct conn *)(n * 16);
}

static void test_batch_chains_by_connection(void **state)
{
    (void)state;
    struct reply_batch *b = reply_batch_new();
    for (int round = 0; round < 3; round++) {
        struct reply_chain one = { 0, 0 }, other = { 0, 0 };
        bool more;
        reply_batch_add(b, fake(1), &one, SLICE("1"));
        reply_batch_add(b, fake(2), &other, SLICE("x"));
        reply_batch_add(b, fake(1), &one, SLICE("2"));
        reply_batch_add(b, fake(1), &one, SLICE("3"));
        assert_ptr_equal(reply_batch_pop(b), fake(1));
        assert_true(slice_eq(reply_batch_take(b, &one, &more), SLICE("1")));
        assert_true(more);
        assert_true(slice_eq(reply_batch_take(b, &one, &more), SLICE("2")));
        assert_true(more);
        assert_true(slice_eq(reply_batch_take(b, &one, &more), SLICE("3")));
        assert_false(more);
        assert_int_equal(one.first, 0);
        assert_ptr_equal(reply_batch_pop(b), fake(2));
        assert_true(slice_eq(reply_batch_take(b, &other, &more), SLICE("x")));
        assert_false(more);
        assert_null(reply_batch_pop(b));
        reply_batch_clear(b);
    }
    reply_batch_free(b);
}

static void test_parts_take_turns(void **state)
{
    (void)state;
    struct part_queue *q = part_queue_new();
    assert_null(part_queue_pop(q));
    for (uintptr_t i = 1; i <= 40; i++) {
        part_queue_push(q, fake(i));
    }
    for (uintptr_t i = 1; i <= 100; i++) {
        struct conn *c = part_queue_pop(q);
        assert_ptr_equal(c, fake((i - 1) % 40 + 1));
        part_queue_push(q, c);
    }
    part_queue_remove(q, fake(22));
    part_queue_remove(q, fake(999));
    for (uintptr_t i = 21; i <= 59; i++) {
        uintptr_t n = (i < 22 ? i - 1 : i) % 40 + 1;
        assert_ptr_equal(part_queue_pop(q), fake(n));
    }
    assert_null(part_queue_pop(q));
    part_queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_chains_by_connection),
        cmocka_unit_test(test_parts_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
