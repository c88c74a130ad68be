/* The cache: what is found when, what keeps it from being stale, and that it never holds more than it may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cache.h"

enum { ROOM = 64 * 1024, NOW = 1000 };

static const struct cache_others nobody = { 0, 0, 0 };
static const struct cache_others moved = { 1, 1, 7 };

static struct entry entry_of(const char *key, const char *value)
{
    struct entry e = { .key = slice_of(key), .loaded = NEED_VALUE, .row = true, .exists = true };
    e.hash = slice_hash(e.key, 1);
    e.value = slice_of(value);
    e.length = e.value.len;
    e.revision = 5;
    return e;
}

static struct cache_mark mark_of(const struct cache *c)
{
    struct cache_mark mark;
    (void)cache_usable(c, NOW, &mark);
    return mark;
}

/* found returns whether the entry is there, and with this value if it is not NULL. */
static bool found(struct cache *c, const struct entry *e, const char *value)
{
    struct cached *hit = cache_find(c, e->hash, e->db, e->key);
    if (hit == NULL)
        return false;
    if (value)
        assert_true(slice_eq(cached_value(hit), slice_of(value)));
    cache_unpin(c, hit);
    return true;
}

static int setup(void **state)
{
    struct cache *c = cache_new(ROOM);
    const struct cache_mark mark = mark_of(c);
    assert_true(cache_wants_others(c, NOW));
    (void)cache_check(c, &mark, &nobody, NOW);
    assert_false(cache_wants_others(c, NOW));
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    cache_free(*state);
    return 0;
}

static void fill(struct cache *c, const struct entry *e)
{
    const struct cache_mark mark = mark_of(c);
    cache_fill(c, &mark, e);
}

static void test_finds_what_was_filled_in(void **state)
{
    struct cache *c = *state;
    struct entry e = entry_of("key", "value");
    assert_false(found(c, &e, NULL));
    fill(c, &e);
    assert_true(found(c, &e, "value"));
    struct entry other = e;
    other.db = 1;
    assert_false(found(c, &other, NULL));
    assert_int_equal(cache_figures(c).hits, 1);
    assert_int_equal(cache_figures(c).misses, 2);
}

static void test_remembers_absence(void **state)
{
    struct cache *c = *state;
    struct entry e = entry_of("gone", "");
    e.row = e.exists = false;
    e.revision = 0;
    fill(c, &e);
    struct cached *hit = cache_find(c, e.hash, 0, e.key);
    assert_non_null(hit);
    assert_false(hit->row);
    assert_int_equal(hit->expires_at, ENTRY_OVER);
    cache_unpin(c, hit);
}

static void test_nothing_is_kept_before_others_are_known(void **state)
{
    (void)state;
    struct cache *c = cache_new(ROOM);
    struct entry e = entry_of("key", "value");
    const struct cache_mark mark = mark_of(c);
    (void)cache_check(c, &mark, &nobody, NOW);
    cache_fill(c, &mark, &e); /* loaded before it was known what the others had done */
    assert_false(found(c, &e, NULL));
    cache_free(c);
}

static void test_forgets_when_another_core_writes(void **state)
{
    struct cache *c = *state;
    struct entry e = entry_of("key", "value");
    struct cache_mark mark = mark_of(c);
    fill(c, &e);
    assert_true(cache_check(c, &mark, &nobody, NOW));
    assert_true(found(c, &e, "value"));
    assert_false(cache_check(c, &mark, &moved, NOW));
    assert_false(found(c, &e, NULL));
    cache_fill(c, &mark, &e);
    assert_false(found(c, &e, NULL));
    assert_false(cache_usable(c, NOW, &mark)); /* it rests */
    assert_true(cache_usable(c, NOW + 1000, &mark));
    assert_int_equal(cache_figures(c).forgotten, 1);
}

