/*
 * resp_read: what redis-server accepts, what it refuses and in which words, and that neither
 * depends on how the bytes were cut. Inputs are handed over in heap blocks of exactly their size,
 * moved between calls, so that the address sanitizer sees a read too far and a pointer kept too
 * long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "wire/resp_read.h"

static const struct resp_limits limits = {
    .max_request = 4096, .max_args = 64, .max_bulk = 1024, .max_inline = 256
};

/* Requests that are read, and what comes out: arguments each followed by '|'. */
static const struct good_row {
    struct slice input;
    const char *args;
} good[] = {
    { SLICE("*1\r\n$4\r\nPING\r\n"), "PING|" },
    { SLICE("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"), "GET|key|" },
    { SLICE("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$0\r\n\r\n"), "SET|||" },
    { SLICE("*2\r\n$4\r\nECHO\r\n$6\r\n\r\n$1\r\n\r\n"), "ECHO|\r\n$1\r\n|" },
    { SLICE(
          "*8\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n$1\r\nf\r\n$1\r\ng\r\n$1\r\nh\r\n"),
      "a|b|c|d|e|f|g|h|" },
    { SLICE("*1\r\n$12\r\nabcdefghijkl\r\n"), "abcdefghijkl|" },
    { SLICE("*0\r\n"), "" },
    { SLICE("*-1\r\n"), "" },
    { SLICE("*-2147483649\r\n"), "" },
    { SLICE("\r\n"), "" },
    { SLICE("\n"), "" },
    { SLICE("   \r\n"), "" },
    { SLICE("PING\r\n"), "PING|" },
    { SLICE("PING\n"), "PING|" },
    { SLICE("  SET \t k  v  \r\n"), "SET|k|v|" },
    { SLICE("SET k \"a b\"\r\n"), "SET|k|a b|" },
    { SLICE("SET k \"\"\r\n"), "SET|k||" },
    { SLICE("SET \"\\x41\\x5a\\n\\r\\t\\b\\a\\\\\\\"\\q\\x4\" ''\r\n"),
      "SET|AZ\n\r\t\b\a\\\"qx4||" },
    { SLICE("SET 'it\\'s' 'a\\nb'\r\n"), "SET|it's|a\\nb|" },
    { SLICE("SET foo\"bar\" k\r\n"), "SET|foobar|k|" },
    { SLICE("1 2 3 4 5 6 7 8\r\n"), "1|2|3|4|5|6|7|8|" },
    { SLICE("a\rb\r\n"), "a|b|" },
    { SLICE("$5\r\n"), "$5|" },
};

