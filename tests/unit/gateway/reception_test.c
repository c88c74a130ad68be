/*
 * reception_test: slow work takes several turns of the loop, which goes on meanwhile and does not wait.
 */
#include "test.h"

#include "base/err.h"
#include "reception.h"

struct office {
    uv_loop_t loop;
    uv_prepare_t turns;
    struct reception *reception;
    struct arrival a[50];
    int turn;
    int served;
    int served_in_turn[60];
    int announced;
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
    static const struct reception_events events = { before, serve };
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_little_in_each_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
