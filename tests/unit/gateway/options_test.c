/*
 * options_test: --identity's order, addresses, and options that only make sense together.
 */
#include "test.h"

#include <string.h>

#include "address.h"
#include "options.h"

/* Options live as long as their process and are not freed, here neither. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static void test_identity_order(void **state)
{
    (void)state;
    static const char *const bad[] = { "",   "uri,", ",uri",    "uri,uri",
                                       "ip", "URI",  "uri dns", "cn,dns,x" };
    struct identity_order o;
    assert_int_equal(identity_order_parse("uri,dns,email,cn", &o), ERR_OK);
    assert_int_equal(o.count, 4);
    assert_int_equal(o.kinds[0], IDENTITY_URI);
    assert_int_equal(o.kinds[3], IDENTITY_CN);
    assert_int_equal(identity_order_parse("cn", &o), ERR_OK);
    assert_int_equal(o.count, 1);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(identity_order_parse(bad[i], &o), ERR_INVALID);
        assert_int_equal(o.count, 1);
    }
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = { "",      ":",    "127.0.0.1",    "127.0.0.1:",
                                       ":6380", "[]:1", "127.0.0.1:6x", "127.0.0.1:123456" };
    static const char *const good[] = { "127.0.0.1:6380", "[::1]:6380" };
    struct sockaddr_storage addr;
    socklen_t len;
    char text[ADDRESS_TEXT];
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(address_parse(bad[i], &addr, &len), ERR_INVALID);
    }
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(address_parse(good[i], &addr, &len), ERR_OK);
        address_text(&addr, text);
        assert_string_equal(text, good[i]);
    }
}

static enum err parse(const char *line)
{
    static char copy[512];
    char *argv[32] = { "cofre-gateway" };
    int argc = 1;
    strncpy(copy, line, sizeof(copy) - 1);
    char *rest = copy;
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        if (*word != '\0') {
            argv[argc++] = word;
        }
    }
    static struct gateway_options o;
    return options_parse(&o, argc, argv);
}

static void test_together(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "--core /s --cert c --key k",
        "--core /s --key k --client-ca a",
        "--cert c --key k --client-ca a",
        "--core /s --cert c --cert d --key k --client-ca a",
        "--core /s --cert c --key k --client-ca a --identity ip",
        "--core /s --cert c --key k --client-ca a --workers -1",
        "--core /s --cert c --key k --client-ca a --max-connections 0",
        "--core /s --cert c --key k --client-ca a --max-handshakes 0",
        "--core /s --cert c --key k --client-ca a --max-per-identity -1",
        "--core /s --cert c --key k --client-ca a --proxy-protocol balancer",
        "--core /s --cert c --key k --client-ca a --proxy-protocol 10.1.2.3/8",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(parse(bad[i]), ERR_INVALID);
    }
    assert_int_equal(parse("--core /s --cert c --key k --client-ca a"), ERR_OK);
    assert_int_equal(parse("--core /s --cert both --client-pin p --keylog f"), ERR_OK);
    assert_int_equal(parse("--core /s --cert c --key k --client-ca a --proxy-protocol 10.0.0.0/8 "
                           "--proxy-protocol ::1 --max-per-address 0"),
                     ERR_OK);
    assert_int_equal(parse("--check --cert c --key k --client-ca a"), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity_order),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
