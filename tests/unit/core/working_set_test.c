/*
 * working_set_test: what is dirty after what, in-place edits, borrowed values, and the table as it grows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "working_set.h"

static int setup(void **state)
{
    *state = working_set_new(1);
    ws_begin_unit(*state, 1000, 7);
    return 0;
}

static int teardown(void **state)
{
    working_set_free(*state);
    return 0;
}

/* loaded plays the store after a SELECT. */
static struct entry *loaded(struct working_set *ws, struct slice key, enum entry_need need,
                            bool row)
{
    struct entry *e = ws_want(ws, 0, key, need);
    e->loaded = need;
    e->row = row;
    e->exists = row;
    if (row) {
        e->revision = 5;
        e->length = 3;
        e->value = need == NEED_VALUE ? SLICE("old") : (struct slice){ NULL, 0 };
    }
    return e;
}

static void test_blind_write_is_dirty(void **state)
{
    struct working_set *ws = *state;
    ws_want(ws, 0, SLICE("k"), NEED_NOTHING);
    assert_null(ws_find(ws, 0, SLICE("k")));
    struct entry *e = ws_put(ws, 0, SLICE("k"), SLICE("v"), 0);
    assert_true(e->dirty && e->value_changed && e->exists);
    assert_int_equal(e->loaded, NEED_NOTHING);
    assert_int_equal(e->modified_at, 1000);
    assert_int_equal(e->modified_by, 7);
    assert_ptr_equal(ws_find(ws, 0, SLICE("k")), e);
    assert_null(ws_find(ws, 1, SLICE("k")));
}

static void test_blind_write_then_remove_is_stored(void **state)
{
    struct working_set *ws = *state;
    struct entry *e = ws_put(ws, 0, SLICE("k"), SLICE("v"), 0);
    ws_remove(ws, e);
    assert_true(e->dirty && e->value_changed && !e->exists);
    assert_int_equal(e->length, 0);
    assert_null(ws_find(ws, 0, SLICE("k")));
}

static void test_no_row_and_removed_is_not_stored(void **state)
{
    struct working_set *ws = *state;
    struct entry *e = loaded(ws, SLICE("k"), NEED_META, false);
    assert_null(ws_find(ws, 0, SLICE("k")));
    ws_put(ws, 0, SLICE("k"), SLICE("v"), 0);
    ws_remove(ws, e);
    assert_false(e->dirty || e->value_changed || e->exists);
    ws_put(ws, 0, SLICE("k"), SLICE("v"), 0);
    assert_true(e->dirty && e->value_changed && e->exists);
}

static void test_row_removed_is_stored(void **state)
{
    struct working_set *ws = *state;
    struct entry *e = loaded(ws, SLICE("k"), NEED_META, true);
    ws_remove(ws, e);
    assert_true(e->dirty && e->value_changed && !e->exists);
    assert_int_equal(e->revision, 5);
}

static void test_expire_leaves_the_value(void **state)
{
    struct working_set *ws = *state;
    struct entry *e = loaded(ws, SLICE("k"), NEED_META, true);
    ws_expire(ws, e, 2000);
    assert_true(e->dirty && !e->value_changed);
    assert_int_equal(e->expires_at, 2000);
    assert_non_null(ws_find(ws, 0, SLICE("k")));
    ws_begin_unit(ws, 2000, 7);
    assert_null(ws_find(ws, 0, SLICE("k")));
}

static void test_edit_grows_with_zeros(void **state)
{
    struct working_set *ws = *state;
    struct entry *e = loaded(ws, SLICE("k"), NEED_VALUE, true);
    const uint8_t *borrowed = e->value.p;
    uint8_t *p = ws_edit(ws, e, 6);
    assert_memory_equal(p, "old\0\0\0", 6);
    assert_ptr_not_equal(p, borrowed);
    memset(p, 'x', 6);
    assert_ptr_equal(ws_edit(ws, e, 2), p);
    p = ws_edit(ws, e, 5);
    assert_memory_equal(p, "xx\0\0\0", 5);
    assert_int_equal(e->length, 5);
    assert_true(e->dirty && e->value_changed);
    assert_memory_equal(borrowed, "old", 3);
}

