/*
 * proxy_header_test: headers as balancers make them, each split at every byte; what is malformed, and why.
 */
#include "test.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "arrivals/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TCP4      "\xc0\x00\x02\x01\x0a\x00\x00\x01\x12\x34\x18\xec" /* 192.0.2.1:4660 → 10.0.0.1:6380 */
#define TCP6                                     \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05" \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x06" \
    "\x12\x34\x18\xec"
#define ZEROS_108                                                              \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

/*
 * from  the address it says; "" when the connection's own counts
 */
static const struct {
    struct slice bytes;
    const char *from;
} good[] = {
    { SLICE(SIGNATURE "\x21\x11\0\x0c" TCP4), "192.0.2.1:4660" },
    { SLICE(SIGNATURE "\x21\x21\0\x24" TCP6), "[2001:db8::5]:4660" },
    { SLICE(SIGNATURE "\x21\x11\0\x14" TCP4 "\x04\0\x05"
                      "noop!"),
      "192.0.2.1:4660" },
    { SLICE(SIGNATURE "\x21\x11\0\x12" TCP4 "\x04\0\0"
                      "\xee\0\0"),
      "192.0.2.1:4660" },
    { SLICE(SIGNATURE "\x21\x11\0\x13" TCP4 "\x03\0\x04"
                      "\x2f\xd2\x31\xa7"),
      "192.0.2.1:4660" },
    { SLICE(SIGNATURE "\x20\0\0\0"), "" },          /* LOCAL */
    { SLICE(SIGNATURE "\x20\x11\0\x0c" TCP4), "" }, /* LOCAL: the block is ignored … */
    { SLICE(SIGNATURE "\x20\xff\0\x03"
                      "abc"),
      "" },                                /* … whatever it is */
    { SLICE(SIGNATURE "\x21\0\0\0"), "" }, /* UNSPEC */
    { SLICE(SIGNATURE "\x21\0\0\x05"
                      "abcde"),
      "" },
    { SLICE(SIGNATURE "\x21\x12\0\x0c" TCP4), "" }, /* UDP */
    { SLICE(SIGNATURE "\x21\x22\0\x24" TCP6), "" },
    { SLICE(SIGNATURE "\x21\x31\0\xd8" ZEROS_108 ZEROS_108), "" },
};

static const struct {
    struct slice bytes;
    const char *why; /* a part of the reason */
} bad[] = {
    { SLICE("\x16\x03\x01\x02\x00\x01"), "no PROXY header" },
    { SLICE("GET / HTTP/1.1\r\n"), "no PROXY header" },
    { SLICE("P"), "version 1" },
    { SLICE("PROXY TCP4 192.0.2.1 10.0.0.1 4660 6380\r\n"), "version 1" },
    { SLICE("PROXX"), "no PROXY header" },
    { SLICE("\r\n\r\n\0\r\nQUIT\r"), "no PROXY header" },
    { SLICE("\r\n\r\n\0\r\nQUIX"), "no PROXY header" },
    { SLICE("\r\r"), "no PROXY header" },
    { SLICE(SIGNATURE "\x11"), "version or command" },
    { SLICE(SIGNATURE "\x31"), "version or command" },
    { SLICE(SIGNATURE "\x22"), "version or command" },
    { SLICE(SIGNATURE "\x21\x10"),
      "address family" }, /* IPv4, unknown protocol: not in the format */
    { SLICE(SIGNATURE "\x21\x01"), "address family" },
    { SLICE(SIGNATURE "\x21\x13"), "address family" },
    { SLICE(SIGNATURE "\x21\x41"), "address family" },
    { SLICE(SIGNATURE "\x21\x11\x0f\xf1"), "over the limit" },
    { SLICE(SIGNATURE "\x20\x00\xff\xff"), "over the limit" },
    { SLICE(SIGNATURE "\x21\x11\0\x0b" TCP4), "too short" },
    { SLICE(SIGNATURE "\x21\x11\0\0"), "too short" },
    { SLICE(SIGNATURE "\x21\x21\0\x0c" TCP4), "too short" },
    { SLICE(SIGNATURE "\x21\x31\0\x0c" TCP4), "too short" },
    { SLICE(SIGNATURE "\x21\x11\0\x0d" TCP4 "\x04"), "extensions" },
    { SLICE(SIGNATURE "\x21\x11\0\x0e" TCP4 "\x04\0"), "extensions" },
    { SLICE(SIGNATURE "\x21\x11\0\x0f" TCP4 "\x04\0\x01"
                      "x"),
      "extensions" },
    { SLICE(SIGNATURE "\x21\x11\0\x10" TCP4 "\x04\xff\xff"
                      "x"),
      "extensions" },
    { SLICE(SIGNATURE "\x21\x11\0\x13" TCP4 "\x03\0\x04"
                      "\x2f\xd2\x31\xa6"),
      "checksum" },
    { SLICE(SIGNATURE "\x21\x11\0\x12" TCP4 "\x03\0\x03"
                      "\x2f\xd2\x31"),
      "checksum" },
};

static void check_good(size_t i, struct slice bytes)
{
    struct proxy_header h;
    size_t used = 0;
    const char *why;
    char text[ADDRESS_TEXT];
    assert_int_equal(proxy_header_parse(bytes, &h, &used, &why), PROXY_READY);
    assert_int_equal(used, good[i].bytes.len);
    assert_int_equal(h.proxied, good[i].from[0] != '\0');
    if (h.proxied) {
        address_text(&h.from, text);
        assert_string_equal(text, good[i].from);
    }
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        uint8_t longer[512] = { 0 };
        memcpy(longer, good[i].bytes.p, good[i].bytes.len);
        check_good(i, good[i].bytes);
        check_good(i, (struct slice){ longer, good[i].bytes.len + 17 }); /* TLS behind it */
    }
}

static void test_split_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        for (size_t len = 0; len < good[i].bytes.len; len++) {
            struct proxy_header h;
            size_t used;
            const char *why;
            uint8_t *exact = mem_alloc(len + 1); /* the sanitizer sees a read behind it */
            uint8_t *at = exact + 1;
            memcpy(at, good[i].bytes.p, len);
            assert_int_equal(proxy_header_parse((struct slice){ at, len }, &h, &used, &why),
                             PROXY_NEED_MORE);
            free(exact);
        }
    }
}

static void test_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct proxy_header h = { .proxied = true };
        size_t used = 77;
        const char *why = NULL;
        assert_int_equal(proxy_header_parse(bad[i].bytes, &h, &used, &why), PROXY_BAD);
        assert_non_null(strstr(why, bad[i].why));
        assert_true(h.proxied && used == 77);
    }
}

static void test_recognised(void **state)
{
    (void)state;
    assert_true(proxy_header_begins(SLICE("PROXY UNKNOWN\r\n")));
    assert_true(proxy_header_begins(SLICE("\r\n\r\n\0\r")));
    assert_true(proxy_header_begins(SLICE(SIGNATURE "\x21")));
    assert_false(proxy_header_begins(SLICE("")));
    assert_false(proxy_header_begins(SLICE("PROXY")));
    assert_false(proxy_header_begins(SLICE("PROXYING")));
    assert_false(proxy_header_begins(SLICE("\x16\x03\x01\x02\x00\x01\x00")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_split_at_every_byte),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
