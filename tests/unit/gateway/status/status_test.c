/*
 * status_test: the pure parts of the status: requests and replies whole, in pieces and malformed; lines of
 * sessions; JSON texts; figures put together.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "status/dry_run.h"
#include "status/json.h"
#include "metrics.h"
#include "status/status_reply.h"
#include "status/status_request.h"

/* Requests. */

static const char *const good_requests[] = {
    "GET /status HTTP/1.1\r\nHost: cofre\r\nUser-Agent: curl/8\r\n\r\n",
    "GET /status HTTP/1.0\n\n",
    "GET /status?x=y HTTP/1.1\r\nA: b\n\r\n",
};

static void test_requests_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good_requests); i++) {
        struct slice whole = slice_of(good_requests[i]);
        struct status_request r = { .length = 0 };
        size_t scanned = 0;
        for (size_t n = 0; n < whole.len; n++) {
            assert_int_equal(status_request_parse((struct slice){ whole.p, n }, &scanned, &r),
                             STATUS_NEED_MORE);
        }
        assert_int_equal(status_request_parse(whole, &scanned, &r), STATUS_READY);
        assert_true(slice_eq(r.path, SLICE("/status")));
        assert_int_equal(r.method, STATUS_GET);
        assert_int_equal(r.length, whole.len);
    }
}

static void test_malformed_requests(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\r\n\r\n",
        "get /status HTTP/1.1\r\n\r\n",
        "GET /status\r\n\r\n",
        "GET  /status HTTP/1.1\r\n\r\n",
        "GET /status HTTP/1.1 \r\n\r\n",
        "GET /status HTTP/0.9\r\n\r\n",
        "GET /status HTTP/1.10\r\n\r\n",
        "GET status HTTP/1.1\r\n\r\n",
        "GET /sta\ttus HTTP/1.1\r\n\r\n",
        "GET /st\x7f HTTP/1.1\r\n\r\n",
        "GET /st\xc3\xa1tus HTTP/1.1\r\n\r\n",
        "GE7 /status HTTP/1.1\r\n\r\n",
        "GET\r\n\r\n",
        "\x16\x03\x01",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct status_request r;
        size_t scanned = 0;
        assert_int_equal(status_request_parse(slice_of(bad[i]), &scanned, &r), STATUS_BAD);
    }
}

static void test_requests_are_bounded(void **state)
{
    (void)state;
    char text[STATUS_REQUEST_MAX];
    struct status_request r;
    size_t scanned = 0;
    memset(text, 'A', sizeof(text));
    struct slice s = { (const uint8_t *)text, sizeof(text) - 1 };
    assert_int_equal(status_request_parse(s, &scanned, &r), STATUS_NEED_MORE);
    s.len++;
    assert_int_equal(status_request_parse(s, &scanned, &r), STATUS_TOO_LONG);
}

/* Replies. */

static void test_replies_at_every_split(void **state)
{
    (void)state;
    static const char text[] =
        "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 17\r\nCofre-Sockets: 3\r\n\r\n";
    struct status_reply r = { .code = 0 };
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        struct slice s = { (const uint8_t *)text, n };
        assert_int_equal(status_reply_parse(s, &r), ERR_NOT_FOUND);
    }
    assert_int_equal(status_reply_parse(SLICE("HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 17\r\n"
                                              "Cofre-Sockets: 3\r\n\r\nbody"),
                                        &r),
                     ERR_OK);
    assert_int_equal(r.code, 200);
    assert_int_equal(r.length, 17);
    assert_int_equal(r.sockets, 3);
    assert_int_equal(r.head, sizeof(text) - 1);
}

static void test_malformed_replies(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 20\r\n",
        "HTTP/1.1 abc\r\n",
        "HTTP/1.1 -99 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nCofre-Sockets: 99999999999999999999\r\n\r\n",
    };
    char text[STATUS_REPLY_HEAD_MAX];
    struct status_reply r;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(status_reply_parse(slice_of(bad[i]), &r), ERR_PROTOCOL);
    }
    memset(text, 'A', sizeof(text));
    struct slice s = { (const uint8_t *)text, sizeof(text) };
    assert_int_equal(status_reply_parse(s, &r), ERR_PROTOCOL);
}

