/*
 * key_wire_test: what is written is read back, also in pieces; what breaks the format is told at once, before
 * a length from outside is believed.
 */
#include "test.h"

#include <string.h>

#include "keys/key_wire.h"

static const struct key_request request = { .id = 0x0102030405060708,
                                            .set = 7,
                                            .pair = 2,
                                            .scheme = 0x0403,
                                            .message = { (const uint8_t *)"message", 7 } };

static void test_a_request_comes_back(void **state)
{
    (void)state;
    struct buf b;
    struct key_request back;
    size_t used = 0;
    buf_init(&b, 4096);
    key_write_request(&b, &request);
    buf_append(&b, "next", 4);
    for (size_t cut = 0; cut < KEY_REQUEST_HEAD + request.message.len; cut++) {
        assert_int_equal(key_read_request((struct slice){ b.p, cut }, &back, &used),
                         KEY_WIRE_NEED_MORE);
        assert_int_equal(used, 0);
    }
    assert_int_equal(key_read_request(buf_slice(&b), &back, &used), KEY_WIRE_READY);
    assert_int_equal(used, buf_len(&b) - 4);
    assert_int_equal(back.id, request.id);
    assert_int_equal(back.set, request.set);
    assert_int_equal(back.pair, request.pair);
    assert_int_equal(back.scheme, request.scheme);
    assert_true(slice_eq(back.message, request.message));
    buf_release(&b);
}

static void test_a_reply_comes_back(void **state)
{
    (void)state;
    static uint8_t longest[KEY_REPLY_MAX - KEY_REPLY_HEAD];
    const struct slice signatures[] = { { longest, 0 },
                                        { longest, 1 },
                                        { longest, sizeof(longest) } };
    for (size_t i = 0; i < ARRAY_SIZE(signatures); i++) {
        struct buf b;
        struct key_reply back;
        size_t used = 0;
        buf_init(&b, 4096);
        key_write_reply(&b, &(struct key_reply){ .id = 99, .signature = signatures[i] });
        for (size_t cut = 0; cut < buf_len(&b); cut++) {
            assert_int_equal(key_read_reply((struct slice){ b.p, cut }, &back, &used),
                             KEY_WIRE_NEED_MORE);
        }
        assert_int_equal(key_read_reply(buf_slice(&b), &back, &used), KEY_WIRE_READY);
        assert_int_equal(used, buf_len(&b));
        assert_int_equal(back.id, 99);
        assert_int_equal(back.signature.len, signatures[i].len);
        buf_release(&b);
    }
}

static void test_a_note_comes_back(void **state)
{
    (void)state;
    static const struct {
        struct key_note note;
        bool to_holder;
    } rows[] = {
        { { KEY_MATERIAL, false, 3, { (const uint8_t *)"files", 5 } }, false },
        { { KEY_MATERIAL, true, 4, { (const uint8_t *)"files", 5 } }, false },
        { { KEY_TAKEN, false, 4, { NULL, 0 } }, true },
        { { KEY_BAD, false, 4, { (const uint8_t *)"why", 3 } }, true },
        { { KEY_NOTHING, false, 0, { (const uint8_t *)"why", 3 } }, false },
        { { KEY_RELOAD, false, 0, { NULL, 0 } }, true },
        { { KEY_DROP, false, 2, { NULL, 0 } }, true },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf b;
        struct key_note back;
        size_t used = 0;
        buf_init(&b, 4096);
        key_write_note(&b, &rows[i].note);
        for (size_t cut = 0; cut < buf_len(&b); cut++) {
            assert_int_equal(
                key_read_note((struct slice){ b.p, cut }, rows[i].to_holder, &back, &used),
                KEY_WIRE_NEED_MORE);
        }
        assert_int_equal(key_read_note(buf_slice(&b), rows[i].to_holder, &back, &used),
                         KEY_WIRE_READY);
        assert_int_equal(used, buf_len(&b));
        assert_int_equal(back.type, rows[i].note.type);
        assert_int_equal(back.asked, rows[i].note.asked);
        assert_int_equal(back.set, rows[i].note.set);
        assert_true(slice_eq(back.body, rows[i].note.body));
        /* The other side never says such a thing. */
        assert_int_equal(key_read_note(buf_slice(&b), !rows[i].to_holder, &back, &used),
                         KEY_WIRE_BAD);
        buf_release(&b);
    }
}

static void test_what_breaks_the_format(void **state)
{
    (void)state;
    struct key_request request_out;
    struct key_reply reply_out;
    struct key_note note_out;
    size_t used;
    static const uint8_t empty_message[KEY_REQUEST_HEAD] = { 0, 0 };
    static const uint8_t long_message[KEY_REQUEST_HEAD] = { 0x01, 0x04 };
    static const uint8_t long_signature[KEY_REPLY_HEAD] = { 0x01, 0x08 };
    assert_int_equal(
        key_read_request((struct slice){ empty_message, KEY_REQUEST_HEAD }, &request_out, &used),
        KEY_WIRE_BAD);
    assert_int_equal(
        key_read_request((struct slice){ long_message, KEY_REQUEST_HEAD }, &request_out, &used),
        KEY_WIRE_BAD);
    assert_int_equal(
        key_read_reply((struct slice){ long_signature, KEY_REPLY_HEAD }, &reply_out, &used),
        KEY_WIRE_BAD);

    static const struct {
        uint8_t bytes[KEY_NOTE_HEAD];
        bool to_holder;
    } notes[] = {
        { { 0, 0, 0, 0, 0 }, true },
        { { 0, 0, 0, 0, 0 }, false },
        { { 0, 0, 0, 0, 7 }, true },
        { { 0, 0, 0, 0, KEY_RELOAD, 2 }, true },
        { { 0, 0, 0, 0, 255 }, false },
        { { 1, 0, 0, 0, KEY_RELOAD }, true },
        { { 1, 0, 0, 0, KEY_DROP }, true },
        { { 1, 0, 0, 0, KEY_TAKEN }, true },
        { { 1, 4, 0, 0, KEY_BAD }, true },
        { { 1, 4, 0, 0, KEY_NOTHING }, false },
        { { 1, 0, 0, 16, KEY_MATERIAL }, false },
        { { 255, 255, 255, 255, KEY_MATERIAL }, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
        assert_int_equal(key_read_note((struct slice){ notes[i].bytes, KEY_NOTE_HEAD },
                                       notes[i].to_holder, &note_out, &used),
                         KEY_WIRE_BAD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_comes_back),
        cmocka_unit_test(test_a_reply_comes_back),
        cmocka_unit_test(test_a_note_comes_back),
        cmocka_unit_test(test_what_breaks_the_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