/* Requests that are refused, and how. */
static const struct bad_row {
    struct slice input;
    const char *error;
} bad[] = {
    { SLICE("*blabla\r\n"), "Protocol error: invalid multibulk length" },
    { SLICE("*\r\n"), "Protocol error: invalid multibulk length" },
    { SLICE("*+1\r\n"), "Protocol error: invalid multibulk length" },
    { SLICE("*01\r\n"), "Protocol error: invalid multibulk length" },
    { SLICE("*-0\r\n"), "Protocol error: invalid multibulk length" },
    { SLICE("* 1\r\n"), "Protocol error: invalid multibulk length" },
    { SLICE("*1 \r\n"), "Protocol error: invalid multibulk length" },
    { SLICE("*1\r$"), "Protocol error: invalid multibulk length" },
    { SLICE("*1\r\r\n"), "Protocol error: invalid multibulk length" },
    { SLICE("*3000000000\r\n"), "Protocol error: invalid multibulk length" },
    { SLICE("*99999999999999999999999\r\n"), "Protocol error: invalid multibulk length" },
    { SLICE("*65\r\n"), "Protocol error: request is over the limit of 64 arguments" },
    { SLICE("*2147483647\r\n"), "Protocol error: request is over the limit of 64 arguments" },
    { SLICE("*1\r\nfoo\r\n"), "Protocol error: expected '$', got 'f'" },
    { SLICE("*1\r\n*1\r\n"), "Protocol error: expected '$', got '*'" },
    { SLICE("*1\r\n\r\n"), "Protocol error: expected '$', got ' '" },
    { SLICE("*1\r\n\0"), "Protocol error: expected '$', got '?'" },
    { SLICE("*1\r\n\xff"), "Protocol error: expected '$', got '?'" },
    { SLICE("*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n"), "Protocol error: expected '$', got 'f'" },
    { SLICE("*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$blabla\r\n"), "Protocol error: invalid bulk length" },
    { SLICE("*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$-10\r\n"), "Protocol error: invalid bulk length" },
    { SLICE("*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2000000000\r\n"),
      "Protocol error: invalid bulk length" },
    { SLICE("*1\r\n$-1\r\n"), "Protocol error: invalid bulk length" },
    { SLICE("*1\r\n$\r\n"), "Protocol error: invalid bulk length" },
    { SLICE("*1\r\n$00\r\n"), "Protocol error: invalid bulk length" },
    { SLICE("*1\r\n$1x\r\n"), "Protocol error: invalid bulk length" },
    { SLICE("*1\r\n$1\rx"), "Protocol error: invalid bulk length" },
    { SLICE("*1\r\n$1025\r\n"), "Protocol error: invalid bulk length" },
    { SLICE("*1\r\n$18446744073709551617\r\n"), "Protocol error: invalid bulk length" },
    { SLICE("*1\r\n$3\r\nfooXX"), "Protocol error: expected CRLF after a bulk of 3 bytes" },
    { SLICE("*1\r\n$3\r\nfoo\rX"), "Protocol error: expected CRLF after a bulk of 3 bytes" },
    { SLICE("*1\r\n$3\r\nfoobar\r\n"), "Protocol error: expected CRLF after a bulk of 3 bytes" },
    { SLICE("SET \"k v\r\n"), "Protocol error: unbalanced quotes in request" },
    { SLICE("SET 'k v\r\n"), "Protocol error: unbalanced quotes in request" },
    { SLICE("set \"\"\"test-key\"\"\" test-value\r\n"),
      "Protocol error: unbalanced quotes in request" },
    { SLICE("SET \"k\"v\r\n"), "Protocol error: unbalanced quotes in request" },
    { SLICE("SET \"k\\\r\n"), "Protocol error: unbalanced quotes in request" },
    { SLICE("SET \"k\\\"\r\n"), "Protocol error: unbalanced quotes in request" },
    { SLICE("1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 "
            "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 65\r\n"),
      "Protocol error: request is over the limit of 64 arguments" },
};

/* ---- reading through moved, exactly sized blocks ---- */

static enum resp_status read_copy(struct resp_reader *r, struct slice bytes, uint8_t **block,
                                  size_t *used)
{
    free(*block);
    *block = malloc(bytes.len > 0 ? bytes.len : 1);
    memcpy(*block, bytes.p, bytes.len);
    return resp_read(r, (struct slice){ *block, bytes.len }, used);
}

static struct slice first(struct slice s, size_t n)
{
    return (struct slice){ s.p, n };
}

static void check_args(const struct resp_reader *r, const char *expected)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    for (uint32_t i = 0; i < r->argc; i++) {
        buf_append_slice(&text, r->argv[i]);
        buf_append(&text, "|", 1);
    }
    buf_append(&text, "", 1);
    assert_string_equal((const char *)text.p, expected);
    buf_release(&text);
}

/* read_in_steps hands over `step` bytes more each time; the result of the last call is returned. */
static enum resp_status read_in_steps(struct resp_reader *r, struct slice input, size_t step,
                                      uint8_t **block, size_t *used)
{
    enum resp_status status = RESP_NEED_MORE;
    for (size_t n = 0; status == RESP_NEED_MORE && n < input.len;) {
        size_t wants = resp_reader_wants(r, n);
        assert_true(wants > 0);
        n = n + step < input.len ? n + step : input.len;
        status = read_copy(r, first(input, n), block, used);
        assert_true(status != RESP_READY || *used == n || step > 1);
    }
    return status;
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        for (size_t step = 1; step <= good[i].input.len; step++) {
            struct resp_reader r;
            uint8_t *block = NULL;
            size_t used = 0;
            resp_reader_init(&r, &limits);
            assert_int_equal(read_in_steps(&r, good[i].input, step, &block, &used), RESP_READY);
            assert_int_equal(used, good[i].input.len);
            check_args(&r, good[i].args);
            resp_reader_release(&r);
            free(block);
        }
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        for (size_t step = 1; step <= bad[i].input.len; step++) {
            struct resp_reader r;
            uint8_t *block = NULL;
            size_t used = 12345;
            resp_reader_init(&r, &limits);
            assert_int_equal(read_in_steps(&r, bad[i].input, step, &block, &used), RESP_ERROR);
            assert_string_equal(r.error, bad[i].error);
            assert_int_equal(used, 12345);
            assert_int_equal(resp_read(&r, SLICE("*1\r\n$4\r\nPING\r\n"), &used),
                             RESP_ERROR); /* sticks */
            resp_reader_idle(&r);
            resp_reader_release(&r);
            assert_null(r.error);
            free(block);
        }
    }
}

