/*
 * commands_keys_test: what a line and its reply do not show: revisions, payloads of DUMP, times of RESTORE and DEBUG SLEEP.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "commands_fake.h"

static bool answers(struct fake *f, const char *line, const char *reply)
{
    return slice_eq(fake_line(f, line), slice_of(reply));
}

/* --- revisions ------------------------------------------------------------------------------- */

/* stored plays the store: the key has a row with this revision. */
static void stored(struct fake *f, const char *key, int64_t revision)
{
    struct entry *e = ws_entry(fake_set(f), 0, slice_of(key));
    e->dirty = false;
    e->row = true;
    e->revision = revision;
}

static void test_compare_revisions(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    fake_line(f, "SET k v");
    stored(f, "k", 42);
    assert_true(answers(f, "SET k w IFREV 41", "$-1\r\n"));
    assert_true(answers(f, "SET k w IFREV 0", "$-1\r\n"));
    assert_true(answers(f, "DELIFREV k 41", ":0\r\n"));
    assert_true(answers(f, "SET k w IFREV 42 GET", "$1\r\nv\r\n"));
    assert_true(answers(f, "SET k x IFREV 42", "$-1\r\n"));
    stored(f, "k", 43);
    assert_true(answers(f, "DELIFREV k 43", ":1\r\n"));
    assert_true(answers(f, "EXISTS k", ":0\r\n"));
    assert_true(answers(f, "DELIFREV k 0", ":0\r\n"));
    stored(f, "k", 44); /* the row that says that the key is gone */
    assert_true(answers(f, "SET k v IFREV 44", "$-1\r\n"));
    assert_true(answers(f, "SET k v IFREV 0", "+OK\r\n"));
    fake_free(f);
}

static void test_an_expired_key_has_no_revision(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    fake_line(f, "SET k v PX 10");
    stored(f, "k", 42);
    fake_set_now(f, FAKE_NOW_MS + 10);
    assert_true(answers(f, "SET k w IFREV 42", "$-1\r\n"));
    assert_true(answers(f, "DELIFREV k 42", ":0\r\n"));
    assert_true(answers(f, "SET k w IFREV 0", "+OK\r\n"));
    fake_free(f);
}

/* --- DUMP and RESTORE ------------------------------------------------------------------------- */

/* restore runs RESTORE key 0 payload, and the option, when there is one. */
static struct slice restore(struct fake *f, const char *key, struct slice payload,
                            const char *option)
{
    const struct slice argv[] = { SLICE("RESTORE"), slice_of(key), SLICE("0"), payload,
                                  slice_of(option != NULL ? option : "") };
    return fake_run(f, argv, option != NULL ? 5 : 4);
}

/* payload_of is what DUMP answers, out of its bulk reply; to be freed. */
static struct slice payload_of(struct fake *f, const char *line)
{
    struct slice reply = fake_line(f, line);
    size_t head = (size_t)((const uint8_t *)memchr(reply.p, '\n', reply.len) + 1 - reply.p);
    return slice_dup((struct slice){ reply.p + head, reply.len - head - 2 });
}

static void check_round_trip(struct fake *f, const char *set)
{
    fake_line(f, set);
    struct slice payload = payload_of(f, "DUMP k");
    struct slice before = slice_dup(fake_line(f, "GET k"));
    assert_true(slice_eq(restore(f, "k", payload, NULL),
                         SLICE("-BUSYKEY Target key name already exists.\r\n")));
    assert_true(slice_eq(restore(f, "k", payload, "REPLACE"), SLICE("+OK\r\n")));
    assert_true(slice_eq(restore(f, "copy", payload, NULL), SLICE("+OK\r\n")));
    assert_true(slice_eq(fake_line(f, "GET copy"), before));
    fake_line(f, "DEL copy");
    free((void *)payload.p);
    free((void *)before.p);
}

static void test_dump_and_restore(void **state)
{
    static const char *const lines[] = { "SET k v", "SET k \"\"", "SET k \"\\0\\r\\n\\xff\"",
                                         "SETRANGE k 100000 x" };
    (void)state;
    struct fake *f = fake_new();
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        check_round_trip(f, lines[i]);
    }
    fake_free(f);
}

