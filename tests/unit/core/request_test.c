/* Requests: decoding what a gateway sends, refusing what none sends, and the queues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "identity.h"
#include "request.h"
#include "wire/frame.h"

static void test_decodes_arguments(void **state)
{
    const struct slice argv[] = { SLICE("SET"), SLICE("k\0y"), SLICE("") };
    struct buf payload;
    (void)state;
    buf_init(&payload, 1024);
    frame_build_request(&payload, argv, ARRAY_SIZE(argv));
    struct request *r = request_new(buf_slice(&payload), 42);
    buf_release(&payload); /* the request has a copy of its own */
    assert_non_null(r);
    assert_int_equal(r->argc, 3);
    assert_int_equal(r->arrived_ns, 42);
    for (size_t i = 0; i < ARRAY_SIZE(argv); i++) {
        assert_true(slice_eq(r->argv[i], argv[i]));
    }
    request_free(r);
}

static void test_refuses_malformed_payloads(void **state)
{
    static const struct slice bad[] = {
        SLICE(""),
        SLICE("\1\0\0"),
        SLICE("\0\0\0\0"),                         /* no argument */
        SLICE("\1\0\0\0\5\0\0\0abcd"),             /* one byte short */
        SLICE("\1\0\0\0\1\0\0\0ab"),               /* one byte over */
        SLICE("\377\377\377\377\1\0\0\0a"),        /* more arguments than bytes */
        SLICE("\2\0\0\0\377\377\377\377\5\0\0\0"), /* lengths that overflow when added */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_null(request_new(bad[i], 0));
    }
}

static struct request *numbered(uint64_t n)
{
    const struct slice argv[] = { SLICE("PING") };
    struct buf payload;
    buf_init(&payload, 64);
    frame_build_request(&payload, argv, 1);
    struct request *r = request_new(buf_slice(&payload), n);
    buf_release(&payload);
    return r;
}

static void test_put_back_comes_first(void **state)
{
    struct request_list waiting = { NULL, NULL, 0 };
    struct request_list unrun = { NULL, NULL, 0 };
    (void)state;
    request_push(&waiting, numbered(3));
    request_push(&unrun, numbered(1));
    request_push(&unrun, numbered(2));
    request_put_back(&waiting, &unrun);
    assert_int_equal(unrun.count, 0);
    assert_int_equal(waiting.count, 3);
    request_push(&waiting, numbered(4));
    for (uint64_t n = 1; n <= 4; n++) {
        struct request *r = request_pop(&waiting);
        assert_int_equal(r->arrived_ns, n);
        request_free(r);
    }
    assert_null(request_pop(&waiting));
    request_put_back(&waiting, &unrun);
    assert_int_equal(waiting.count, 0);
}

static void test_identities_are_shared(void **state)
{
    struct identity_table *t = identity_table_new();
    struct identity *a = identity_ref(t, SLICE("cn:alice"));
    (void)state;
    assert_ptr_equal(identity_ref(t, SLICE("cn:alice")), a);
    assert_ptr_not_equal(identity_ref(t, SLICE("cn:alice\0")), a);
    identity_unref(t, a);
    assert_ptr_equal(identity_find(t, SLICE("cn:alice")), a);
    identity_unref(t, a);
    assert_null(identity_find(t, SLICE("cn:alice")));
    identity_unref(t, identity_find(t, SLICE("cn:alice\0")));
    identity_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decodes_arguments),
        cmocka_unit_test(test_refuses_malformed_payloads),
        cmocka_unit_test(test_put_back_comes_first),
        cmocka_unit_test(test_identities_are_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
