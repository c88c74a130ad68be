/*
 * network_test: what is a network and what is not, who is in it, and whose sessions are counted together.
 */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "arrivals/network.h"

static struct sockaddr_storage addr(const char *text)
{
    struct sockaddr_storage a = { .ss_family = AF_INET };
    if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&a)->sin_addr) != 1) {
        a.ss_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&a)->sin6_addr), 1);
    }
    return a;
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "/",
        "10.0.0.0/",
        "/8",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0/8",
        "10.0.0.0/8 ",
        " 10.0.0.0/8",
        "10.0.0.0/08x",
        "10.1.2.3/8",
        "10.0.0.1/31",
        "::/129",
        "2001:db8::1/32",
        "host/8",
        "10.0.0.0/8/8",
        "::ffff:1.2.3.4/0",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/1",
    };
    struct network n = { .bits = 77 };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(network_parse(bad[i], &n), ERR_INVALID);
        assert_int_equal(n.bits, 77);
    }
}

static void test_membership(void **state)
{
    (void)state;
    static const struct {
        const char *network;
        const char *address;
        bool in;
    } rows[] = {
        { "10.0.0.0/8", "10.255.0.1", true },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "10.0.0.0/8", "::ffff:10.1.1.1", true },
        { "10.0.0.0/8", "a00::", false },
        { "10.128.0.0/9", "10.127.255.255", false },
        { "10.128.0.0/9", "10.128.0.0", true },
        { "192.0.2.7", "192.0.2.7", true },
        { "192.0.2.7", "192.0.2.6", false },
        { "192.0.2.6/31", "192.0.2.7", true },
        { "0.0.0.0/0", "203.0.113.9", true },
        { "0.0.0.0/0", "2001:db8::1", false },
        { "::/0", "2001:db8::1", true },
        { "::/0", "203.0.113.9", true },
        { "2001:db8::/33", "2001:db8:7fff::1", true },
        { "2001:db8::/33", "2001:db8:8000::1", false },
        { "2001:db8::1", "2001:db8::1", true },
        { "2001:db8::1", "2001:db8::2", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct network n;
        struct sockaddr_storage a = addr(rows[i].address);
        assert_int_equal(network_parse(rows[i].network, &n), ERR_OK);
        struct network_list list = { &n, 1 };
        assert_int_equal(network_list_has(&list, &a), rows[i].in);
    }
    struct sockaddr_storage a = addr("192.0.2.1"), none = { .ss_family = AF_UNIX };
    struct network all;
    assert_int_equal(network_parse("::/0", &all), ERR_OK);
    assert_false(network_list_has(&(struct network_list){ NULL, 0 }, &a));
    assert_false(network_list_has(&(struct network_list){ &all, 1 }, &none));
}

static bool same_key(const char *one, const char *other)
{
    uint8_t a[16], b[16];
    struct sockaddr_storage first = addr(one), second = addr(other);
    size_t len = network_key(&first, a);
    return len > 0 && len == network_key(&second, b) && memcmp(a, b, len) == 0;
}

static void test_keys(void **state)
{
    (void)state;
    struct sockaddr_storage none = { .ss_family = AF_UNSPEC };
    uint8_t key[16];
    assert_true(same_key("192.0.2.1", "192.0.2.1"));
    assert_true(same_key("192.0.2.1", "::ffff:192.0.2.1"));
    assert_false(same_key("192.0.2.1", "192.0.2.2"));
    assert_false(same_key("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
    assert_true(same_key("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"));
    assert_false(same_key("2001:db8::1", "2001:db8:0:1::1"));
    assert_int_equal(network_key(&none, key), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_membership),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
