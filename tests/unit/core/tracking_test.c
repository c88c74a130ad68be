/* tracking_test: who is told to forget what: plain and BCAST mode, marks and doubt, limits, prefixes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tracking.h"

enum { CLIENTS = 4 };

struct world {
    struct tracking *t;
    struct tracker clients[CLIENTS];
    char told[4096]; /* "1:a,b 2:* " */
};

static void tell(void *arg, struct tracker *c, const struct slice *keys, size_t count)
{
    struct world *w = arg;
    size_t at = strlen(w->told);
    at +=
        (size_t)snprintf(w->told + at, sizeof(w->told) - at, "%d:%s", (int)c->id, keys ? "" : "*");
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(w->told + at, sizeof(w->told) - at, "%s%.*s", i ? "," : "",
                               (int)keys[i].len, (const char *)keys[i].p);
    snprintf(w->told + at, sizeof(w->told) - at, " ");
}

static int setup(void **state)
{
    struct world *w = mem_zalloc(sizeof(*w));
    w->t = tracking_new(0, tell, w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < CLIENTS; i++)
        tracking_stop(w->t, &w->clients[i]);
    const struct tracking_figures f = tracking_figures(w->t);
    assert_int_equal(f.clients + f.keys + f.items + f.prefixes, 0);
    tracking_free(w->t);
    free(w);
    return 0;
}

/* Client n has id n + 1; all are in keyspace 0 but the last, which is in 1. */
static void start(struct world *w, size_t n, uint32_t flags)
{
    tracking_start(w->t, &w->clients[n], n + 1, n == CLIENTS - 1, flags, 0, NULL, 0);
}

static void start_prefix(struct world *w, size_t n, uint32_t flags, const char *prefix)
{
    const struct slice p = slice_of(prefix);
    tracking_start(w->t, &w->clients[n], n + 1, n == CLIENTS - 1, flags | TRACKING_BCAST, 0, &p, 1);
}

static void read_key(struct world *w, size_t n, const char *key)
{
    tracking_read(w->t, &w->clients[n], slice_of(key), false);
}

static void expect(struct world *w, const char *told)
{
    assert_string_equal(w->told, told);
    w->told[0] = '\0';
}

static void wrote(struct world *w, const char *key, uint64_t by, const char *told)
{
    tracking_wrote(w->t, 0, slice_of(key), by);
    expect(w, told);
}

static void test_each_key_once(void **state)
{
    struct world *w = *state;
    start(w, 0, 0);
    start(w, 1, 0);
    read_key(w, 1, "a");
    read_key(w, 0, "a");
    read_key(w, 0, "a");
    read_key(w, 0, "b");
    assert_int_equal(tracking_figures(w->t).keys, 2);
    assert_int_equal(tracking_figures(w->t).items, 3);
    wrote(w, "c", 1, "");
    wrote(w, "a", 1, "1:a 2:a ");
    wrote(w, "a", 1, "");
    read_key(w, 0, "a");
    wrote(w, "a", 9, "1:a ");
}

static void test_noloop(void **state)
{
    struct world *w = *state;
    start(w, 0, TRACKING_NOLOOP);
    start(w, 1, TRACKING_NOLOOP);
    read_key(w, 0, "a");
    read_key(w, 1, "a");
    wrote(w, "a", 1, "2:a ");
    wrote(w, "a", 2, ""); /* forgotten for the one that did it, too */
    read_key(w, 0, "a");
    wrote(w, "a", 0, "1:a ");
}

static void test_one_that_stopped_hears_nothing(void **state)
{
    struct world *w = *state;
    start(w, 0, 0);
    start(w, 1, 0);
    read_key(w, 0, "a");
    read_key(w, 1, "a");
    tracking_stop(w->t, &w->clients[0]);
    read_key(w, 0, "a");
    wrote(w, "a", 0, "2:a ");
}

static void test_keyspaces_are_apart(void **state)
{
    struct world *w = *state;
    start(w, 0, 0);
    start(w, 3, 0);
    start_prefix(w, 1, 0, "");
    read_key(w, 0, "a");
    read_key(w, 3, "a");
    tracking_wrote(w->t, 1, SLICE("a"), 0);
    tracking_broadcast(w->t);
    expect(w, "4:a ");
    tracking_emptied(w->t, 0);
    expect(w, "2:* 1:* ");
    assert_int_equal(tracking_figures(w->t).keys, 0);
    tracking_emptied(w->t, TRACKING_EVERY_KEYSPACE);
    expect(w, "2:* 4:* 1:* ");
}