/* Every prefix of a request needs more, and says so without reading past it. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        for (size_t n = 0; n < good[i].input.len; n++) {
            struct resp_reader r;
            uint8_t *block = NULL;
            size_t used = 0;
            resp_reader_init(&r, &limits);
            assert_int_equal(read_copy(&r, first(good[i].input, n), &block, &used), RESP_NEED_MORE);
            resp_reader_idle(&r); /* harmless in the middle of a request */
            assert_int_equal(read_copy(&r, good[i].input, &block, &used), RESP_READY);
            check_args(&r, good[i].args);
            resp_reader_release(&r);
            free(block);
        }
    }
}

/* A pipeline cut in two at every byte: all requests come out, in order, once. */
static void test_pipeline(void **state)
{
    (void)state;
    struct buf all;
    buf_init(&all, 1 << 20);
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        buf_append_slice(&all, good[i].input);
    }
    struct slice input = buf_slice(&all);
    for (size_t cut = 0; cut <= input.len; cut++) {
        struct resp_reader r;
        uint8_t *block = NULL;
        size_t at = 0, end = cut, row = 0;
        resp_reader_init(&r, &limits);
        while (row < ARRAY_SIZE(good)) {
            size_t used = 0;
            enum resp_status status =
                read_copy(&r, (struct slice){ input.p + at, end - at }, &block, &used);
            if (status == RESP_NEED_MORE) {
                assert_int_equal(end, cut);
                end = input.len;
                continue;
            }
            assert_int_equal(status, RESP_READY);
            check_args(&r, good[row++].args);
            at += used;
        }
        assert_int_equal(at, input.len);
        resp_reader_release(&r);
        free(block);
    }
    buf_release(&all);
}

/* ---- limits ---- */

/* Line starts that go on with `fill` for ever, and the error; shorter ones just need more. */
static const struct endless_row {
    struct slice start;
    uint8_t fill;
    const char *error;
} endless[] = {
    { SLICE(""), 0, "Protocol error: too big inline request" },
    { SLICE("PING"), ' ', "Protocol error: too big inline request" },
    { SLICE("*"), 0, "Protocol error: too big mbulk count string" },
    { SLICE("*"), '1', "Protocol error: too big mbulk count string" },
    { SLICE("*1\r\n$"), 0, "Protocol error: too big bulk count string" },
    { SLICE("*1\r\n$"), '0', "Protocol error: too big bulk count string" },
};

static void test_endless_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(endless); i++) {
        for (size_t step = 1; step < 700; step = step * 3 + 1) {
            struct resp_reader r;
            uint8_t *block = NULL;
            uint8_t input[700];
            size_t used = 0;
            memset(input, endless[i].fill, sizeof(input));
            if (endless[i].start.len > 0) {
                memcpy(input, endless[i].start.p, endless[i].start.len);
            }
            memcpy(input + sizeof(input) - 2, "\r\n", 2); /* an end that comes too late */
            resp_reader_init(&r, &limits);
            struct slice all = { input, sizeof(input) };
            assert_int_equal(read_in_steps(&r, all, step, &block, &used), RESP_ERROR);
            assert_string_equal(r.error, endless[i].error);
            resp_reader_release(&r);
            free(block);
        }
    }
}

static void append_bulk(struct buf *b, size_t len)
{
    buf_printf(b, "$%zu\r\n", len);
    uint8_t *p = buf_reserve(b, len + 2);
    memset(p, 'v', len);
    memcpy(p + len, "\r\n", 2);
    buf_commit(b, len + 2);
}

static void test_max_bulk(void **state)
{
    (void)state;
    struct buf b;
    struct resp_reader r;
    size_t used = 0;
    buf_init(&b, 1 << 20);
    resp_reader_init(&r, &limits);
    buf_append_slice(&b, SLICE("*1\r\n"));
    append_bulk(&b, 1024);
    assert_int_equal(resp_read(&r, buf_slice(&b), &used), RESP_READY);
    assert_int_equal(r.argv[0].len, 1024);
    resp_reader_release(&r);
    buf_release(&b);
}

