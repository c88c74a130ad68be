/*
 * admission_test: each limit of sessions by itself and together, what is said, and many threads at once.
 */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "arrivals/admission.h"

static struct sockaddr_storage from(unsigned n)
{
    struct sockaddr_storage a = { .ss_family = AF_INET };
    ((struct sockaddr_in *)&a)->sin_addr.s_addr = htonl(n);
    return a;
}

static enum admission_verdict enter(struct admission *a, const char *identity, unsigned address,
                                    struct admission_place *place)
{
    struct sockaddr_storage addr = from(address);
    return admission_enter(a, slice_of(identity), &addr, place);
}

static void test_in_all(void **state)
{
    (void)state;
    struct admission *a = admission_new(&(struct admission_limits){ .connections = 2 });
    struct admission_place p[3] = { { .taken = false } };
    assert_int_equal(enter(a, "cn:a", 1, &p[0]), ADMISSION_IN);
    assert_int_equal(enter(a, "cn:a", 1, &p[1]), ADMISSION_IN);
    assert_int_equal(enter(a, "cn:b", 2, &p[2]), ADMISSION_FULL);
    assert_false(p[2].taken);
    admission_leave(a, &p[2]); /* it has none */
    assert_int_equal(enter(a, "cn:b", 2, &p[2]), ADMISSION_FULL);
    admission_leave(a, &p[0]);
    admission_leave(a, &p[0]);
    assert_int_equal(enter(a, "cn:b", 2, &p[2]), ADMISSION_IN);
    assert_int_equal(enter(a, "cn:b", 2, &p[0]), ADMISSION_FULL);
    admission_leave(a, &p[1]);
    admission_leave(a, &p[2]);
    admission_free(a);
}

static void test_per_identity_and_address(void **state)
{
    (void)state;
    struct admission *a = admission_new(
        &(struct admission_limits){ .connections = 100, .per_identity = 2, .per_address = 3 });
    struct admission_place p[5], none = { .taken = false };
    assert_int_equal(enter(a, "cn:a", 1, &p[0]), ADMISSION_IN);
    assert_int_equal(enter(a, "cn:a", 2, &p[1]), ADMISSION_IN);
    assert_int_equal(enter(a, "cn:a", 3, &none), ADMISSION_IDENTITY_FULL);
    assert_int_equal(enter(a, "dns:a", 1, &p[2]), ADMISSION_IN); /* another kind is another one */
    assert_int_equal(enter(a, "cn:b", 1, &p[3]), ADMISSION_IN);
    assert_int_equal(enter(a, "cn:c", 1, &none), ADMISSION_ADDRESS_FULL);
    assert_int_equal(enter(a, "cn:a", 1, &none), ADMISSION_IDENTITY_FULL);
    assert_int_equal(enter(a, "cn:c", 2, &p[4]), ADMISSION_IN);
    admission_leave(a, &p[0]);
    assert_int_equal(enter(a, "cn:a", 1, &p[0]), ADMISSION_IN);
    for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
        admission_leave(a, &p[i]);
    }
    admission_free(a); /* the sanitizer sees whether a count was left */
}

static void say(struct admission *a, enum admission_verdict v, const char *expected)
{
    struct buf b;
    buf_init(&b, 1000);
    admission_say(a, v, &b);
    assert_true(slice_eq(buf_slice(&b), slice_of(expected)));
    buf_release(&b);
}

static void test_what_is_said(void **state)
{
    (void)state;
    struct admission *a = admission_new(
        &(struct admission_limits){ .connections = 1, .per_identity = 22, .per_address = 333 });
    say(a, ADMISSION_FULL, "-ERR max number of clients reached\r\n");
    say(a, ADMISSION_IDENTITY_FULL,
        "-ERR max number of clients reached for this identity (--max-per-identity is 22)\r\n");
    say(a, ADMISSION_ADDRESS_FULL,
        "-ERR max number of clients reached for this address (--max-per-address is 333)\r\n");
    admission_free(a);
}

/* So many identities that the table grows, all gone again in another order. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 2000 };
    static struct admission_place p[MANY];
    struct admission_place none;
    char name[32];
    struct admission *a = admission_new(
        &(struct admission_limits){ .connections = MANY, .per_identity = 1, .per_address = 1 });
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            snprintf(name, sizeof(name), "cn:%u", i);
            assert_int_equal(enter(a, name, i, &p[i]), ADMISSION_IN);
        }
        assert_int_equal(enter(a, "cn:7", MANY, &none), ADMISSION_FULL);
        admission_leave(a, &p[8]);
        assert_int_equal(enter(a, "cn:7", MANY, &none), ADMISSION_IDENTITY_FULL);
        assert_int_equal(enter(a, "cn:x", 7, &none), ADMISSION_ADDRESS_FULL);
        for (unsigned i = 0; i < MANY; i++) {
            admission_leave(a, &p[i * 7 % MANY]);
        }
    }
    admission_free(a);
}

struct crowd {
    struct admission *admission;
    atomic_int in; /* counted after an entry and before a departure: never more than are in */
    atomic_int most;
};

static void *come_and_go(void *arg)
{
    struct crowd *crowd = arg;
    struct admission_place p[8];
    for (int i = 0; i < 2000; i++) {
        int mine = 0;
        while (mine < 8 && enter(crowd->admission, "cn:a", 1, &p[mine]) == ADMISSION_IN) {
            int now = atomic_fetch_add(&crowd->in, 1) + 1;
            if (now > atomic_load(&crowd->most)) {
                atomic_store(&crowd->most, now);
            }
            mine++;
        }
        while (mine > 0) {
            atomic_fetch_sub(&crowd->in, 1);
            admission_leave(crowd->admission, &p[--mine]);
        }
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct admission *a = admission_new(
        &(struct admission_limits){ .connections = 100, .per_identity = 5, .per_address = 6 });
    struct crowd crowd = { .admission = a };
    struct admission_place p;
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowd), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&crowd.most), 5);
    assert_int_equal(enter(a, "cn:a", 1, &p), ADMISSION_IN);
    admission_leave(a, &p);
    admission_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_all),       cmocka_unit_test(test_per_identity_and_address),
        cmocka_unit_test(test_what_is_said), cmocka_unit_test(test_many),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
