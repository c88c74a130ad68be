/*
 * frame: bytes as wire/README.md has them, in both directions, whole and cut at every byte; and
 * everything malformed is refused without a read past its end (blocks of exactly their size, for
 * the sanitizer).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/frame.h"

static struct slice first(struct slice s, size_t n)
{
    return (struct slice){ s.p, n };
}

static struct slice copy_of(struct slice s)
{
    uint8_t *p = malloc(s.len > 0 ? s.len : 1);
    if (s.len > 0) {
        memcpy(p, s.p, s.len);
    }
    return (struct slice){ p, s.len };
}

static void free_copy(struct slice s)
{
    free((void *)s.p);
}

static void assert_slice(struct slice got, struct slice expected)
{
    assert_int_equal(got.len, expected.len);
    assert_true(slice_eq(got, expected));
}

/* ---- frames ---- */

static void test_exact_bytes(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1024);
    frame_write(&b, &(struct frame){ .type = FRAME_REPLY,
                                     .flags = FRAME_CLOSING,
                                     .answered = 0x1234,
                                     .session = 0x1122334455667788,
                                     .payload = SLICE("+OK\r\n") });
    assert_slice(buf_slice(&b),
                 SLICE("\x05\0\0\0\x05\x02\x34\x12\x88\x77\x66\x55\x44\x33\x22\x11+OK\r\n"));
    buf_clear(&b);
    frame_write_request(&b, 1, (struct slice[]){ SLICE("GET"), SLICE("") }, 2);
    assert_slice(buf_slice(&b), SLICE("\x0f\0\0\0\x04\0\0\0\x01\0\0\0\0\0\0\0"
                                      "\x02\0\0\0\x03\0\0\0\0\0\0\0GET"));
    buf_clear(&b);
    frame_write_credit(&b, 2, 0x10000);
    assert_slice(buf_slice(&b), SLICE("\x04\0\0\0\x06\0\0\0\x02\0\0\0\0\0\0\0\0\0\x01\0"));
    buf_clear(&b);
    frame_write_hello(&b, &(struct frame_hello){ FRAME_VERSION, SLICE("ab") });
    assert_slice(buf_slice(&b),
                 SLICE("\x12\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0COFRELNK\x02\0\0\0\x02\0\0\0ab"));
    buf_release(&b);
}

/* Each frame type with what it may carry, in one stream. */
static const struct frame frames[] = {
    { .type = FRAME_HELLO, .payload = SLICE("x") },
    { .type = FRAME_OPEN, .session = 1, .payload = SLICE("open") },
    { .type = FRAME_REQUEST, .flags = FRAME_MORE, .session = UINT64_MAX, .payload = SLICE("part") },
    { .type = FRAME_REPLY,
      .flags = FRAME_MORE | FRAME_CLOSING,
      .answered = 65535,
      .session = 3,
      .payload = SLICE("+OK\r\n") },
    { .type = FRAME_REPLY, .session = 3 },
    { .type = FRAME_CREDIT, .session = 1, .payload = SLICE("1234") },
    { .type = FRAME_STATE,
      .flags = FRAME_PINNED | FRAME_LISTENS,
      .session = 1,
      .payload = SLICE("\0\1\2") },
    { .type = FRAME_CLOSE, .session = 1, .payload = SLICE("bye") },
    { .type = FRAME_STATS, .payload = SLICE("a=1\n") },
    { .type = FRAME_PING },
    { .type = FRAME_PONG },
};

static void write_frames(struct buf *b)
{
    buf_init(b, 1024 * 1024);
    for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
        frame_write(b, &frames[i]);
    }
}

static void check_frame(const struct frame *got, const struct frame *expected)
{
    assert_int_equal(got->type, expected->type);
    assert_int_equal(got->flags, expected->flags);
    assert_int_equal(got->answered, expected->answered);
    assert_true(got->session == expected->session);
    assert_slice(got->payload, expected->payload);
}

/* The stream up to `cut`, then all of it: whatever the cut, the same frames. */
static void read_cut(struct slice all, size_t cut)
{
    size_t at = 0, end = cut;
    for (size_t i = 0; i < ARRAY_SIZE(frames);) {
        struct frame frame;
        size_t used = 0;
        struct slice copy = copy_of((struct slice){ all.p + at, end - at });
        enum frame_status status = frame_read(copy, &frame, &used);
        if (status == FRAME_NEED_MORE) {
            assert_int_equal(end, cut);
            end = all.len;
        } else {
            assert_int_equal(status, FRAME_READY);
            check_frame(&frame, &frames[i++]);
            at += used;
        }
        free_copy(copy);
    }
    assert_int_equal(at, all.len);
}

