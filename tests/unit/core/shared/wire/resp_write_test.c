/* resp_write: every function in both protocols, numbers at their edges, and a full buf. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/resp_write.h"

static void write_int(struct resp_writer *w)
{
    resp_int(w, -42);
}
static void write_bulk(struct resp_writer *w)
{
    resp_bulk(w, SLICE("a\r\nb"));
}
static void write_empty(struct resp_writer *w)
{
    resp_bulk(w, (struct slice){ NULL, 0 });
}
static void write_text(struct resp_writer *w)
{
    resp_bulk_text(w, "hello");
}
static void write_bulk_int(struct resp_writer *w)
{
    resp_bulk_int(w, 1000);
}
static void write_simple(struct resp_writer *w)
{
    resp_simple(w, "PONG");
}
static void write_error(struct resp_writer *w)
{
    resp_error(w, "ERR unknown command '%s'", "a\r\n+OK\r\n");
}
static void write_error_nul(struct resp_writer *w)
{
    resp_error(w, "ERR '%c'", 0);
}
static void write_error_long(struct resp_writer *w)
{
    resp_error(w, "ERR %0600d", 7);
}
static void write_array(struct resp_writer *w)
{
    resp_array(w, 0);
}
static void write_map(struct resp_writer *w)
{
    resp_map(w, 6);
}
static void write_set(struct resp_writer *w)
{
    resp_set(w, 12);
}
static void write_push(struct resp_writer *w)
{
    resp_push(w, 3);
}
static void write_bools(struct resp_writer *w)
{
    resp_bool(w, true);
    resp_bool(w, false);
}
static void write_doubles(struct resp_writer *w)
{
    resp_double(w, 3.0);
    resp_double(w, 0.1);
    resp_double(w, 1e300);
    resp_double(w, (double)INFINITY);
    resp_double(w, (double)-INFINITY);
    resp_double(w, -(double)NAN);
}
static void write_verbatim(struct resp_writer *w)
{
    resp_verbatim(w, "txt", SLICE("a\nb"));
}

/*
 * One row for each kind of reply: what writes it, and its bytes in RESP2 and RESP3 (NULL: the
 * same).
 */
static const struct row {
    void (*write)(struct resp_writer *w);
    const char *resp2;
    const char *resp3;
} rows[] = {
    { resp_ok, "+OK\r\n", NULL },
    { write_simple, "+PONG\r\n", NULL },
    { write_error, "-ERR unknown command 'a  +OK  '\r\n", NULL },
    { write_error_nul, "-ERR ' '\r\n", NULL },
    { write_int, ":-42\r\n", NULL },
    { write_bulk, "$4\r\na\r\nb\r\n", NULL },
    { write_empty, "$0\r\n\r\n", NULL },
    { write_text, "$5\r\nhello\r\n", NULL },
    { write_bulk_int, "$4\r\n1000\r\n", NULL },
    { resp_null, "$-1\r\n", "_\r\n" },
    { resp_null_array, "*-1\r\n", "_\r\n" },
    { write_array, "*0\r\n", NULL },
    { write_map, "*12\r\n", "%6\r\n" },
    { write_set, "*12\r\n", "~12\r\n" },
    { write_push, "*3\r\n", ">3\r\n" },
    { write_bools, ":1\r\n:0\r\n", "#t\r\n#f\r\n" },
    { write_doubles,
      "$1\r\n3\r\n$19\r\n0.10000000000000001\r\n$23\r\n1.0000000000000001e+300\r\n"
      "$3\r\ninf\r\n$4\r\n-inf\r\n$3\r\nnan\r\n",
      ",3\r\n,0.10000000000000001\r\n,1.0000000000000001e+300\r\n,inf\r\n,-inf\r\n,nan\r\n" },
    { write_verbatim, "$3\r\na\nb\r\n", "=7\r\ntxt:a\nb\r\n" },
};

static void check(void (*write)(struct resp_writer *), int protocol, const char *expected)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    struct resp_writer w = { &b, protocol };
    write(&w);
    buf_append(&b, "", 1);
    assert_string_equal((const char *)b.p, expected);
    buf_release(&b);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        check(rows[i].write, 2, rows[i].resp2);
        check(rows[i].write, 3, rows[i].resp3 != NULL ? rows[i].resp3 : rows[i].resp2);
    }
}

static void check_number(int64_t n)
{
    char expected[64];
    struct buf b;
    buf_init(&b, 64);
    struct resp_writer w = { &b, 2 };
    resp_int(&w, n);
    buf_append(&b, "", 1);
    snprintf(expected, sizeof(expected), ":%lld\r\n", (long long)n);
    assert_string_equal((const char *)b.p, expected);
    buf_release(&b);
}

/* Around every power of ten, where the count of digits changes. */
static void test_numbers(void **state)
{
    (void)state;
    for (int64_t power = 1;; power *= 10) {
        for (int64_t near = -2; near <= 2; near++) {
            check_number(power + near);
            check_number(-power + near);
        }
        if (power > INT64_MAX / 10) {
            break;
        }
    }
    check_number(INT64_MAX);
    check_number(INT64_MIN);
}

/* Whatever room is left, an element is there whole or not at all. */
static void test_full(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (size_t max = 0; max < 64; max++) {
            struct buf b;
            buf_init(&b, max);
            struct resp_writer w = { &b, 3 };
            rows[i].write(&w);
            assert_true(buf_len(&b) <= max);
            if (buf_len(&b) > 0) {
                assert_memory_equal(b.p + b.end - 2, "\r\n", 2);
            } else {
                assert_true(b.overflow);
            }
            buf_release(&b);
        }
    }
}

static void test_long_error(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    struct resp_writer w = { &b, 2 };
    write_error_long(&w);
    assert_int_equal(buf_len(&b), 1 + 4 + 600 + 2);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_long_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
