/* ACL LOG: equal refusals are one entry, the newest is first, and there are never more than so many. */
#include "support.h"

#include <stdio.h>

#include "acl/log.h"

static void add(struct acl_log *log, const char *reason, const char *object, int64_t at_ms)
{
    acl_log_add(log, &(struct acl_log_entry){ .reason = reason,
                                              .context = "toplevel",
                                              .object = slice_of(object),
                                              .username = SLICE("cn:alice"),
                                              .client = SLICE("id=1"),
                                              .at_ms = at_ms });
}

static void test_equal_refusals_are_one_entry(void **state)
{
    struct acl_log *log = acl_log_new(128);
    (void)state;
    add(log, "command", "get", 1000);
    add(log, "key", "get", 1000);
    add(log, "command", "get", 61000);
    assert_int_equal(acl_log_count(log), 2);
    assert_int_equal(acl_log_at(log, 0)->count, 2);
    assert_int_equal(acl_log_at(log, 0)->at_ms, 61000);
    assert_string_equal(acl_log_at(log, 1)->reason, "key");
    add(log, "command", "get", 121001); /* more than a minute later */
    assert_int_equal(acl_log_count(log), 3);
    assert_int_equal(acl_log_at(log, 0)->count, 1);
    acl_log_free(log);
}

static void test_only_ten_entries_are_looked_at(void **state)
{
    struct acl_log *log = acl_log_new(128);
    char name[8];
    (void)state;
    for (int i = 0; i < 11; i++) {
        snprintf(name, sizeof(name), "k%d", i);
        add(log, "key", name, 0);
    }
    add(log, "key", "k1", 0);
    assert_int_equal(acl_log_count(log), 11);
    add(log, "key", "k0", 0);
    assert_int_equal(acl_log_count(log), 12);
    acl_log_free(log);
}

static void test_the_oldest_goes(void **state)
{
    struct acl_log *log = acl_log_new(3);
    (void)state;
    add(log, "key", "a", 0);
    add(log, "key", "b", 0);
    add(log, "key", "c", 0);
    add(log, "key", "d", 0);
    assert_int_equal(acl_log_count(log), 3);
    assert_true(slice_eq(acl_log_at(log, 0)->object, SLICE("d")));
    assert_true(slice_eq(acl_log_at(log, 2)->object, SLICE("b")));
    acl_log_limit(log, 1);
    assert_int_equal(acl_log_count(log), 1);
    add(log, "key", "e", 0);
    assert_int_equal(acl_log_count(log), 1);
    acl_log_clear(log);
    assert_int_equal(acl_log_count(log), 0);
    add(log, "key", "f", 0);
    assert_int_equal(acl_log_count(log), 1);
    acl_log_limit(log, 0);
    add(log, "key", "g", 0);
    assert_int_equal(acl_log_count(log), 0);
    acl_log_free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_refusals_are_one_entry),
        cmocka_unit_test(test_only_ten_entries_are_looked_at),
        cmocka_unit_test(test_the_oldest_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