/* Refused as soon as the lengths say so, before the bytes are there. */
static void test_max_request(void **state)
{
    (void)state;
    struct buf b;
    struct resp_reader r;
    size_t used = 0;
    buf_init(&b, 1 << 20);
    resp_reader_init(&r, &limits);
    buf_append_slice(&b, SLICE("*5\r\n"));
    for (int i = 0; i < 3; i++) {
        append_bulk(&b, 1024);
    }
    assert_int_equal(resp_read(&r, buf_slice(&b), &used), RESP_NEED_MORE);
    buf_append_slice(&b, SLICE("$1020\r\n"));
    assert_int_equal(resp_read(&r, buf_slice(&b), &used), RESP_ERROR);
    assert_string_equal(r.error, "Protocol error: request is over max-request, 4096 bytes");
    resp_reader_release(&r);
    buf_release(&b);

    struct resp_limits tiny = limits;
    tiny.max_request = 6;
    resp_reader_init(&r, &tiny);
    assert_int_equal(resp_read(&r, SLICE("PING\r\n"), &used), RESP_READY);
    assert_int_equal(resp_read(&r, SLICE("PINGS\r\n"), &used), RESP_ERROR);
    assert_string_equal(r.error, "Protocol error: request is over max-request, 6 bytes");
    resp_reader_release(&r);
}

/* ---- memory ---- */

static void test_memory(void **state)
{
    (void)state;
    struct resp_reader r;
    size_t used = 0;
    resp_reader_init(&r, &limits);
    assert_int_equal(resp_read(&r, good[1].input, &used), RESP_READY);
    assert_ptr_equal(r.argv, r.few); /* a usual request allocates nothing */
    assert_int_equal(resp_read(&r, SLICE("*60\r\n"), &used), RESP_NEED_MORE);
    assert_ptr_equal(r.argv, r.few); /* nor does an announcement */
    resp_reader_release(&r);

    assert_int_equal(resp_read(&r, good[4].input, &used), RESP_READY);
    assert_ptr_not_equal(r.argv, r.few);
    resp_reader_idle(&r);
    assert_ptr_equal(r.argv, r.few);
    assert_int_equal(resp_read(&r, good[4].input, &used), RESP_READY);
    check_args(&r, good[4].args);
    resp_reader_release(&r);
}

static void test_wants(void **state)
{
    (void)state;
    struct resp_reader r;
    struct slice input = SLICE("*1\r\n$10\r\n0123456789\r\n");
    size_t used = 0;
    resp_reader_init(&r, &limits);
    assert_int_equal(resp_reader_wants(&r, 0), 1);
    assert_int_equal(resp_read(&r, first(input, 11), &used), RESP_NEED_MORE);
    assert_int_equal(resp_reader_wants(&r, 11), 10);
    assert_int_equal(resp_read(&r, first(input, 20), &used), RESP_NEED_MORE);
    assert_int_equal(resp_reader_wants(&r, 20), 1);
    assert_int_equal(resp_read(&r, input, &used), RESP_READY);
    resp_reader_release(&r);
}

/*
 * A long request in small steps is read in linear time: this takes minutes if every step starts
 * again.
 */
static void test_many_steps(void **state)
{
    (void)state;
    enum { ARGS = 100000 };
    struct resp_limits wide = {
        .max_request = 64 << 20, .max_args = 1 << 20, .max_bulk = 1 << 20, .max_inline = 65536
    };
    struct buf b;
    struct resp_reader r;
    size_t used = 0;
    buf_init(&b, SIZE_MAX);
    buf_printf(&b, "*%d\r\n", ARGS + 1);
    for (int i = 0; i < ARGS; i++) {
        append_bulk(&b, (size_t)i % 12);
    }
    append_bulk(&b, 1 << 20);
    struct slice all = buf_slice(&b);
    resp_reader_init(&r, &wide);
    for (size_t n = 0; n < all.len; n += 7) {
        assert_int_equal(resp_read(&r, first(all, n), &used), RESP_NEED_MORE);
    }
    assert_int_equal(resp_read(&r, all, &used), RESP_READY);
    assert_int_equal(r.argc, ARGS + 1);
    assert_int_equal(r.argv[ARGS - 1].len, (ARGS - 1) % 12);
    assert_int_equal(r.argv[ARGS].len, 1 << 20);
    resp_reader_release(&r);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),          cmocka_unit_test(test_bad),
        cmocka_unit_test(test_prefixes),      cmocka_unit_test(test_pipeline),
        cmocka_unit_test(test_endless_lines), cmocka_unit_test(test_max_bulk),
        cmocka_unit_test(test_max_request),   cmocka_unit_test(test_memory),
        cmocka_unit_test(test_wants),         cmocka_unit_test(test_many_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