static void test_a_key_in_writing_is_neither_found_nor_filled(void **state)
{
    struct cache *c = *state;
    struct entry e = entry_of("key", "old");
    fill(c, &e);
    const struct cache_mark before = mark_of(c);
    struct cached *pinned = cache_find(c, e.hash, 0, e.key);
    assert_true(cache_current(c, pinned));
    (void)cache_write_begin(c, e.hash);
    assert_false(cache_current(c, pinned));
    cache_unpin(c, pinned);
    assert_false(found(c, &e, NULL));
    cache_fill(c, &before, &e);
    cache_write_end(c, e.hash);
    assert_true(found(c, &e, "old")); /* the write failed */
    struct entry late = entry_of("key", "later");
    cache_fill(c, &before, &late); /* loaded while it was in writing */
    assert_true(found(c, &e, "old"));
}

static void test_a_write_leaves_its_value(void **state)
{
    struct cache *c = *state;
    struct entry e = entry_of("key", "new");
    const struct cache_mark mark = mark_of(c);
    const uint64_t began = cache_write_begin(c, e.hash);
    cache_update(c, &mark, began, &e);
    cache_write_end(c, e.hash);
    struct cached *hit = cache_find(c, e.hash, 0, e.key);
    assert_non_null(hit);
    assert_int_equal(hit->revision, REVISION_UNKNOWN);
    cache_unpin(c, hit);
}

static void test_two_writers_leave_nothing(void **state)
{
    struct cache *c = *state;
    struct entry first = entry_of("key", "first");
    struct entry second = entry_of("key", "second");
    fill(c, &first);
    const struct cache_mark mark = mark_of(c);
    const uint64_t one = cache_write_begin(c, first.hash);
    const uint64_t two = cache_write_begin(c, first.hash);
    cache_update(c, &mark, two, &second); /* committed last, settled first */
    cache_write_end(c, first.hash);
    cache_update(c, &mark, one, &first);
    cache_write_end(c, first.hash);
    assert_false(found(c, &first, NULL));
}

static void test_a_write_from_before_another_cores_is_not_kept(void **state)
{
    struct cache *c = *state;
    struct entry e = entry_of("key", "mine");
    const struct cache_mark mark = mark_of(c);
    const uint64_t began = cache_write_begin(c, e.hash);
    (void)cache_check(c, &mark, &moved, NOW);
    cache_update(c, &mark, began, &e);
    cache_write_end(c, e.hash);
    assert_false(found(c, &e, NULL));
}

static void test_a_write_that_knows_no_value_takes_the_old_one_away(void **state)
{
    struct cache *c = *state;
    struct entry e = entry_of("key", "value");
    fill(c, &e);
    const struct cache_mark mark = mark_of(c);
    const uint64_t began = cache_write_begin(c, e.hash);
    e.loaded = NEED_META; /* EXPIRE */
    cache_update(c, &mark, began, &e);
    cache_write_end(c, e.hash);
    assert_false(found(c, &e, NULL));
}

static void test_a_held_cache_has_nothing(void **state)
{
    struct cache *c = *state;
    struct entry e = entry_of("key", "value");
    struct cache_mark mark = mark_of(c);
    fill(c, &e);
    cache_hold(c);
    assert_false(cache_usable(c, NOW, &mark));
    assert_false(found(c, &e, NULL));
    cache_fill(c, &mark, &e);
    cache_release(c);
    cache_fill(c, &mark, &e);
    assert_false(found(c, &e, NULL)); /* from before the release */
    fill(c, &e);
    assert_true(found(c, &e, "value"));
}

static void test_never_more_than_it_may(void **state)
{
    struct cache *c = *state;
    struct entry often = entry_of("often", "asked for");
    fill(c, &often);
    for (int i = 0; i < 10000; i++) {
        char key[32];
        snprintf(key, sizeof(key), "key:%d", i);
        struct entry e = entry_of(key, "0123456789");
        fill(c, &e);
        assert_true(found(c, &often, NULL));
        assert_true(cache_figures(c).bytes <= ROOM);
    }
    assert_true(cache_figures(c).entries > 300);
    assert_int_equal(cache_figures(c).max_bytes, ROOM);
}

