/* The STATE record: what it carries, when it is pinned, and what a malformed one does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "acl/acl.h"
#include "core_private.h"
#include "events.h"
#include "session_private.h"

static struct core *new_core(void)
{
    struct core *core = mem_zalloc(sizeof(*core));
    core->loop = uv_default_loop();
    core->identities = identity_table_new();
    core->keyspaces = keyspaces_new();
    core->acl = acl_new(core->keyspaces, NULL);
    core->options.databases = 16;
    core->events = events_new(core);
    return core;
}

static void free_core(struct core *core)
{
    events_free(core->events);
    identity_table_free(core->identities);
    acl_free(core->acl);
    keyspaces_free(core->keyspaces);
    free(core);
}

static struct session *new_session(struct core *core)
{
    const struct frame_open open = { .identity = SLICE("cn:alice"),
                                     .peer = SLICE("127.0.0.1:1"),
                                     .credit = 1 };
    return session_new(core, NULL, 7, &open);
}

static void test_plain_session_has_no_record(void **state)
{
    struct core *core = new_core();
    struct session *s = new_session(core);
    struct buf record;
    (void)state;
    buf_init(&record, FRAME_MAX_STATE);
    assert_int_equal(session_write_state(s, &record), 0);
    assert_int_equal(buf_len(&record), 0);
    session_free(s);
    free_core(core);
}

static void test_record_is_restored(void **state)
{
    struct core *core = new_core();
    struct session *before = new_session(core);
    struct session *after = new_session(core);
    struct buf record;
    (void)state;
    buf_init(&record, FRAME_MAX_STATE);
    *session_vars(before) = (struct session_vars){ .db_number = 5, .protocol = 3 };
    session_set_name(before, SESSION_NAME, SLICE("worker"));
    session_set_name(before, SESSION_LIB_VERSION, SLICE("4.3"));
    session_switch(before, SESSION_NO_TOUCH, true);
    assert_int_equal(session_write_state(before, &record), 0);
    assert_true(session_restore(after, buf_slice(&record)));
    assert_int_equal(session_vars(after)->db_number, 5);
    assert_int_equal(session_vars(after)->protocol, 3);
    assert_int_equal(session_switches(after), SESSION_NO_TOUCH);
    assert_true(slice_eq(session_name(after, SESSION_NAME), SLICE("worker")));
    assert_int_equal(session_name(after, SESSION_LIB_NAME).len, 0);
    assert_true(slice_eq(session_name(after, SESSION_LIB_VERSION), SLICE("4.3")));
    buf_release(&record);
    session_free(before);
    session_free(after);
    free_core(core);
}

static bool is_pinned(const struct session *s)
{
    struct buf record;
    buf_init(&record, FRAME_MAX_STATE);
    const bool pinned = session_write_state(s, &record) & FRAME_PINNED;
    buf_release(&record);
    return pinned;
}

static void test_what_cannot_be_carried_over_is_pinned(void **state)
{
    static uint8_t long_name[300];
    struct core *core = new_core();
    struct session *s = new_session(core);
    (void)state;
    memset(long_name, 'n', sizeof(long_name));
    session_begin_multi(s);
    assert_true(is_pinned(s));
    session_discard_multi(s);
    assert_false(is_pinned(s));
    session_watch(s, 0, SLICE("k"), 3);
    assert_true(is_pinned(s));
    session_unwatch(s);
    for (uint32_t which = SESSION_MONITOR; which <= SESSION_REPLY_SKIP_NEXT; which <<= 1) {
        if (which == SESSION_MONITOR)
            session_monitor(s);
        else
            session_switch(s, which, true);
        assert_int_equal(is_pinned(s), which != SESSION_NO_EVICT && which != SESSION_NO_TOUCH);
        session_reset(s);
        assert_int_equal(session_switches(s), 0);
        assert_false(is_pinned(s));
    }
    session_set_name(s, SESSION_NAME, (struct slice){ long_name, sizeof(long_name) });
    assert_true(is_pinned(s));
    session_free(s);
    free_core(core);
}

static void test_malformed_records(void **state)
{
    static const struct slice bad[] = {
        SLICE("\2"),
        SLICE("\4\0\0\0\0\0\0"),  /* no such protocol */
        SLICE("\3\20\0\0\0\0\0"), /* database 16 of 16 */
        SLICE("\3\0\0\0\0\0"),    /* a name is missing */
        SLICE("\3\0\0\0\5ab"),    /* a name longer than the rest */
        SLICE("\3\0\0\0\0\0\0x"), /* bytes behind the end */
        SLICE("\3\0\0\1\0\0\0"),  /* a monitor cannot be carried over */
    };
    struct core *core = new_core();
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct session *s = new_session(core);
        assert_false(session_restore(s, bad[i]));
        session_free(s);
    }
    free_core(core);
}

static void test_first_watch_counts(void **state)
{
    struct core *core = new_core();
    struct session *s = new_session(core);
    (void)state;
    session_watch(s, 0, SLICE("k"), 3);
    session_watch(s, 0, SLICE("k"), 4);
    session_watch(s, 1, SLICE("k"), 5);
    assert_int_equal(session_watch_count(s), 2);
    session_free(s);
    free_core(core);
}

static void test_memory(void **state)
{
    static const struct slice argv[] = { SLICE("client"), SLICE("list") };
    struct core *core = new_core();
    struct session *s = new_session(core);
    struct buf payload;
    (void)state;
    buf_init(&payload, 1024);
    frame_build_request(&payload, argv, ARRAY_SIZE(argv));
    struct request *r = request_new(buf_slice(&payload), 0);
    assert_int_equal(request_resp_size(r), 26); /* *2 $6 client $4 list */
    request_push(&s->queue, r);
    const struct session_memory m = session_memory(s);
    assert_int_equal(m.requests, 26);
    assert_int_equal(m.arguments, 10);
    assert_int_equal(m.queued, 0);
    assert_int_equal(m.total, sizeof(*s) + 26);
    buf_release(&payload);
    session_free(s);
    free_core(core);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_session_has_no_record),
        cmocka_unit_test(test_record_is_restored),
        cmocka_unit_test(test_what_cannot_be_carried_over_is_pinned),
        cmocka_unit_test(test_malformed_records),
        cmocka_unit_test(test_first_watch_counts),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
