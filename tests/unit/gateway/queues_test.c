/*
 * queues_test: replies of one batch stay in order per connection; long requests take turns; calls between
 * threads come once and in order, and none is lost when the queue closes.
 */
#include "test.h"

#include "call_queue.h"
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

enum { CALLS = 1000, PUSHERS = 2 };

struct numbered {
    struct call call;
    int pusher;
    int number;
};

struct calls {
    struct call_queue queue;
    struct numbered made[PUSHERS][CALLS];
    int next[PUSHERS];
    int taken;
    int refused[PUSHERS];
};

struct pusher {
    struct calls *all;
    int number;
};

static void take_call(void *arg, struct call *c)
{
    struct calls *all = arg;
    struct numbered *n = container_of(c, struct numbered, call);
    assert_int_equal(n->number, all->next[n->pusher]++);
    all->taken++;
    if (all->taken == PUSHERS * CALLS / 2) {
        call_queue_close(&all->queue);
    }
}

static void push_calls(void *arg)
{
    const struct pusher *p = arg;
    for (int i = 0; i < CALLS; i++) {
        struct numbered *n = &p->all->made[p->number][i];
        *n = (struct numbered){ .pusher = p->number, .number = i };
        p->all->refused[p->number] += !call_queue_push(&p->all->queue, &n->call);
    }
}

static void test_calls_between_threads(void **state)
{
    static struct calls all;
    struct pusher pushers[PUSHERS];
    uv_thread_t threads[PUSHERS];
    uv_loop_t loop;
    (void)state;
    uv_loop_init(&loop);
    call_queue_init(&all.queue, &loop, take_call, &all);
    for (int i = 0; i < PUSHERS; i++) {
        pushers[i] = (struct pusher){ &all, i };
        uv_thread_create(&threads[i], push_calls, &pushers[i]);
    }
    uv_run(&loop, UV_RUN_DEFAULT); /* until it has closed itself */
    for (int i = 0; i < PUSHERS; i++) {
        uv_thread_join(&threads[i]);
    }
    assert_int_equal(all.taken + all.refused[0] + all.refused[1], PUSHERS * CALLS);
    call_queue_release(&all.queue);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_chains_by_connection),
        cmocka_unit_test(test_parts_take_turns),
        cmocka_unit_test(test_calls_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