/* Payloads are kept in files: what was one stays one. */
static void test_the_form_of_a_payload(void **state)
{
    static const char golden[] = "\001value\001\000\x59\x65\x28\x20\x10\xda\x80\x31";
    (void)state;
    struct fake *f = fake_new();
    fake_line(f, "SET k value");
    struct slice payload = payload_of(f, "DUMP k");
    assert_int_equal(payload.len, sizeof(golden) - 1);
    assert_memory_equal(payload.p, golden, sizeof(golden) - 1);
    free((void *)payload.p);
    fake_free(f);
}

static void test_a_broken_payload_is_refused(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct slice wrong = SLICE("-ERR DUMP payload version or checksum are wrong\r\n");
    fake_line(f, "SET k value");
    struct slice payload = payload_of(f, "DUMP k");
    for (size_t length = 0; length < payload.len; length++) {
        assert_true(slice_eq(restore(f, "n", (struct slice){ payload.p, length }, NULL), wrong));
    }
    for (size_t i = 0; i < payload.len * 8; i++) {
        ((uint8_t *)payload.p)[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_true(slice_eq(restore(f, "n", payload, NULL), wrong));
        ((uint8_t *)payload.p)[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_true(answers(f, "EXISTS n", ":0\r\n"));
    free((void *)payload.p);
    fake_free(f);
}

static void test_restore_with_a_time(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    fake_line(f, "SET k value");
    struct slice payload = payload_of(f, "DUMP k");
    /* ttl, options, and the PTTL that comes of it */
    const struct {
        const char *ttl, *option;
        const char *pttl;
    } rows[] = {
        { "0", "REPLACE", ":-1\r\n" },
        { "2569591501", "REPLACE", ":2569591501\r\n" },
        { "1700000003000", "ABSTTL", ":3000\r\n" },
        { "1699999999999", "ABSTTL", ":-2\r\n" },
        { "9223372036854775807", "REPLACE", ":9223370336854775807\r\n" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct slice argv[] = { SLICE("RESTORE"),         SLICE("n"),
                                      slice_of(rows[i].ttl),    payload,
                                      slice_of(rows[i].option), SLICE("replace") };
        assert_true(slice_eq(fake_run(f, argv, ARRAY_SIZE(argv)), SLICE("+OK\r\n")));
        assert_true(answers(f, "PTTL n", rows[i].pttl));
    }
    const struct slice idle[] = { SLICE("RESTORE"), SLICE("i"),        SLICE("0"),
                                  payload,          SLICE("IDLETIME"), SLICE("1000") };
    assert_true(slice_eq(fake_run(f, idle, ARRAY_SIZE(idle)), SLICE("+OK\r\n")));
    assert_true(answers(f, "OBJECT IDLETIME i", ":1000\r\n"));
    free((void *)payload.p);
    fake_free(f);
}

/* --- DEBUG SLEEP ------------------------------------------------------------------------------- */

static void test_debug_sleep(void **state)
{
    static const struct {
        const char *line;
        int64_t ms;
    } rows[] = { { "DEBUG SLEEP 0.25", 250 },   { "DEBUG SLEEP 0", 0 },
                 { "DEBUG SLEEP -3", 0 },       { "DEBUG SLEEP 2", 2000 },
                 { "DEBUG SLEEP x", 0 },        { "DEBUG SLEEP nan", 0 },
                 { "DEBUG SLEEP 1e2", 100000 }, { "DEBUG SLEEP inf", INT64_C(1000000000000) } };
    (void)state;
    struct fake *f = fake_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_true(answers(f, rows[i].line, "+OK\r\n"));
        assert_int_equal(fake_slept(f), rows[i].ms);
    }
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare_revisions),
        cmocka_unit_test(test_an_expired_key_has_no_revision),
        cmocka_unit_test(test_dump_and_restore),
        cmocka_unit_test(test_the_form_of_a_payload),
        cmocka_unit_test(test_a_broken_payload_is_refused),
        cmocka_unit_test(test_restore_with_a_time),
        cmocka_unit_test(test_debug_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
