/* reply: every kind of RESP2 and RESP3 reply, split at every byte, and bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "output.h"
#include "reply.h"

#define S(literal)                                      \
    {                                                   \
        (const uint8_t *)(literal), sizeof(literal) - 1 \
    }

/* One row per reply: its bytes, and the tree as JSON, which shows types and nesting. */
static const struct good {
    struct slice bytes;
    const char *json;
} good[] = {
    { S("+OK\r\n"), "\"OK\"" },
    { S("+\r\n"), "\"\"" },
    { S("-ERR no\r\n"), "{\"error\":\"ERR no\"}" },
    { S(":-42\r\n"), "-42" },
    { S("$5\r\nhello\r\n"), "\"hello\"" },
    { S("$0\r\n\r\n"), "\"\"" },
    { S("$-1\r\n"), "null" },
    { S("*-1\r\n"), "null" },
    { S("*0\r\n"), "[]" },
    { S("$2\r\n\r\n\r\n"), "\"\\r\\n\"" },
    { S("*2\r\n*1\r\n:1\r\n*0\r\n"), "[[1],[]]" },
    { S("*3\r\n$1\r\na\r\n$-1\r\n+x\r\n"), "[\"a\",null,\"x\"]" },
    { S("_\r\n"), "null" },
    { S("#t\r\n"), "true" },
    { S("#f\r\n"), "false" },
    { S(",3.25\r\n"), "3.25" },
    { S(",-1e+30\r\n"), "-1e+30" },
    { S(",inf\r\n"), "\"inf\"" },
    { S(",nan\r\n"), "\"nan\"" },
    { S("(3492890328409238509324850943850943825024385\r\n"),
      "3492890328409238509324850943850943825024385" },
    { S("=8\r\ntxt:text\r\n"), "\"text\"" },
    { S("!8\r\nERR a\r\nb\r\n"), "{\"error\":\"ERR a\\r\\nb\"}" },
    { S("%2\r\n+a\r\n:1\r\n:2\r\n*0\r\n"), "{\"a\":1,\"2\":[]}" },
    { S("~2\r\n+a\r\n+b\r\n"), "[\"a\",\"b\"]" },
    { S("%0\r\n"), "{}" },
    { S("|1\r\n+ttl\r\n:3\r\n+OK\r\n"), "\"OK\"" },
    { S(">2\r\n+message\r\n+x\r\n"), "[\"message\",\"x\"]" },
};

static void check(struct reply *reply, const char *json)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    output_reply(&text, reply, OUTPUT_JSON);
    buf_truncate(&text, buf_len(&text) - 1);
    assert_true(slice_eq(buf_slice(&text), slice_of(json)));
    buf_release(&text);
    reply_free(reply);
}

/* feed gives the reader everything up to `end` that it has not taken yet. */
static enum reply_status feed(struct reply_reader *r, struct slice all, size_t *pos, size_t end,
                              struct reply **out)
{
    size_t used = 0;
    enum reply_status status =
        reply_read(r, (struct slice){ all.p + *pos, end - *pos }, &used, out);
    *pos += used;
    assert_true(*pos <= end);
    return status;
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct reply_reader *r = reply_reader_new();
        struct reply *reply = NULL;
        size_t pos = 0;
        assert_int_equal(feed(r, good[i].bytes, &pos, good[i].bytes.len, &reply), REPLY_READY);
        assert_int_equal(pos, good[i].bytes.len);
        check(reply, good[i].json);
        reply_reader_free(r);
    }
}

static void test_split_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        for (size_t cut = 0; cut < good[i].bytes.len; cut++) {
            struct reply_reader *r = reply_reader_new();
            struct reply *reply = NULL;
            size_t pos = 0;
            assert_int_equal(feed(r, good[i].bytes, &pos, cut, &reply), REPLY_NEED_MORE);
            assert_int_equal(feed(r, good[i].bytes, &pos, good[i].bytes.len, &reply), REPLY_READY);
            check(reply, good[i].json);
            reply_reader_free(r);
        }
    }
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct reply_reader *r = reply_reader_new();
        struct reply *reply = NULL;
        size_t pos = 0;
        for (size_t end = 0; end < good[i].bytes.len; end++) {
            assert_int_equal(feed(r, good[i].bytes, &pos, end, &reply), REPLY_NEED_MORE);
        }
        assert_int_equal(feed(r, good[i].bytes, &pos, good[i].bytes.len, &reply), REPLY_READY);
        check(reply, good[i].json);
        reply_reader_free(r);
    }
}

