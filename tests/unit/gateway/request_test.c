/*
 * request_test: commands that come whole, in two pieces cut at every byte, paused by their sink, and
 * broken.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "request.h"

struct seen {
    char text[256]; /* "SET,a,b;PING;" */
    size_t pause_after;
    size_t count;
};

static bool sink(void *arg, const struct slice *argv, uint32_t argc, size_t bytes)
{
    struct seen *seen = arg;
    size_t at = strlen(seen->text);
    assert_true(bytes > 0);
    for (uint32_t i = 0; i < argc; i++) {
        memcpy(seen->text + at, argv[i].p, argv[i].len);
        at += argv[i].len;
        seen->text[at++] = i + 1 < argc ? ',' : ';';
    }
    seen->text[at] = '\0';
    return ++seen->count != seen->pause_after;
}

static const char two[] = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\nbc\r\nPING\r\n";

static struct slice part(const char *text, size_t from, size_t to)
{
    return (struct slice){ (const uint8_t *)text + from, to - from };
}

static void test_split_at_every_byte(void **state)
{
    (void)state;
    for (size_t cut = 0; cut <= sizeof(two) - 1; cut++) {
        struct request_parser parser;
        struct request_stream stream = { NULL };
        struct seen seen = { .count = 0 };
        request_parser_init(&parser, 1024);
        request_stream_feed(&stream, &parser, part(two, 0, cut), sink, &seen);
        assert_int_equal(
            request_stream_feed(&stream, &parser, part(two, cut, sizeof(two) - 1), sink, &seen),
            REQUEST_NEED_MORE);
        assert_string_equal(seen.text, "SET,a,bc;PING;");
        assert_null(stream.rest); /* idle: nothing is held */
        request_parser_release(&parser);
    }
}

static void test_one_byte_at_a_time_beside_another_stream(void **state)
{
    (void)state;
    struct request_parser parser;
    struct request_stream slow = { NULL }, fast = { NULL };
    struct seen of_slow = { .count = 0 };
    request_parser_init(&parser, 1024);
    for (size_t i = 0; i < sizeof(two) - 1; i++) {
        struct seen of_fast = { .count = 0 };
        request_stream_feed(&slow, &parser, part(two, i, i + 1), sink, &of_slow);
        request_stream_feed(&fast, &parser, part(two, 0, sizeof(two) - 1), sink, &of_fast);
        assert_string_equal(of_fast.text, "SET,a,bc;PING;");
    }
    assert_string_equal(of_slow.text, "SET,a,bc;PING;");
    request_parser_release(&parser);
}

static void test_pause_keeps_the_rest(void **state)
{
    (void)state;
    struct request_parser parser;
    struct request_stream stream = { NULL };
    struct seen seen = { .pause_after = 1 };
    request_parser_init(&parser, 1024);
    assert_int_equal(
        request_stream_feed(&stream, &parser, part(two, 0, sizeof(two) - 1), sink, &seen),
        REQUEST_PAUSED);
    assert_string_equal(seen.text, "SET,a,bc;");
    assert_int_equal(request_stream_feed(&stream, &parser, part(two, 0, 0), sink, &seen),
                     REQUEST_NEED_MORE);
    assert_string_equal(seen.text, "SET,a,bc;PING;");
    assert_null(stream.rest);
    request_parser_release(&parser);
}

static void test_pause_at_the_very_end(void **state)
{
    (void)state;
    struct request_parser parser;
    struct request_stream stream = { NULL };
    struct seen seen = { .pause_after = 2 };
    request_parser_init(&parser, 1024);
    assert_int_equal(
        request_stream_feed(&stream, &parser, part(two, 0, sizeof(two) - 1), sink, &seen),
        REQUEST_PAUSED);
    assert_null(stream.rest);
    assert_int_equal(request_stream_feed(&stream, &parser, part(two, 0, 0), sink, &seen),
                     REQUEST_NEED_MORE);
    request_parser_release(&parser);
}

static void test_broken_sticks_after_what_was_right(void **state)
{
    (void)state;
    static const char text[] = "PING\r\n*1\r\n$x\r\n";
    struct request_parser parser;
    struct request_stream stream = { NULL };
    struct seen seen = { .count = 0 };
    request_parser_init(&parser, 1024);
    assert_int_equal(
        request_stream_feed(&stream, &parser, part(text, 0, sizeof(text) - 1), sink, &seen),
        REQUEST_BAD);
    assert_int_equal(
        request_stream_feed(&stream, &parser, part(two, 0, sizeof(two) - 1), sink, &seen),
        REQUEST_BAD);
    assert_string_equal(seen.text, "PING;");
    assert_string_equal(request_stream_error(&stream), "Protocol error: invalid bulk length");
    request_stream_release(&stream);

    /* The shared reader is as new for others. */
    seen = (struct seen){ .count = 0 };
    request_stream_feed(&stream, &parser, part("PING\r\n", 0, 6), sink, &seen);
    assert_string_equal(seen.text, "PING;");
    request_parser_release(&parser);
}

static void test_over_max_request(void **state)
{
    (void)state;
    char text[3000];
    int n = snprintf(text, sizeof(text), "*2\r\n$4\r\nECHO\r\n$2000\r\n%02000d\r\n", 0);
    struct request_parser parser;
    struct request_stream stream = { NULL };
    struct seen seen = { .count = 0 };
    request_parser_init(&parser, 1024);
    assert_int_equal(request_stream_feed(&stream, &parser, part(text, 0, (size_t)n), sink, &seen),
                     REQUEST_BAD);
    assert_int_equal(seen.count, 0);
    request_stream_release(&stream);
    request_parser_release(&parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_at_every_byte),
        cmocka_unit_test(test_one_byte_at_a_time_beside_another_stream),
        cmocka_unit_test(test_pause_keeps_the_rest),
        cmocka_unit_test(test_pause_at_the_very_end),
        cmocka_unit_test(test_broken_sticks_after_what_was_right),
        cmocka_unit_test(test_over_max_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