/* JSON. */

static void test_json_text(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        const char *json;
    } cases[] = {
        { SLICE(""), "\"\"" },
        { SLICE("cn:alice"), "\"cn:alice\"" },
        { SLICE("ol\xc3\xa1"), "\"ol\xc3\xa1\"" },
        { SLICE("a\"b\\c"), "\"a\\\"b\\\\c\"" },
        { SLICE("\0\n\x7f"), "\"\\u0000\\u000a\\u007f\"" },
        { SLICE("\xff\xc3("), "\"\\ufffd\\ufffd(\"" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct buf out;
        buf_init(&out, 1000);
        json_text(&out, cases[i].text);
        assert_true(slice_eq(buf_slice(&out), slice_of(cases[i].json)));
        buf_release(&out);
    }
}

/* members reads a whole object, and returns how many there are or -1. */
static int members(struct slice line, char *last, size_t cap)
{
    struct json_member m;
    struct buf scratch;
    bool first = true;
    enum err err;
    int count = 0;
    buf_init(&scratch, 64);
    while ((err = json_next(&line, &first, &scratch, &m)) == ERR_OK) {
        count++;
        snprintf(last, cap, "%.*s", (int)m.text.len, (const char *)m.text.p);
    }
    buf_release(&scratch);
    return err == ERR_NOT_FOUND ? count : -1;
}

static void test_json_objects(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int count;
        const char *last;
    } cases[] = {
        { "{}", 0, "" },
        { " { } ", 0, "" },
        { "{\"a\":1}", 1, "1" },
        { "{\"a\":\"x\\\"\\\\\\n\\u00e1\\u20ac\"}", 1, "x\"\\\n\xc3\xa1\xe2\x82\xac" },
        { "{ \"a\" : true , \"b\" : -1.5e9 }", 2, "-1.5e9" },
        { "", -1, "" },
        { "{", -1, "" },
        { "{\"a\"}", -1, "" },
        { "{\"a\":}", -1, "" },
        { "{\"a\":1", -1, "1" },
        { "{\"a\":1}x", -1, "1" },
        { "{\"a\":1,}", -1, "1" },
        { "{,\"a\":1}", -1, "" },
        { "{\"a\":1 \"b\":2}", -1, "1" },
        { "{\"a\":{}}", -1, "" },
        { "{\"a\":[1]}", -1, "" },
        { "{\"a\":\"x}", -1, "" },
        { "{\"a\":\"x\n\"}", -1, "" },
        { "{\"a\":\"\\x\"}", -1, "" },
        { "{\"a\":\"\\ud800\"}", -1, "" },
        { "{\"a\":\"\\u12\"}", -1, "" },
        { "{\"a\\u0062\":1}", -1, "" },
        { "[]", -1, "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char last[64] = "";
        assert_int_equal(members(slice_of(cases[i].line), last, sizeof(last)), cases[i].count);
        assert_string_equal(last, cases[i].last);
    }
}

#define PATH "ca:" ID "." ID
#define ID   "000102030405060708090a0b0c0d0e0f"

static void test_lines_of_sessions(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "{\"identity\":\"cn:a\"}",
        "{\"identity\":\"cn:a\",\"path\":\"ca:\"}",
        "{\"identity\":\"\",\"path\":\"" PATH "\"}",
        "{\"identity\":7,\"path\":\"" PATH "\"}",
        "{\"identity\":\"cn:a\",\"identity\":\"cn:b\",\"path\":\"" PATH "\"}",
        "{\"identity\":\"cn:a\",\"path\":\"" PATH "\"",
        "{\"identity\":\"cn:a\",\"path\":\"" PATH ","
        "\"}",
    };
    struct dry_run_session *s = calloc(1, sizeof(*s));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(dry_run_parse(slice_of(bad[i]), s), ERR_PROTOCOL);
    }
    assert_int_equal(
        dry_run_parse(SLICE("{\"identity\":\"cn:a\\u001b[31m\",\"issuer\":\"CN=x\",\"since\":1,"
                            "\"serial\":\"0f\",\"path\":\"" PATH "\"}"),
                      s),
        ERR_OK);
    assert_string_equal(s->identity, "cn:a?[31m");
    assert_string_equal(s->issuer, "CN=x");
    assert_string_equal(s->serial, "0f");
    assert_int_equal(s->path.count, 1);
    assert_false(s->path.pinned);
    free(s);
}