static void test_split_at_every_byte(void **state)
{
    (void)state;
    struct buf b;
    write_frames(&b);
    for (size_t cut = 0; cut < buf_len(&b); cut++) {
        read_cut(buf_slice(&b), cut);
    }
    buf_release(&b);
}

/* Headers that end the link. They are refused before the payload is there. */
static const struct slice bad_headers[] = {
    SLICE("\0\0\0\0\x00\0\0\0\0\0\0\0\0\0\0\0"), /* type 0 */
    SLICE("\0\0\0\0\x0b\0\0\0\0\0\0\0\0\0\0\0"), /* FRAME_TYPE_END */
    SLICE("\0\0\0\0\xff\0\0\0\0\0\0\0\0\0\0\0"),
    SLICE("\x01\0\x01\0\x05\0\0\0\0\0\0\0\0\0\0\0"), /* 65,537 bytes */
    SLICE("\xff\xff\xff\xff\x05\0\0\0\0\0\0\0\0\0\0\0"),
    SLICE("\0\0\0\0\x01\x01\0\0\0\0\0\0\0\0\0\0"), /* HELLO with MORE */
    SLICE("\0\0\0\0\x04\x02\0\0\0\0\0\0\0\0\0\0"), /* REQUEST with CLOSING */
    SLICE("\0\0\0\0\x05\x04\0\0\0\0\0\0\0\0\0\0"), /* an unknown flag */
    SLICE("\0\0\0\0\x07\x01\0\0\0\0\0\0\0\0\0\0"), /* STATE with MORE */
    SLICE("\0\0\0\0\x04\0\x01\0\0\0\0\0\0\0\0\0"), /* a REQUEST that answers */
    SLICE("\0\0\0\0\x09\0\0\x01\0\0\0\0\0\0\0\0"),
};

static void test_bad_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad_headers); i++) {
        struct frame frame = { .session = 77 };
        size_t used = 77;
        struct slice copy = copy_of(bad_headers[i]);
        assert_int_equal(copy.len, FRAME_HEADER_SIZE);
        assert_int_equal(frame_read(copy, &frame, &used), FRAME_BAD);
        assert_int_equal(used, 77);
        assert_true(frame.session == 77);
        assert_int_equal(frame_read(first(copy, 15), &frame, &used), FRAME_NEED_MORE);
        free_copy(copy);
    }
}

static void test_largest_payload(void **state)
{
    (void)state;
    static uint8_t bytes[FRAME_MAX_PAYLOAD];
    struct buf b;
    struct frame frame;
    size_t used = 0;
    buf_init(&b, 1024 * 1024);
    frame_write(&b, &(struct frame){ .type = FRAME_REPLY, .payload = { bytes, sizeof(bytes) } });
    assert_int_equal(frame_read(first(buf_slice(&b), buf_len(&b) - 1), &frame, &used),
                     FRAME_NEED_MORE);
    assert_int_equal(frame_read(buf_slice(&b), &frame, &used), FRAME_READY);
    assert_int_equal(frame.payload.len, FRAME_MAX_PAYLOAD);
    buf_release(&b);
}

/* A full buf takes a frame whole or not at all. */
static void test_full_buf(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 40);
    frame_write_credit(&b, 1, 1);
    frame_write_credit(&b, 2, 1);
    assert_int_equal(buf_len(&b), 40);
    frame_write_credit(&b, 3, 1);
    assert_int_equal(buf_len(&b), 40);
    assert_true(b.overflow);
    buf_release(&b);
}

static size_t part_length(size_t total, size_t at)
{
    return total - at < FRAME_MAX_PAYLOAD ? total - at : FRAME_MAX_PAYLOAD;
}

/* check_parts cuts a payload of `total` bytes and puts it together again. */
static void check_parts(size_t total)
{
    struct buf b;
    buf_init(&b, 1024 * 1024);
    uint8_t *bytes = calloc(1, total + 1);
    for (size_t i = 0; i < total; i++) {
        bytes[i] = (uint8_t)(i * 7 >> 3);
    }
    struct slice left = { bytes, total };
    do {
        frame_write_part(&b, FRAME_REPLY, FRAME_CLOSING, 9, 5, &left);
    } while (left.len > 0);
    for (size_t at = 0; buf_len(&b) > 0;) {
        struct frame frame;
        size_t used = 0;
        assert_int_equal(frame_read(buf_slice(&b), &frame, &used), FRAME_READY);
        bool last = used == buf_len(&b);
        assert_slice(frame.payload, (struct slice){ bytes + at, part_length(total, at) });
        assert_int_equal(frame.flags, last ? FRAME_CLOSING : FRAME_MORE);
        assert_int_equal(frame.answered, last ? 9 : 0);
        at += frame.payload.len;
        assert_true(!last || at == total);
        buf_consume(&b, used);
    }
    free(bytes);
    buf_release(&b);
}

