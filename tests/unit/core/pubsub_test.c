/* pubsub_test: who hears what, in which order, and that nothing is left behind; then at random against a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "pubsub.h"

enum { CLIENTS = 6, HEARD_MAX = 64 };

struct world {
    struct pubsub *p;
    struct subscriber clients[CLIENTS];
};

/* What a message reached: client number, and the pattern's first byte where there is one. */
struct heard {
    struct world *w;
    size_t count;
    struct {
        size_t client;
        char pattern;
    } who[HEARD_MAX];
};

static int setup(void **state)
{
    struct world *w = mem_zalloc(sizeof(*w));
    w->p = pubsub_new();
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < CLIENTS; i++)
        pubsub_leave(w->p, &w->clients[i]);
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        assert_int_equal(pubsub_topics(w->p, (enum pubsub_kind)kind, 0), 0);
    assert_false(pubsub_hears_events(w->p));
    pubsub_free(w->p);
    free(w);
    return 0;
}

static void hear(void *arg, struct subscriber *s, struct slice pattern)
{
    struct heard *h = arg;
    assert_true(h->count < HEARD_MAX);
    h->who[h->count].client = (size_t)(s - h->w->clients);
    h->who[h->count].pattern = pattern.p ? (char)pattern.p[0] : '-';
    h->count++;
}

/* publish returns who heard it, as text: "0- 1- 0n". */
static const char *publish(struct world *w, enum pubsub_kind kind, uint32_t keyspace,
                           const char *channel)
{
    static char text[256];
    struct heard h = { .w = w };
    const size_t n = pubsub_each(w->p, kind, keyspace, slice_of(channel), hear, &h);
    assert_int_equal(n, h.count);
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < h.count; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%zu%c", i ? " " : "",
                               h.who[i].client, h.who[i].pattern);
    return text;
}

static bool join(struct world *w, size_t client, enum pubsub_kind kind, const char *name)
{
    return pubsub_subscribe(w->p, &w->clients[client], kind, 0, slice_of(name));
}

static bool part(struct world *w, size_t client, enum pubsub_kind kind, const char *name)
{
    return pubsub_unsubscribe(w->p, &w->clients[client], kind, 0, slice_of(name));
}

static void test_first_come_first(void **state)
{
    struct world *w = *state;
    assert_true(join(w, 2, PUBSUB_CHANNEL, "news"));
    assert_true(join(w, 0, PUBSUB_CHANNEL, "news"));
    assert_true(join(w, 1, PUBSUB_PATTERN, "*s"));
    assert_true(join(w, 0, PUBSUB_PATTERN, "n*"));
    assert_true(join(w, 2, PUBSUB_PATTERN, "n*"));
    assert_string_equal(publish(w, PUBSUB_CHANNEL, 0, "news"), "2- 0- 1* 0n 2n");
    assert_string_equal(publish(w, PUBSUB_CHANNEL, 0, "new"), "0n 2n");
    assert_string_equal(publish(w, PUBSUB_CHANNEL, 0, "old"), "");
    assert_true(part(w, 2, PUBSUB_CHANNEL, "news"));
    assert_true(part(w, 0, PUBSUB_PATTERN, "n*"));
    assert_string_equal(publish(w, PUBSUB_CHANNEL, 0, "news"), "0- 1* 2n");
}

static void test_twice_is_once(void **state)
{
    struct world *w = *state;
    assert_true(join(w, 0, PUBSUB_CHANNEL, "a"));
    assert_false(join(w, 0, PUBSUB_CHANNEL, "a"));
    assert_int_equal(w->clients[0].count[PUBSUB_CHANNEL], 1);
    assert_true(part(w, 0, PUBSUB_CHANNEL, "a"));
    assert_false(part(w, 0, PUBSUB_CHANNEL, "a"));
    assert_false(part(w, 0, PUBSUB_CHANNEL, "never"));
    assert_int_equal(pubsub_count(&w->clients[0]), 0);
}

static void test_kinds_are_apart(void **state)
{
    struct world *w = *state;
    join(w, 0, PUBSUB_CHANNEL, "*");
    join(w, 1, PUBSUB_PATTERN, "*");
    join(w, 2, PUBSUB_SHARD, "*");
    assert_string_equal(publish(w, PUBSUB_CHANNEL, 0, "*"), "0- 1*");
    assert_string_equal(publish(w, PUBSUB_CHANNEL, 0, "x"), "1*");
    assert_string_equal(publish(w, PUBSUB_SHARD, 0, "*"), "2-");
    assert_string_equal(publish(w, PUBSUB_SHARD, 0, "x"), "");
    assert_false(part(w, 0, PUBSUB_PATTERN, "*"));
}

static void test_keyspaces_never_hear_each_other(void **state)
{
    struct world *w = *state;
    pubsub_subscribe(w->p, &w->clients[0], PUBSUB_CHANNEL, 0, SLICE("a"));
    pubsub_subscribe(w->p, &w->clients[1], PUBSUB_CHANNEL, 7, SLICE("a"));
    pubsub_subscribe(w->p, &w->clients[2], PUBSUB_PATTERN, 7, SLICE("*"));
    assert_string_equal(publish(w, PUBSUB_CHANNEL, 0, "a"), "0-");
    assert_string_equal(publish(w, PUBSUB_CHANNEL, 7, "a"), "1- 2*");
    assert_string_equal(publish(w, PUBSUB_CHANNEL, 3, "a"), "");
    assert_int_equal(pubsub_topics(w->p, PUBSUB_CHANNEL, 7), 1);
    assert_int_equal(pubsub_subscribers(w->p, PUBSUB_CHANNEL, 7, SLICE("a")), 1);
    assert_int_equal(pubsub_subscribers(w->p, PUBSUB_CHANNEL, 3, SLICE("a")), 0);
}

