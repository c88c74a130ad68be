/* parcel_test: notices to bytes and back, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "parcel.h"

static const struct notice examples[] = {
    { .kind = NOTICE_MESSAGE, .subject = SLICE("channel"), .body = SLICE("a\0\r\n\xff") },
    { .kind = NOTICE_SHARD_MESSAGE },
    { .kind = NOTICE_EVENT, .db_number = 15, .a = 8, .subject = SLICE("set"), .body = SLICE("k") },
    { .kind = NOTICE_WROTE, .body = SLICE("key") },
    { .kind = NOTICE_EMPTIED },
    { .kind = NOTICE_FORGET },
    { .kind = NOTICE_WANTS, .a = INT64_C(0x80000000), .b = 7 },
    { .kind = NOTICE_HEARD, .a = INT64_MAX, .b = INT64_MIN },
    { .kind = NOTICE_BYE },
};

static void write_all(struct buf *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
        parcel_write(out, &examples[i], SLICE("space"));
}

static void check_all(struct slice records)
{
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        const struct notice *want = &examples[i];
        struct notice got;
        struct slice keyspace;
        assert_int_equal(parcel_read(&records, &got, &keyspace), ERR_OK);
        assert_int_equal(got.kind, want->kind);
        assert_int_equal(got.db_number, want->db_number);
        assert_int_equal(got.a, want->a);
        assert_int_equal(got.b, want->b);
        assert_true(slice_eq(keyspace, SLICE("space")));
        assert_true(slice_eq(got.subject, want->subject));
        assert_true(slice_eq(got.body, want->body));
    }
    assert_int_equal(records.len, 0);
}

static void test_records(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    write_all(&out);
    check_all(buf_slice(&out));
    buf_release(&out);
}

static void test_exact_bytes(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    parcel_write(&out,
                 &(struct notice){ .kind = NOTICE_EVENT,
                                   .db_number = 0x0102,
                                   .a = 3,
                                   .b = -1,
                                   .subject = SLICE("s"),
                                   .body = SLICE("bb") },
                 SLICE(""));
    const struct slice expected = SLICE("\x03\x02\x01\0\0\x03\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff"
                                        "\xff\xff\0\0\0\0\x01\0\0\0s\x02\0\0\0bb");
    assert_true(slice_eq(buf_slice(&out), expected));
    buf_release(&out);
}

/* Cut anywhere, in memory of its own so that a byte too far is noticed. */
static void test_cut_records(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    parcel_write(&out, &examples[0], SLICE("space"));
    for (size_t n = 0; n < buf_len(&out); n++) {
        uint8_t *copy = mem_alloc(n + 1);
        memcpy(copy, out.p + out.start, n);
        copy = mem_realloc(copy, n ? n : 1);
        struct slice records = { copy, n };
        struct notice got = { 0 };
        struct slice keyspace;
        assert_int_equal(parcel_read(&records, &got, &keyspace), ERR_PROTOCOL);
        assert_int_equal(records.len, n);
        free(copy);
    }
    buf_release(&out);
}

static void test_unknown_kinds_are_skipped(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    for (int kind = 0; kind < 256; kind += 17) {
        buf_clear(&out);
        parcel_write(&out, &examples[0], SLICE(""));
        out.p[out.start] = (uint8_t)kind;
        struct slice records = buf_slice(&out);
        struct notice got;
        struct slice keyspace;
        assert_int_equal(parcel_read(&records, &got, &keyspace), ERR_OK);
        assert_int_equal(got.kind, kind > 0 && kind < NOTICE_KINDS ? kind : NOTICE_KINDS);
        assert_int_equal(records.len, 0);
    }
    buf_release(&out);
}

static void test_payloads(void **state)
{
    (void)state;
    struct buf text;
    struct buf records;
    struct buf back;
    buf_init(&text, 1 << 20);
    buf_init(&records, 1 << 20);
    buf_init(&back, 1 << 20);
    write_all(&records);
    for (size_t i = 0; i < 3; i++) { /* each length modulo 3 */
        struct payload p;
        buf_clear(&text);
        buf_clear(&back);
        payload_write(&text, &(struct payload){ .sender = 12, .number = INT64_MAX },
                      buf_slice(&records));
        assert_int_equal(payload_read(buf_slice(&text), &p, &back), ERR_OK);
        assert_int_equal(p.sender, 12);
        assert_int_equal(p.number, INT64_MAX);
        assert_int_equal(p.row, 0);
        assert_true(slice_eq(buf_slice(&back), buf_slice(&records)));
        buf_append(&records, "x", 1);
    }
    buf_release(&text);
    buf_release(&records);
    buf_release(&back);
}

static void test_payload_of_a_row(void **state)
{
    (void)state;
    struct buf text;
    struct buf records;
    struct payload p;
    buf_init(&text, 256);
    buf_init(&records, 256);
    payload_write_row(&text, &(struct payload){ .sender = 3, .number = 4 });
    buf_append(&text, "99", 2); /* PostgreSQL adds the number */
    assert_true(slice_eq(buf_slice(&text), SLICE("1 3 4 r 99")));
    assert_int_equal(payload_read(buf_slice(&text), &p, &records), ERR_OK);
    assert_int_equal(p.row, 99);
    assert_int_equal(buf_len(&records), 0);
    buf_release(&text);
    buf_release(&records);
}

static void test_a_full_payload_fits_a_notify(void **state)
{
    (void)state;
    static uint8_t bytes[PARCEL_RECORDS_MAX];
    struct buf text;
    buf_init(&text, 16384);
    payload_write(&text, &(struct payload){ .sender = INT64_MAX, .number = INT64_MAX },
                  (struct slice){ bytes, sizeof(bytes) });
    assert_true(buf_len(&text) <= PARCEL_TEXT_MAX);
    buf_release(&text);
}

static void test_malformed_payloads(void **state)
{
    (void)state;
    static const struct slice rows[] = {
        SLICE(""),
        SLICE("1"),
        SLICE("1 2"),
        SLICE("1 2 3"),
        SLICE("1 2 3 "),
        SLICE("2 2 3 b AAAA"), /* a version that we do not know */
        SLICE("1 x 3 b AAAA"),
        SLICE("1 2 x b AAAA"),
        SLICE("1 2 3 q AAAA"),
        SLICE("1 2 3 b AAA"),
        SLICE("1 2 3 b AAA*"),
        SLICE("1 2 3 b AA=A"),
        SLICE("1 2 3 b A==="),
        SLICE("1 2 3 b AA==AAAA"),
        SLICE("1 2 3 b AA\0A"),
        SLICE("1 2 3 r "),
        SLICE("1 2 3 r 0"),
        SLICE("1 2 3 r -1"),
        SLICE("1 2 3 r 1 2"),
        SLICE("1 2 3 r 99999999999999999999"),
    };
    struct buf records;
    buf_init(&records, 256);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct payload p = { .sender = -5 };
        assert_int_equal(payload_read(rows[i], &p, &records), ERR_PROTOCOL);
        assert_int_equal(p.sender, -5);
        buf_clear(&records);
    }
    buf_release(&records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_exact_bytes),
        cmocka_unit_test(test_cut_records),
        cmocka_unit_test(test_unknown_kinds_are_skipped),
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_payload_of_a_row),
        cmocka_unit_test(test_a_full_payload_fits_a_notify),
        cmocka_unit_test(test_malformed_payloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