static void test_edit_is_amortized(void **state)
{
    struct working_set *ws = *state;
    struct entry *e = ws_put(ws, 0, SLICE("k"), SLICE(""), 0);
    const uint8_t *last = NULL;
    int moves = 0;
    for (size_t n = 1; n <= 100000; n++) {
        uint8_t *p = ws_edit(ws, e, n);
        p[n - 1] = (uint8_t)n;
        moves += p != last;
        last = p;
    }
    assert_true(moves < 20);
    for (size_t i = 0; i < 100000; i++) {
        assert_int_equal(e->value.p[i], (uint8_t)(i + 1));
    }
}

static void test_shared_value_is_not_edited(void **state)
{
    struct working_set *ws = *state;
    struct entry *a = ws_put(ws, 0, SLICE("a"), SLICE("1"), 0);
    memcpy(ws_edit(ws, a, 3), "abc", 3);
    struct entry *b = ws_put(ws, 0, SLICE("b"), ws_share(a), 0);
    memcpy(ws_edit(ws, a, 3), "xyz", 3);
    assert_memory_equal(b->value.p, "abc", 3);
    memcpy(ws_edit(ws, b, 3), "123", 3);
    assert_memory_equal(a->value.p, "xyz", 3);
}

static struct slice number_key(struct working_set *ws, uint32_t n)
{
    return ws_copy(ws, (struct slice){ (const uint8_t *)&n, sizeof(n) });
}

static void fill(struct working_set *ws, uint32_t count)
{
    for (uint32_t n = 0; n < count; n++) {
        ws_put(ws, n % 3, number_key(ws, n), SLICE("v"), 0);
    }
    assert_int_equal(ws_count(ws), count);
    for (uint32_t n = 0; n < count; n++) {
        assert_non_null(ws_find(ws, n % 3, number_key(ws, n)));
        assert_null(ws_find(ws, n % 3 + 1, number_key(ws, n)));
    }
}

static void test_many_and_reset(void **state)
{
    static const uint32_t counts[] = { 10, 100000, 0, 5000, 1, 300000, 20 };
    struct working_set *ws = *state;
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        fill(ws, counts[i]);
        working_set_reset(ws);
        assert_int_equal(ws_count(ws), 0);
        assert_null(ws_first(ws));
        assert_null(ws_entry(ws, 0, number_key(ws, 0)));
    }
}

static void test_order_of_first_mention(void **state)
{
    struct working_set *ws = *state;
    struct entry *b = ws_want(ws, 0, SLICE("b"), NEED_META);
    struct entry *a = ws_want(ws, 0, SLICE("a"), NEED_NOTHING);
    assert_ptr_equal(ws_want(ws, 0, SLICE("b"), NEED_NOTHING), b);
    assert_int_equal(b->wanted, NEED_META);
    ws_want(ws, 0, SLICE("a"), NEED_VALUE);
    assert_int_equal(a->wanted, NEED_VALUE);
    assert_ptr_equal(ws_first(ws), b);
    assert_ptr_equal(b->next, a);
    assert_null(a->next);
}

static void test_large_allocations(void **state)
{
    struct working_set *ws = *state;
    for (size_t size = 0; size < (size_t)4 << 20; size = size * 2 + 1) {
        uint8_t *p = ws_alloc(ws, size);
        assert_int_equal((uintptr_t)p % 16, 0);
        if (size > 0) {
            memset(p, 1, size);
        }
    }
}