static void test_several_in_one_read(void **state)
{
    (void)state;
    struct slice all = S("+a\r\n:1\r\n$1\r\nx\r\n*1");
    struct reply_reader *r = reply_reader_new();
    struct reply *reply = NULL;
    size_t pos = 0;
    assert_int_equal(feed(r, all, &pos, all.len, &reply), REPLY_READY);
    check(reply, "\"a\"");
    assert_int_equal(feed(r, all, &pos, all.len, &reply), REPLY_READY);
    check(reply, "1");
    assert_int_equal(feed(r, all, &pos, all.len, &reply), REPLY_READY);
    check(reply, "\"x\"");
    assert_int_equal(feed(r, all, &pos, all.len, &reply), REPLY_NEED_MORE);
    reply_reader_free(r);
}

static const struct slice bad[] = {
    S("HTTP/1.1 400 Bad Request\r\n"),
    S("\r\n"),
    S("\n"),
    S("+OK\n"),
    S(":\r\n"),
    S(":x\r\n"),
    S(":9223372036854775808\r\n"),
    S("$x\r\n"),
    S("$-2\r\n"),
    S("$536870913\r\n"),
    S("$1\r\nab\r\n"),
    S("*-2\r\n"),
    S("*2147483648\r\n"),
    S("%-1\r\n"),
    S("#x\r\n"),
    S("#\r\n"),
    S("_x\r\n"),
    S("=2\r\nab\r\n"),
    S("=4\r\nabcd\r\n"),
    S("*1\r\n|1\r\n"),
    S("*1\r\n?\r\n"),
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct reply_reader *r = reply_reader_new();
        struct reply *reply = NULL;
        size_t pos = 0;
        assert_int_equal(feed(r, bad[i], &pos, bad[i].len, &reply), REPLY_BROKEN);
        assert_int_equal(feed(r, bad[i], &pos, bad[i].len, &reply), REPLY_BROKEN);
        assert_null(reply);
        reply_reader_free(r);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct reply_reader *r = reply_reader_new();
    struct reply *reply = NULL;
    enum reply_status status = REPLY_NEED_MORE;
    size_t used = 0;
    for (int depth = 0; status == REPLY_NEED_MORE && depth < 1000; depth++) {
        status = reply_read(r, SLICE("*1\r\n"), &used, &reply);
    }
    assert_int_equal(status, REPLY_BROKEN);
    reply_reader_free(r);

    /* a line without end */
    r = reply_reader_new();
    uint8_t *line = mem_alloc(100000);
    memset(line, '+', 100000);
    assert_int_equal(reply_read(r, (struct slice){ line, 60000 }, &used, &reply), REPLY_NEED_MORE);
    assert_int_equal(used, 0);
    assert_int_equal(reply_read(r, (struct slice){ line, 100000 }, &used, &reply), REPLY_BROKEN);
    free(line);
    reply_reader_free(r);
}

static void test_lookup(void **state)
{
    (void)state;
    struct slice bytes = S("*4\r\n+a\r\n:1\r\n+b\r\n:2\r\n");
    struct reply_reader *r = reply_reader_new();
    struct reply *reply = NULL;
    size_t pos = 0;
    assert_int_equal(feed(r, bytes, &pos, bytes.len, &reply), REPLY_READY);
    assert_int_equal(reply_lookup(reply, "b")->integer, 2);
    assert_null(reply_lookup(reply, "c"));
    assert_null(reply_lookup(NULL, "c"));
    assert_null(reply_lookup(&reply->items[1], "c"));
    reply_free(reply);
    reply_reader_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),         cmocka_unit_test(test_split_at_every_byte),
        cmocka_unit_test(test_byte_by_byte), cmocka_unit_test(test_several_in_one_read),
        cmocka_unit_test(test_bad),          cmocka_unit_test(test_limits),
        cmocka_unit_test(test_lookup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
