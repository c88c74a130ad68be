/* Pauses: whom they hold, how several add up, and their end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <uv.h>

#include "core_private.h"
#include "pause.h"

struct fixture {
    uv_loop_t loop;
    struct core core;
    struct session common, a, b; /* of keyspaces 0, 1, 2 */
};

static int set_up(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    uv_loop_init(&f->loop);
    f->core.loop = &f->loop;
    f->core.pauses = pauses_new(&f->core);
    f->common = (struct session){ .core = &f->core };
    f->a = (struct session){ .core = &f->core, .vars.keyspace = 1 };
    f->b = (struct session){ .core = &f->core, .vars.keyspace = 2 };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pauses_free(f->core.pauses);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

/* holds as a text: what is held of the common keyspace, of a and of b: all, writes or nothing (-). */
static void check(const struct fixture *f, const char *expected)
{
    const struct session *sessions[] = { &f->common, &f->a, &f->b };
    for (size_t i = 0; i < ARRAY_SIZE(sessions); i++) {
        const bool writes = pauses_hold(f->core.pauses, sessions[i], true);
        const bool reads = pauses_hold(f->core.pauses, sessions[i], false);
        assert_int_equal(reads ? 'a' : writes ? 'w' : '-', expected[i]);
    }
}

static void test_whom_it_holds(void **state)
{
    struct fixture *f = *state;
    struct pauses *p = f->core.pauses;
    check(f, "---");
    pauses_begin(p, 1, false, 10000);
    check(f, "-a-");
    pauses_begin(p, 0, true, 10000);
    check(f, "waw");
    pauses_end(p, 2); /* it has none of its own */
    check(f, "waw");
    pauses_end(p, 1);
    check(f, "www");
    pauses_begin(p, 2, false, 10000);
    pauses_end(p, 0); /* ends all */
    check(f, "---");
    assert_false(pauses_hold(NULL, &f->common, true));
}

static void wait_ms(struct fixture *f, uint64_t ms)
{
    const uint64_t until = uv_hrtime() + ms * 1000000;
    while (uv_hrtime() < until) {
        uv_sleep(1);
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    pauses_run(f->core.pauses);
}

static void test_the_later_end_and_the_stricter_kind(void **state)
{
    struct fixture *f = *state;
    pauses_begin(f->core.pauses, 0, true, 10000);
    pauses_begin(f->core.pauses, 0, false, 1);
    wait_ms(f, 5);
    check(f, "aaa");
    pauses_begin(f->core.pauses, 0, true, 1);
    check(f, "aaa");
}

static void test_each_ends_by_itself(void **state)
{
    struct fixture *f = *state;
    pauses_begin(f->core.pauses, 1, true, 10000);
    pauses_begin(f->core.pauses, 2, false, 1);
    check(f, "-wa");
    wait_ms(f, 5);
    check(f, "-w-");
    pauses_begin(f->core.pauses, 1, true, 0);
    check(f, "-w-");
}

static void test_none_in_a_core_that_stops(void **state)
{
    struct fixture *f = *state;
    pauses_begin(f->core.pauses, 0, false, 10000);
    pauses_stop(f->core.pauses);
    check(f, "---");
    pauses_begin(f->core.pauses, 0, false, 10000);
    check(f, "---");
    pauses_run(f->core.pauses);
}

static void test_who_is_counted(void **state)
{
    struct fixture *f = *state;
    pause_session(&f->a, true);
    pause_session(&f->a, true);
    pause_session(&f->b, true);
    assert_int_equal(f->core.metrics.sessions_paused, 2);
    pause_session(&f->a, false);
    pause_session(&f->a, false);
    assert_int_equal(f->core.metrics.sessions_paused, 1);
    assert_true(session_is_paused(&f->b));
    pause_session(&f->b, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whom_it_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_later_end_and_the_stricter_kind, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_each_ends_by_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_none_in_a_core_that_stops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