static void test_parts(void **state)
{
    (void)state;
    const size_t totals[] = { 0,
                              1,
                              FRAME_MAX_PAYLOAD - 1,
                              FRAME_MAX_PAYLOAD,
                              FRAME_MAX_PAYLOAD + 1,
                              2 * FRAME_MAX_PAYLOAD,
                              2 * FRAME_MAX_PAYLOAD + 100 };
    for (size_t i = 0; i < ARRAY_SIZE(totals); i++) {
        check_parts(totals[i]);
    }
}

/* ---- payloads ---- */

static struct slice payload_of(const struct buf *b)
{
    struct slice s = buf_slice(b);
    return (struct slice){ s.p + FRAME_HEADER_SIZE, s.len - FRAME_HEADER_SIZE };
}

static void test_hello(void **state)
{
    (void)state;
    struct buf b;
    struct frame_hello hello;
    buf_init(&b, 1024);
    frame_write_hello(&b, &(struct frame_hello){ FRAME_VERSION, SLICE("cofre-gateway 0.1.0") });
    struct slice payload = payload_of(&b);
    assert_int_equal(frame_parse_hello(payload, &hello), ERR_OK);
    assert_int_equal(hello.version, FRAME_VERSION);
    assert_slice(hello.build, SLICE("cofre-gateway 0.1.0"));
    for (size_t n = 0; n < payload.len; n++) {
        struct slice copy = copy_of(first(payload, n));
        assert_int_equal(frame_parse_hello(copy, &hello), ERR_PROTOCOL);
        free_copy(copy);
    }
    assert_int_equal(frame_parse_hello(SLICE("COFRELNX\2\0\0\0\0\0\0\0"), &hello), ERR_PROTOCOL);
    assert_int_equal(frame_parse_hello(SLICE("COFRELNK\2\0\0\0\0\0\0\0x"), &hello), ERR_PROTOCOL);
    /* Another version is read as far as its number, whatever follows. */
    assert_int_equal(frame_parse_hello(SLICE("COFRELNK\3\0\0\0???"), &hello), ERR_OK);
    assert_int_equal(hello.version, 3);
    buf_release(&b);
}

static const struct frame_open example = {
    .kind = IDENTITY_CN,
    .identity = SLICE("cn:alice"),
    .issuer = SLICE("CN=ca"),
    .serial = SLICE("0a0b"),
    .fingerprint = { 1, 2, 3, [31] = 32 },
    .not_after = -1,
    .tls_version = SLICE("TLSv1.3"),
    .cipher = SLICE("TLS_AES_128_GCM_SHA256"),
    .peer = SLICE("127.0.0.1:50110"),
    .local = SLICE("127.0.0.1:6380"),
    .opened_at = 1700000000123,
    .credit = 1 << 20,
    .state = SLICE("\0opaque"),
};

static void test_open(void **state)
{
    (void)state;
    struct buf b;
    struct frame_open open;
    buf_init(&b, 1024);
    frame_write_open(&b, 9, &example);
    assert_int_equal(frame_parse_open(payload_of(&b), &open), ERR_OK);
    assert_int_equal(open.kind, IDENTITY_CN);
    assert_slice(open.identity, example.identity);
    assert_slice(open.issuer, example.issuer);
    assert_slice(open.serial, example.serial);
    assert_memory_equal(open.fingerprint, example.fingerprint, 32);
    assert_true(open.not_after == -1);
    assert_slice(open.tls_version, example.tls_version);
    assert_slice(open.cipher, example.cipher);
    assert_slice(open.peer, example.peer);
    assert_slice(open.local, example.local);
    assert_true(open.opened_at == 1700000000123);
    assert_int_equal(open.credit, 1 << 20);
    assert_slice(open.state, example.state);
    buf_release(&b);
}

