/* output: the three forms, beside what redis-cli prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <locale.h>

#include "output.h"
#include "support.h"

static void check(const char *resp, enum output_form form, const char *text)
{
    struct reply *reply = reply_of(resp);
    struct buf out;
    assert_non_null(reply);
    buf_init(&out, 1 << 20);
    output_reply(&out, reply, form);
    buf_append(&out, "", 1);
    assert_string_equal((const char *)buf_slice(&out).p, text);
    buf_release(&out);
    reply_free(reply);
}

static void test_formatted(void **state)
{
    (void)state;
    check("+OK\r\n", OUTPUT_FORMATTED, "OK\n");
    check("-ERR no\r\n", OUTPUT_FORMATTED, "(error) ERR no\n");
    check("-ERR \x1b[31m\r\n", OUTPUT_FORMATTED, "(error) ERR \\x1b[31m\n");
    check(":1\r\n", OUTPUT_FORMATTED, "(integer) 1\n");
    check("$-1\r\n", OUTPUT_FORMATTED, "(nil)\n");
    check("$4\r\na\"\\\n\r\n", OUTPUT_FORMATTED, "\"a\\\"\\\\\\n\"\n");
    check("*0\r\n", OUTPUT_FORMATTED, "(empty array)\n");
    check("%0\r\n", OUTPUT_FORMATTED, "(empty hash)\n");
    check("~0\r\n", OUTPUT_FORMATTED, "(empty set)\n");
    check("*2\r\n$1\r\na\r\n$-1\r\n", OUTPUT_FORMATTED, "1) \"a\"\n2) (nil)\n");
    check("*2\r\n*2\r\n:1\r\n:2\r\n:3\r\n", OUTPUT_FORMATTED,
          "1) 1) (integer) 1\n   2) (integer) 2\n2) (integer) 3\n");
    check("%1\r\n+k\r\n:1\r\n", OUTPUT_FORMATTED, "1# k => (integer) 1\n");
    check("~1\r\n#t\r\n", OUTPUT_FORMATTED, "1~ (true)\n");
    check(",1.5\r\n", OUTPUT_FORMATTED, "(double) 1.5\n");
    check("=6\r\ntxt:a\n\r\n", OUTPUT_FORMATTED, "a\n\n");
}

static void test_numbers_are_aligned(void **state)
{
    (void)state;
    check(
        "*10\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n", OUTPUT_FORMATTED,
        " 1) (integer) 1\n 2) (integer) 1\n 3) (integer) 1\n 4) (integer) 1\n 5) (integer) 1\n 6) (integer) 1\n"
        " 7) (integer) 1\n 8) (integer) 1\n 9) (integer) 1\n10) (integer) 1\n");
}

static void test_raw(void **state)
{
    (void)state;
    check("$4\r\na\"\\\n\r\n", OUTPUT_RAW, "a\"\\\n\n");
    check("$-1\r\n", OUTPUT_RAW, "\n");
    check(":7\r\n", OUTPUT_RAW, "7\n");
    check("*3\r\n$1\r\na\r\n$-1\r\n:2\r\n", OUTPUT_RAW, "a\n\n2\n");
    check("*0\r\n", OUTPUT_RAW, "\n");
    check("%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n", OUTPUT_RAW, "a 1\nb 2\n");
}

static void test_json(void **state)
{
    (void)state;
    check("$4\r\na\"\\\n\r\n", OUTPUT_JSON, "\"a\\\"\\\\\\n\"\n");
    check("$1\r\n\x01\r\n", OUTPUT_JSON, "\"\\u0001\"\n");
    check("$4\r\nol\xc3\xa1\r\n", OUTPUT_JSON, "\"ol\xc3\xa1\"\n");
    check("$1\r\n\xff\r\n", OUTPUT_JSON, "{\"base64\":\"/w==\"}\n");
    check("$2\r\n\xff\xfe\r\n", OUTPUT_JSON, "{\"base64\":\"//4=\"}\n");
    check("$3\r\n\xff\xfe\xfd\r\n", OUTPUT_JSON, "{\"base64\":\"//79\"}\n");
    check("%1\r\n$1\r\n\xff\r\n_\r\n", OUTPUT_JSON, "{\"{\\\"base64\\\":\\\"/w==\\\"}\":null}\n");
}

/* Values keep their readable letters where the terminal has them; what could steer it is escaped. */
static void test_utf8(void **state)
{
    (void)state;
    if (setlocale(LC_ALL, "C.UTF-8") == NULL) {
        skip();
    }
    check("$4\r\nol\xc3\xa1\r\n", OUTPUT_FORMATTED, "\"ol\xc3\xa1\"\n");
    check("$2\r\n\xc3(\r\n", OUTPUT_FORMATTED, "\"\\xc3(\"\n");
    check("$3\r\n\xe2\x80\xae\r\n", OUTPUT_FORMATTED, "\"\\xe2\\x80\\xae\"\n");
    check("$2\r\n\xc2\x9b\r\n", OUTPUT_FORMATTED, "\"\\xc2\\x9b\"\n");
    (void)setlocale(LC_ALL, "C");
    check("$4\r\nol\xc3\xa1\r\n", OUTPUT_FORMATTED, "\"ol\\xc3\\xa1\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formatted), cmocka_unit_test(test_numbers_are_aligned),
        cmocka_unit_test(test_raw),       cmocka_unit_test(test_json),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
