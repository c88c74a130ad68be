/*
 * client_hello_test: whole ClientHellos of both kinds, split at every byte and cut short inside; other bytes.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "arrivals/client_hello.h"

/* wrap puts a length of `width` bytes in front of what follows `at`. */
static void put_length(struct buf *b, size_t at, size_t width)
{
    size_t len = buf_len(b) - at - width;
    for (size_t i = 0; i < width; i++) {
        b->p[b->start + at + i] = (uint8_t)(len >> 8 * (width - 1 - i));
    }
}

/* build makes a record with a ClientHello that has these extensions. */
static void build(struct buf *b, struct slice extensions)
{
    buf_init(b, 20000);
    buf_append_slice(b, SLICE("\x16\x03\x01\0\0\x01\0\0\0\x03\x03"));
    buf_append_slice(b, SLICE("0123456789abcdef0123456789abcdef"));
    buf_append_slice(b, SLICE("\x20"
                              "0123456789abcdef0123456789abcdef"));
    buf_append_slice(b, SLICE("\0\x04\x13\x01\x13\x02"));
    buf_append_slice(b, SLICE("\x01\0"));
    size_t at = buf_len(b);
    buf_append_slice(b, SLICE("\0\0"));
    buf_append_slice(b, extensions);
    put_length(b, at, 2);
    put_length(b, 6, 3);
    put_length(b, 3, 2);
}

static const struct {
    struct slice extensions;
    enum client_hello is;
} rows[] = {
    { SLICE(""), CLIENT_HELLO_FULL },
    { SLICE("\0\0\0\x03"
            "abc"),
      CLIENT_HELLO_FULL },
    { SLICE("\0\x23\0\0"), CLIENT_HELLO_FULL }, /* it can take a ticket, it has none */
    { SLICE("\0\x23\0\x01"
            "t"),
      CLIENT_HELLO_RESUMES },
    { SLICE("\0\0\0\x03"
            "abc"
            "\0\x29\0\x02"
            "id"),
      CLIENT_HELLO_RESUMES },
    { SLICE("\0\x23\0\0"
            "\0\x29\0\0"),
      CLIENT_HELLO_RESUMES },
    { SLICE("\0\x29"), CLIENT_HELLO_FULL }, /* cut off */
    { SLICE("\0\x23\0\x02"
            "t"),
      CLIENT_HELLO_FULL },
    { SLICE("\0\0\xff\xff"
            "\0\x29\0\0"),
      CLIENT_HELLO_FULL },
    { SLICE("\0"), CLIENT_HELLO_FULL },
};

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf b;
        build(&b, rows[i].extensions);
        assert_int_equal(client_hello_peek(buf_slice(&b)), rows[i].is);
        buf_append_slice(&b, SLICE("\x17\x03\x03")); /* more may follow */
        assert_int_equal(client_hello_peek(buf_slice(&b)), rows[i].is);
        buf_release(&b);
    }
}

static void test_split_at_every_byte(void **state)
{
    (void)state;
    struct buf b;
    build(&b, SLICE("\0\0\0\x03"
                    "abc"
                    "\0\x29\0\x02"
                    "id"));
    for (size_t len = 0; len < buf_len(&b); len++) {
        uint8_t *exact = mem_alloc(len + 1);
        memcpy(exact + 1, buf_slice(&b).p, len);
        assert_int_equal(client_hello_peek((struct slice){ exact + 1, len }),
                         CLIENT_HELLO_NEED_MORE);
        free(exact);
    }
    buf_release(&b);
}

/* The record is whole, but what is in it ends early: never a ticket, never a read behind it. */
static void test_cut_short_inside(void **state)
{
    (void)state;
    struct buf b;
    build(&b, SLICE("\0\0\0\x03"
                    "abc"
                    "\0\x29\0\x02"
                    "id"));
    for (size_t len = 5; len < buf_len(&b); len++) {
        uint8_t *exact = mem_alloc(len);
        memcpy(exact, buf_slice(&b).p, len);
        exact[3] = (uint8_t)((len - 5) >> 8);
        exact[4] = (uint8_t)(len - 5);
        assert_int_equal(client_hello_peek((struct slice){ exact, len }), CLIENT_HELLO_FULL);
        free(exact);
    }
    buf_release(&b);
}

static void test_other_bytes(void **state)
{
    (void)state;
    static const struct slice others[] = {
        SLICE("GET / HTTP/1.1\r\n"),
        SLICE("*1\r\n$4\r\nPING\r\n"),
        SLICE("\x80\x2e\x01\x03"),
        SLICE("\x15\x03\x03\0\x02\x02\x28"),
        SLICE("\x16\x02"),
        SLICE("\x16\x03\x01\x40\x01"),
        SLICE("\x16\x03\x01\xff\xff"),
        SLICE("\x16\x03\x01\0\0"),
        SLICE("\x16\x03\x01\0\x01\x02"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_int_equal(client_hello_peek(others[i]), CLIENT_HELLO_FULL);
    }
    assert_int_equal(client_hello_peek(SLICE("\x16\x03\x01\x40\0")), CLIENT_HELLO_NEED_MORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_split_at_every_byte),
        cmocka_unit_test(test_cut_short_inside),
        cmocka_unit_test(test_other_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