static void test_bad_open(void **state)
{
    (void)state;
    struct buf b;
    struct frame_open open = { .credit = 77 };
    buf_init(&b, 4096);
    frame_write_open(&b, 9, &example);
    struct slice payload = payload_of(&b);
    for (size_t n = 0; n < payload.len; n++) {
        struct slice copy = copy_of(first(payload, n));
        assert_int_equal(frame_parse_open(copy, &open), ERR_PROTOCOL);
        free_copy(copy);
    }
    buf_append(&b, "x", 1);
    assert_int_equal(frame_parse_open(payload_of(&b), &open), ERR_PROTOCOL);
    buf_truncate(&b, buf_len(&b) - 1);
    b.p[FRAME_HEADER_SIZE] = 0;
    assert_int_equal(frame_parse_open(payload_of(&b), &open), ERR_PROTOCOL);
    b.p[FRAME_HEADER_SIZE] = 5;
    assert_int_equal(frame_parse_open(payload_of(&b), &open), ERR_PROTOCOL);
    assert_int_equal(open.credit, 77);

    static uint8_t zeros[FRAME_MAX_STATE + 1];
    struct frame_open wrong = example;
    wrong.state = (struct slice){ zeros, sizeof(zeros) };
    buf_clear(&b);
    frame_write_open(&b, 9, &wrong);
    assert_int_equal(frame_parse_open(payload_of(&b), &open), ERR_PROTOCOL);
    wrong = example;
    wrong.identity.len = 0;
    buf_clear(&b);
    frame_write_open(&b, 9, &wrong);
    assert_int_equal(frame_parse_open(payload_of(&b), &open), ERR_PROTOCOL);
    buf_release(&b);
}

static void test_credit(void **state)
{
    (void)state;
    uint32_t credit = 0;
    assert_int_equal(frame_parse_credit(SLICE("\1\2\0\x80"), &credit), ERR_OK);
    assert_true(credit == 0x80000201u);
    assert_int_equal(frame_parse_credit(SLICE("\1\2\0"), &credit), ERR_PROTOCOL);
    assert_int_equal(frame_parse_credit(SLICE("\1\2\0\0\0"), &credit), ERR_PROTOCOL);
}

static void test_request(void **state)
{
    (void)state;
    const struct slice argv[] = { SLICE("SET"), SLICE(""), SLICE("a\0b") };
    struct slice got[3];
    uint32_t argc = 0;
    struct buf b;
    buf_init(&b, 1024);
    frame_build_request(&b, argv, 3);
    struct slice payload = buf_slice(&b);
    assert_int_equal(payload.len, frame_request_size(argv, 3));
    assert_int_equal(frame_parse_request(payload, 3, NULL, &argc), ERR_OK);
    assert_int_equal(argc, 3);
    argc = 0;
    assert_int_equal(frame_parse_request(payload, 3, got, &argc), ERR_OK);
    assert_int_equal(argc, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_slice(got[i], argv[i]);
    }
    for (size_t n = 0; n < payload.len; n++) {
        struct slice copy = copy_of(first(payload, n));
        assert_int_equal(frame_parse_request(copy, 3, got, &argc), ERR_PROTOCOL);
        free_copy(copy);
    }
    buf_release(&b);
}

static const struct slice bad_requests[] = {
    SLICE(""),
    SLICE("\0\0\0\0"),                                 /* nothing asked */
    SLICE("\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), /* over max_argc */
    SLICE("\xff\xff\xff\xff\0\0\0\0"),
    SLICE("\1\0\0\0\xff\xff\xff\xff"
          "x"),
    SLICE("\1\0\0\0\1\0\0\0xy"), /* a byte too many */
    SLICE("\2\0\0\0\1\0\0\0\1\0\0\0x"),
    SLICE("\2\0\0\0\2\0\0\0\xff\xff\xff\xffxy"),
    SLICE("\1\0\0\0\0\0\0"),
};

static void test_bad_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad_requests); i++) {
        struct slice got[3];
        uint32_t argc = 77;
        struct slice copy = copy_of(bad_requests[i]);
        assert_int_equal(frame_parse_request(copy, 3, got, &argc), ERR_PROTOCOL);
        assert_int_equal(argc, 77);
        free_copy(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_bytes), cmocka_unit_test(test_split_at_every_byte),
        cmocka_unit_test(test_bad_headers), cmocka_unit_test(test_largest_payload),
        cmocka_unit_test(test_full_buf),    cmocka_unit_test(test_parts),
        cmocka_unit_test(test_hello),       cmocka_unit_test(test_open),
        cmocka_unit_test(test_bad_open),    cmocka_unit_test(test_credit),
        cmocka_unit_test(test_request),     cmocka_unit_test(test_bad_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