static void test_a_long_value_is_not_kept(void **state)
{
    struct cache *c = *state;
    char value[ROOM / 32];
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    struct entry e = entry_of("key", "short");
    fill(c, &e);
    e = entry_of("key", value);
    fill(c, &e);
    assert_false(found(c, &e, NULL)); /* and the short one is gone */
}

static void test_a_pinned_entry_outlives_everything(void **state)
{
    struct cache *c = *state;
    struct entry e = entry_of("key", "value");
    fill(c, &e);
    struct cached *hit = cache_find(c, e.hash, 0, e.key);
    for (int i = 0; i < 5000; i++) {
        char key[32];
        snprintf(key, sizeof(key), "key:%d", i);
        struct entry next = entry_of(key, "0123456789");
        fill(c, &next);
    }
    cache_clear(c);
    assert_false(cache_current(c, hit));
    assert_true(slice_eq(cached_value(hit), SLICE("value")));
    cache_unpin(c, hit);
}

static void test_size_zero_keeps_nothing(void **state)
{
    (void)state;
    struct cache *c = cache_new(0);
    struct cache_mark mark;
    struct entry e = entry_of("key", "value");
    assert_false(cache_usable(c, NOW, &mark));
    assert_false(cache_wants_others(c, NOW));
    cache_fill(c, &mark, &e);
    assert_false(found(c, &e, NULL));
    cache_free(c);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void fill_range(struct cache *c, int from, int to)
{
    char key[32];
    for (int i = from; i < to; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        const struct entry e = entry_of(key, "value");
        const struct cache_mark mark = mark_of(c);
        cache_fill(c, &mark, &e);
    }
}

static int count_found(struct cache *c, int to)
{
    char key[32];
    int n = 0;
    for (int i = 0; i < to; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        const struct entry e = entry_of(key, "value");
        n += found(c, &e, "value");
    }
    return n;
}

/* A cache that is made larger or smaller still finds what it keeps, and keeps no more than it may. */
static void test_resize(void **state)
{
    struct cache *c = *state;
    fill_range(c, 0, 400);
    const int before = count_found(c, 400);
    assert_true(before > 200);
    cache_resize(c, 16 * ROOM);
    assert_int_equal(count_found(c, 400), before);
    fill_range(c, 0, 2000);
    assert_int_equal(count_found(c, 2000), 2000);
    cache_resize(c, ROOM / 4);
    assert_true(cache_figures(c).bytes <= ROOM / 4);
    const int after = count_found(c, 2000);
    assert_true(after > 0 && after < before);
    assert_int_equal(cache_figures(c).entries, after);
    cache_resize(c, 0);
    assert_int_equal(cache_figures(c).entries, 0);
    assert_int_equal(count_found(c, 2000), 0);
    cache_resize(c, ROOM);
    fill_range(c, 0, 10);
    assert_int_equal(count_found(c, 10), 10);
    cache_reset_figures(c);
    assert_int_equal(cache_figures(c).hits, 0);
    assert_int_equal(cache_figures(c).entries, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_finds_what_was_filled_in),
        TEST(test_remembers_absence),
        cmocka_unit_test(test_nothing_is_kept_before_others_are_known),
        TEST(test_forgets_when_another_core_writes),
        TEST(test_a_key_in_writing_is_neither_found_nor_filled),
        TEST(test_a_write_leaves_its_value),
        TEST(test_two_writers_leave_nothing),
        TEST(test_a_write_from_before_another_cores_is_not_kept),
        TEST(test_a_write_that_knows_no_value_takes_the_old_one_away),
        TEST(test_a_held_cache_has_nothing),
        TEST(test_never_more_than_it_may),
        TEST(test_a_long_value_is_not_kept),
        TEST(test_a_pinned_entry_outlives_everything),
        cmocka_unit_test(test_size_zero_keeps_nothing),
        cmocka_unit_test_setup_teardown(test_resize, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