/* A reply that is older than a write which was told before it left. */
static void test_a_write_between_mark_and_reply(void **state)
{
    struct world *w = *state;
    start(w, 0, 0);
    const uint64_t mark = tracking_mark(w->t);
    assert_false(tracking_moved(w->t, 0, SLICE("a"), mark));
    wrote(w, "a", 0, "");
    assert_true(tracking_moved(w->t, 0, SLICE("a"), mark));
    tracking_read(w->t, &w->clients[0], SLICE("a"), true);
    expect(w, "1:a ");
    assert_int_equal(tracking_figures(w->t).keys, 0);
    assert_false(tracking_moved(w->t, 0, SLICE("a"), tracking_mark(w->t)));
    tracking_emptied(w->t, 0);
    expect(w, "1:* ");
    assert_true(tracking_moved(w->t, 0, SLICE("b"), mark));
}

static void test_doubt_in_bcast_mode_is_about_its_prefixes(void **state)
{
    struct world *w = *state;
    start_prefix(w, 0, 0, "a:");
    tracking_read(w->t, &w->clients[0], SLICE("a:1"), true);
    tracking_read(w->t, &w->clients[0], SLICE("b:1"), true);
    tracking_read(w->t, &w->clients[0], SLICE("a:2"), false);
    expect(w, "1:a:1 ");
    assert_int_equal(tracking_figures(w->t).keys, 0);
}

static void test_bcast_tells_each_key_once_in_order(void **state)
{
    struct world *w = *state;
    start_prefix(w, 0, 0, "a:");
    start_prefix(w, 0, 0, "b:");
    start_prefix(w, 1, TRACKING_NOLOOP, "");
    for (const char *const *key = (const char *const[]){ "b:2", "a:1", "c", "b:1", "b:2", NULL };
         *key; key++)
        wrote(w, *key, *key[0] == 'c' ? 2 : 1, "");
    tracking_broadcast(w->t);
    expect(w, "1:b:1,b:2 2:a:1,b:1,b:2 1:a:1 ");
    tracking_broadcast(w->t);
    expect(w, "");
    wrote(w, "a:1", 2, "");
    wrote(w, "a:1", 1, ""); /* the last writer counts */
    wrote(w, "a:2", 2, "");
    tracking_broadcast(w->t);
    expect(w, "1:a:1,a:2 2:a:1 ");
}

static void test_bcast_leaves_nothing_pending(void **state)
{
    struct world *w = *state;
    start_prefix(w, 0, 0, "a");
    start_prefix(w, 1, 0, "b");
    wrote(w, "a", 0, "");
    wrote(w, "b", 0, "");
    tracking_stop(w->t, &w->clients[0]);
    tracking_broadcast(w->t);
    expect(w, "2:b ");
    start_prefix(w, 0, 0, "a");
    wrote(w, "b", 0, "");
    wrote(w, "a", 0, "");
    tracking_stop(w->t, &w->clients[0]); /* the last of those pending */
    wrote(w, "b", 0, "");
    start_prefix(w, 0, 0, "bb");
    wrote(w, "bb", 0, "");
    tracking_broadcast(w->t);
    expect(w, "2:b,bb 1:bb ");
}

static void test_switching_modes(void **state)
{
    struct world *w = *state;
    start(w, 0, 0);
    start(w, 1, 0);
    read_key(w, 0, "a");
    tracking_stop(w->t, &w->clients[0]);
    start_prefix(w, 0, 0, "");
    wrote(w, "a", 0, ""); /* what it read before counts for the other mode */
    tracking_broadcast(w->t);
    expect(w, "1:a ");
}

static void test_the_oldest_keys_go(void **state)
{
    struct world *w = *state;
    start(w, 0, 0);
    tracking_limit(w->t, 2);
    read_key(w, 0, "a");
    read_key(w, 0, "b");
    expect(w, "");
    read_key(w, 0, "c");
    expect(w, "1:a ");
    wrote(w, "a", 0, "");
    tracking_limit(w->t, 1);
    expect(w, "1:b ");
    tracking_limit(w->t, 0);
    read_key(w, 0, "d");
    read_key(w, 0, "e");
    expect(w, "");
    assert_int_equal(tracking_figures(w->t).keys, 3);
}