static void test_long_texts_are_refused(void **state)
{
    (void)state;
    struct dry_run_session *s = calloc(1, sizeof(*s));
    struct buf line;
    buf_init(&line, 100000);
    buf_printf(&line, "{\"path\":\"%s\",\"identity\":\"", PATH);
    for (int i = 0; i < DRY_RUN_TEXT_MAX; i++) {
        buf_append(&line, "a", 1);
    }
    buf_printf(&line, "\"}");
    assert_int_equal(dry_run_parse(buf_slice(&line), s), ERR_PROTOCOL);
    buf_release(&line);
    free(s);
}

/* Figures. */

static uint64_t figure(const struct metrics *m, const char *line)
{
    struct buf out;
    buf_init(&out, 100000);
    metrics_write(m, &out);
    buf_append(&out, "", 1);
    const char *at = strstr((const char *)buf_slice(&out).p, line);
    uint64_t value = at == NULL ? METRIC_NONE : strtoull(at + strlen(line), NULL, 10);
    buf_release(&out);
    return value;
}

static void test_figures_of_workers(void **state)
{
    (void)state;
    struct metrics a, b, total;
    metrics_init(&a);
    metrics_init(&b);
    metrics_init(&total);
    a.requests = 2;
    b.requests = 40;
    a.client_ends = 500;
    b.client_ends = 7;
    b.generation = 3;
    a.generation = 2;
    metrics_add(&total, &a);
    metrics_add(&total, &b);
    assert_int_equal(figure(&total, "gateway_requests="), 42);
    assert_int_equal(figure(&total, "gateway_client_ends_seconds<"), 7);
    assert_int_equal(figure(&total, "gateway_trust_generation>"), 3);
    assert_int_not_equal(figure(&total, "gateway_ca_ends_seconds<\n"), METRIC_NONE); /* none said */
    b.client_ends = METRIC_NONE;
    metrics_init(&total);
    metrics_add(&total, &a);
    metrics_add(&total, &b);
    assert_int_equal(figure(&total, "gateway_client_ends_seconds<"), 500);
}

static void test_the_histogram(void **state)
{
    (void)state;
    struct metrics m, total;
    metrics_init(&m);
    metrics_init(&total);
    metrics_handshake(&m, 0);
    metrics_handshake(&m, 250);
    metrics_handshake(&m, 251);
    metrics_handshake(&m, 10000000);
    metrics_handshake(&m, 10000001);
    metrics_add(&total, &m);
    metrics_add(&total, &m);
    assert_int_equal(figure(&total, "gateway_handshake_usec_le_250="), 4);
    assert_int_equal(figure(&total, "gateway_handshake_usec_le_500="), 6);
    assert_int_equal(figure(&total, "gateway_handshake_usec_le_5000000="), 6);
    assert_int_equal(figure(&total, "gateway_handshake_usec_le_10000000="), 8);
    assert_int_equal(figure(&total, "gateway_handshake_usec_count="), 10);
    assert_int_equal(figure(&total, "gateway_handshake_usec_sum="), 2 * 20000502);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_at_every_split),
        cmocka_unit_test(test_malformed_requests),
        cmocka_unit_test(test_requests_are_bounded),
        cmocka_unit_test(test_replies_at_every_split),
        cmocka_unit_test(test_malformed_replies),
        cmocka_unit_test(test_json_text),
        cmocka_unit_test(test_json_objects),
        cmocka_unit_test(test_lines_of_sessions),
        cmocka_unit_test(test_long_texts_are_refused),
        cmocka_unit_test(test_figures_of_workers),
        cmocka_unit_test(test_the_histogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