static void test_names_are_bytes(void **state)
{
    struct world *w = *state;
    const struct slice name = SLICE("a\0b");
    assert_true(pubsub_subscribe(w->p, &w->clients[0], PUBSUB_CHANNEL, 0, name));
    assert_true(pubsub_subscribe(w->p, &w->clients[0], PUBSUB_CHANNEL, 0, SLICE("")));
    assert_int_equal(pubsub_subscribers(w->p, PUBSUB_CHANNEL, 0, name), 1);
    assert_int_equal(pubsub_subscribers(w->p, PUBSUB_CHANNEL, 0, SLICE("a")), 0);
    assert_int_equal(pubsub_subscribers(w->p, PUBSUB_CHANNEL, 0, SLICE("")), 1);
}

static void test_oldest_first(void **state)
{
    struct world *w = *state;
    struct slice name;
    assert_false(pubsub_oldest(&w->clients[0], PUBSUB_CHANNEL, &name));
    join(w, 0, PUBSUB_CHANNEL, "one");
    join(w, 0, PUBSUB_CHANNEL, "two");
    join(w, 0, PUBSUB_CHANNEL, "three");
    part(w, 0, PUBSUB_CHANNEL, "one");
    assert_true(pubsub_oldest(&w->clients[0], PUBSUB_CHANNEL, &name));
    assert_true(slice_eq(name, SLICE("two")));
}

static void count_name(void *arg, struct slice name)
{
    (void)name;
    (*(size_t *)arg)++;
}

static void test_topics(void **state)
{
    struct world *w = *state;
    size_t n = 0;
    join(w, 0, PUBSUB_CHANNEL, "a");
    join(w, 1, PUBSUB_CHANNEL, "a");
    join(w, 1, PUBSUB_CHANNEL, "b");
    pubsub_each_topic(w->p, PUBSUB_CHANNEL, 0, count_name, &n);
    assert_int_equal(n, 2);
    pubsub_each_topic(w->p, PUBSUB_CHANNEL, 9, count_name, &n);
    assert_int_equal(n, 2);
    pubsub_leave(w->p, &w->clients[1]);
    assert_int_equal(pubsub_topics(w->p, PUBSUB_CHANNEL, 0), 1);
    assert_int_equal(pubsub_subscribers(w->p, PUBSUB_CHANNEL, 0, SLICE("a")), 1);
}

/* Whether anybody can hear a keyspace event: kind, name, and the answer. */
static void test_who_can_hear_events(void **state)
{
    struct world *w = *state;
    static const struct {
        enum pubsub_kind kind;
        const char *name;
        bool hears;
    } rows[] = {
        { PUBSUB_CHANNEL, "news", false },
        { PUBSUB_CHANNEL, "__keyspace@0__:k", true },
        { PUBSUB_CHANNEL, "__keyevent@0__:set", true },
        { PUBSUB_CHANNEL, "__ke", false },
        { PUBSUB_SHARD, "__keyspace@0__:k", false },
        { PUBSUB_PATTERN, "*", true },
        { PUBSUB_PATTERN, "_*", true },
        { PUBSUB_PATTERN, "__key*__:*", true },
        { PUBSUB_PATTERN, "__keyevent@*", true },
        { PUBSUB_PATTERN, "news*", false },
        { PUBSUB_PATTERN, "__redis__:*", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        join(w, 0, rows[i].kind, rows[i].name);
        assert_int_equal(pubsub_hears_events(w->p), rows[i].hears);
        part(w, 0, rows[i].kind, rows[i].name);
        assert_false(pubsub_hears_events(w->p));
    }
}

static void test_many(void **state)
{
    struct world *w = *state;
    char name[32];
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "channel:%d", i);
        assert_true(join(w, (size_t)i % CLIENTS, PUBSUB_CHANNEL, name));
        assert_true(join(w, (size_t)(i + 1) % CLIENTS, PUBSUB_CHANNEL, name));
    }
    for (int i = 0; i < 5000; i += 7) {
        snprintf(name, sizeof(name), "channel:%d", i);
        assert_true(part(w, (size_t)i % CLIENTS, PUBSUB_CHANNEL, name));
        assert_int_equal(pubsub_subscribers(w->p, PUBSUB_CHANNEL, 0, slice_of(name)), 1);
    }
    assert_int_equal(pubsub_topics(w->p, PUBSUB_CHANNEL, 0), 5000);
}

/* A few names and clients, so that everything happens often; the model is a table of yes and no. */
static void test_as_a_plain_table(void **state)
{
    struct world *w = *state;
    static bool model[CLIENTS][8];
    static const char *const names[8] = { "a", "b", "c", "d", "aa", "ab", "__keyx", "" };
    srandom(7);
    for (int step = 0; step < 20000; step++) {
        const size_t c = (size_t)random() % CLIENTS;
        const size_t n = (size_t)random() % 8;
        if (random() % 50 == 0) {
            pubsub_leave(w->p, &w->clients[c]);
            memset(model[c], 0, sizeof(model[c]));
        } else if (random() % 2) {
            assert_int_equal(join(w, c, PUBSUB_CHANNEL, names[n]), !model[c][n]);
            model[c][n] = true;
        } else {
            assert_int_equal(part(w, c, PUBSUB_CHANNEL, names[n]), model[c][n]);
            model[c][n] = false;
        }
        size_t count = 0;
        for (size_t i = 0; i < CLIENTS; i++)
            count += model[i][n];
        assert_int_equal(pubsub_subscribers(w->p, PUBSUB_CHANNEL, 0, slice_of(names[n])), count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_come_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_twice_is_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kinds_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keyspaces_never_hear_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_are_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oldest_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_topics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_can_hear_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_as_a_plain_table, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