static void test_many_clients_of_one_key(void **state)
{
    struct world *w = *state;
    enum { MANY = 300 };
    static struct tracker many[MANY];
    size_t told = 0;
    for (size_t i = 0; i < MANY; i++) /* in no order */
        tracking_start(w->t, &many[i], 1000 + i * 7 % MANY, 0, 0, 0, NULL, 0);
    for (size_t i = 0; i < 3 * MANY; i++)
        tracking_read(w->t, &many[i % MANY], SLICE("k"), false);
    assert_int_equal(tracking_figures(w->t).items, MANY);
    tracking_wrote(w->t, 0, SLICE("k"), 0);
    for (const char *p = w->told; *p; p++)
        told += *p == ' ';
    assert_int_equal(told, MANY);
    for (size_t i = 0; i < MANY; i++)
        tracking_stop(w->t, &many[i]);
}

static void test_many_keys(void **state)
{
    struct world *w = *state;
    char key[32];
    start(w, 0, 0);
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "key:%d", i);
        read_key(w, 0, key);
    }
    assert_int_equal(tracking_figures(w->t).keys, 20000);
    wrote(w, "key:12345", 0, "1:key:12345 ");
    tracking_emptied(w->t, 0);
    assert_int_equal(tracking_figures(w->t).items, 0);
}

/* Prefixes given, those in use, and the pair that overlaps, in Redis's order; NULL: none. */
static void test_overlaps(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *in_use;
        const char *given[3];
        const char *one, *other;
        bool other_in_use;
    } rows[] = {
        { NULL, { "a", "b" }, NULL, NULL, false },
        { NULL, { "FOOBAR", "FOO" }, "FOOBAR", "FOO", false },
        { NULL, { "FOO", "FOOBAR" }, "FOO", "FOOBAR", false },
        { NULL, { "a", "a" }, "a", "a", false },
        { "FOO", { "FO" }, "FO", "FOO", true },
        { "BAR", { "x", "BARB" }, "BARB", "BAR", true },
        { "BAR", { "BAR" }, "BAR", "BAR", true },
        { "", { "x" }, "x", "", true },
        { "x", { "" }, "", "x", true },
        { "b", { "a", "c" }, NULL, NULL, false },
        { "b", { NULL }, NULL, NULL, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct slice given[3];
        struct slice one;
        struct slice other;
        size_t n = 0;
        bool in_use = false;
        for (; n < 3 && rows[i].given[n]; n++)
            given[n] = slice_of(rows[i].given[n]);
        if (rows[i].in_use)
            start_prefix(w, 0, 0, rows[i].in_use);
        assert_int_equal(tracking_overlap(&w->clients[0], given, n, &one, &other, &in_use),
                         rows[i].one != NULL);
        if (rows[i].one) {
            assert_true(slice_eq(one, slice_of(rows[i].one)));
            assert_true(slice_eq(other, slice_of(rows[i].other)));
            assert_int_equal(in_use, rows[i].other_in_use);
        }
        tracking_stop(w->t, &w->clients[0]);
    }
}

/* TRACKING ON BCAST without a prefix adds all keys to the prefixes that there are. */
static void test_all_keys_beside_prefixes(void **state)
{
    struct world *w = *state;
    struct slice one;
    struct slice other;
    bool in_use = false;
    start_prefix(w, 0, 0, "a");
    start(w, 0, TRACKING_BCAST);
    assert_int_equal(tracking_prefixes(&w->clients[0]), 2);
    assert_false(tracking_overlap(&w->clients[0], NULL, 0, &one, &other, &in_use));
    assert_true(tracking_overlap(&w->clients[0], &SLICE("x"), 1, &one, &other, &in_use));
    assert_true(slice_eq(one, SLICE("x")) && other.len == 0 && in_use);
}

static void collect(void *arg, struct slice prefix)
{
    char *text = arg;
    const size_t at = strlen(text);
    snprintf(text + at, 64 - at, "[%.*s]", (int)prefix.len, (const char *)prefix.p);
}

static void test_prefixes_in_order(void **state)
{
    struct world *w = *state;
    char text[64] = "";
    start_prefix(w, 0, 0, "b");
    start_prefix(w, 0, 0, "a");
    start_prefix(w, 0, 0, "b");
    start_prefix(w, 0, 0, "");
    assert_int_equal(tracking_prefixes(&w->clients[0]), 3);
    tracking_each_prefix(&w->clients[0], collect, text);
    assert_string_equal(text, "[][a][b]");
    assert_int_equal(tracking_figures(w->t).prefixes, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_key_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_noloop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_stopped_hears_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keyspaces_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_write_between_mark_and_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(test_doubt_in_bcast_mode_is_about_its_prefixes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_bcast_tells_each_key_once_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bcast_leaves_nothing_pending, setup, teardown),
        cmocka_unit_test_setup_teardown(test_switching_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_oldest_keys_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_clients_of_one_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overlaps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_keys_beside_prefixes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prefixes_in_order, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
