/*
 * reception_test: slow work takes several turns of the loop, which goes on meanwhile and does not wait.
 */
#include "test.h"

#include "base/err.h"
#include "arrivals/reception.h"

struct office {
    uv_loop_t loop;
    uv_prepare_t turns;
    struct reception *reception;
    struct arrival a[50];
    int turn;
    int served;
    int served_in_turn[60];
    int announced;
    bool busy;
    uv_timer_t later;
};

static struct office office;

static void on_turn(uv_prepare_t *handle)
{
    (void)handle;
    if (office.served == 50) {
        reception_close(office.reception);
        uv_close((uv_handle_t *)&office.turns, NULL);
    }
    assert_true(++office.turn < 60);
}

static void before(void *arg)
{
    assert_ptr_equal(arg, &office);
    office.announced++;
}

static bool busy(void *arg)
{
    return ((struct office *)arg)->busy;
}

static void serve(struct arrival *a)
{
    uint64_t until = uv_hrtime() + 300 * 1000;
    while (uv_hrtime() < until) {
    }
    office.served++;
    office.served_in_turn[office.turn]++;
    arrivals_leave(reception_arrivals(office.reception), a);
}

static void test_a_little_in_each_turn(void **state)
{
    (void)state;
    static const struct reception_events events = { before, busy, serve };
    uv_loop_init(&office.loop);
    uv_prepare_init(&office.loop, &office.turns);
    uv_prepare_start(&office.turns, on_turn);
    office.reception = reception_new(&office.loop, 100, &events, &office);
    struct arrivals *s = reception_arrivals(office.reception);
    for (size_t i = 0; i < 50; i++) {
        arrivals_enter(s, &office.a[i]);
        arrivals_queue(s, &office.a[i], ARRIVAL_FULL);
    }
    uv_run(&office.loop, UV_RUN_NOWAIT); /* the first turn may not know yet that there is work */
    uv_run(&office.loop, UV_RUN_DEFAULT);
    uv_loop_close(&office.loop);
    assert_int_equal(office.served, 50);
    int long_turns = 0;
    for (size_t i = 0; i < 60; i++) {
        assert_in_range(office.served_in_turn[i], 0, 4); /* 4 × 0.3 ms pass 1 ms */
        long_turns += office.served_in_turn[i] > 2;      /* 2 × 0.3 ms pass half of it */
    }
    assert_true(office.announced >= long_turns && long_turns > 0);
}

static void on_later(uv_timer_t *timer)
{
    assert_int_equal(office.served, 0);
    assert_true(office.turn < 10); /* it waited, and did not look again and again */
    office.busy = false;
    uv_close((uv_handle_t *)timer, NULL);
}

static void serve_at_once(struct arrival *a)
{
    assert_false(office.busy);
    office.served = 50;
    arrivals_leave(reception_arrivals(office.reception), a);
}

/* While it is busy nothing is begun, nor does the loop turn for nothing; the event that ends it does the rest. */
static void test_nothing_is_begun_while_it_is_busy(void **state)
{
    (void)state;
    static const struct reception_events events = { before, busy, serve_at_once };
    office = (struct office){ .busy = true };
    uv_loop_init(&office.loop);
    uv_prepare_init(&office.loop, &office.turns);
    uv_prepare_start(&office.turns, on_turn);
    uv_timer_init(&office.loop, &office.later);
    uv_timer_start(&office.later, on_later, 20, 0);
    office.reception = reception_new(&office.loop, 100, &events, &office);
    arrivals_enter(reception_arrivals(office.reception), &office.a[0]);
    arrivals_queue(reception_arrivals(office.reception), &office.a[0], ARRIVAL_FULL);
    uv_run(&office.loop, UV_RUN_DEFAULT);
    assert_int_equal(office.served, 50);
    uv_loop_close(&office.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_little_in_each_turn),
        cmocka_unit_test(test_nothing_is_begun_while_it_is_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