static void test_forget(void **state)
{
    struct working_set *ws = *state;
    struct entry *zero = ws_put(ws, db_ref(0, 0), SLICE("k"), SLICE("v"), 0);
    struct entry *one = ws_put(ws, db_ref(0, 1), SLICE("k"), SLICE("v"), 0);
    struct entry *other = ws_put(ws, db_ref(1, 0), SLICE("k"), SLICE("v"), 0);
    ws_forget(ws, db_ref(0, 1));
    assert_true(zero->exists && zero->dirty);
    assert_false(one->exists || one->dirty || one->row);
    ws_forget(ws, db_ref(0, UINT16_MAX));
    assert_false(zero->exists || zero->dirty);
    assert_true(other->exists && other->dirty);
    ws_put(ws, db_ref(0, 1), SLICE("k"), SLICE("w"), 0);
    assert_true(one->exists && one->dirty);
    ws_remove(ws, one);
    assert_false(one->dirty);
}

static void test_unload(void **state)
{
    struct working_set *ws = *state;
    struct entry *one = ws_want(ws, db_ref(0, 1), SLICE("k"), NEED_VALUE);
    struct entry *other = ws_put(ws, db_ref(0, 2), SLICE("k"), SLICE("v"), 0);
    ws_put(ws, db_ref(0, 1), SLICE("k"), SLICE("v"), 5000);
    ws_clean(ws);
    ws_unload(ws, db_ref(0, 1));
    assert_null(ws_find(ws, db_ref(0, 1), SLICE("k")));
    assert_int_equal(one->loaded, NEED_NOTHING);
    assert_int_equal(one->wanted, NEED_VALUE);
    assert_false(one->row || one->dirty);
    assert_int_equal(one->length, 0);
    assert_ptr_equal(ws_find(ws, db_ref(0, 2), SLICE("k")), other);
}

static void test_clean(void **state)
{
    struct working_set *ws = *state;
    struct entry *put = ws_put(ws, 0, SLICE("a"), SLICE("v"), 0);
    struct entry *expired = loaded(ws, SLICE("b"), NEED_META, true);
    struct entry *absent = loaded(ws, SLICE("c"), NEED_META, false);
    ws_expire(ws, expired, 5000);
    ws_clean(ws);
    assert_true(put->row && !put->dirty && !put->value_changed);
    assert_int_equal(put->loaded, NEED_VALUE);
    assert_true(expired->row && !expired->dirty);
    assert_int_equal(expired->loaded, NEED_META);
    assert_false(absent->row);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void count_write(void *arg, struct entry *e)
{
    int *dirty_before = arg;
    dirty_before[e->dirty]++;
}

/* Each change is told before it is made, whatever makes it; looking and declaring is none. */
static void test_writes_are_told(void **state)
{
    struct working_set *ws = *state;
    int dirty_before[2] = { 0, 0 };
    struct entry *e = loaded(ws, SLICE("k"), NEED_VALUE, true);
    ws_on_write(ws, count_write, dirty_before);
    ws_find(ws, 0, SLICE("k"));
    ws_want(ws, 0, SLICE("other"), NEED_META);
    assert_int_equal(dirty_before[0], 0);
    ws_expire(ws, e, 2000);
    assert_int_equal(dirty_before[0], 1);
    ws_set_value(ws, e, SLICE("v"));
    ws_edit(ws, e, 3);
    ws_remove(ws, e);
    assert_int_equal(dirty_before[1], 3);
    ws_put(ws, 0, SLICE("other"), SLICE("v"), 0);
    assert_int_equal(dirty_before[0], 2);
    ws_on_write(ws, NULL, NULL);
    ws_put(ws, 0, SLICE("other"), SLICE("w"), 0);
    assert_int_equal(dirty_before[1], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_blind_write_is_dirty),
        TEST(test_blind_write_then_remove_is_stored),
        TEST(test_no_row_and_removed_is_not_stored),
        TEST(test_row_removed_is_stored),
        TEST(test_expire_leaves_the_value),
        TEST(test_edit_grows_with_zeros),
        TEST(test_edit_is_amortized),
        TEST(test_shared_value_is_not_edited),
        TEST(test_many_and_reset),
        TEST(test_order_of_first_mention),
        TEST(test_large_allocations),
        TEST(test_forget),
        TEST(test_unload),
        TEST(test_clean),
        TEST(test_writes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
