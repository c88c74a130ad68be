/* notify_test: the letters of notify-keyspace-events, as Redis 7.0.15 takes and gives them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "notify.h"

static const struct {
    const char *given;
    const char *shown;
} rows[] = {
    { "", "" },
    { "KEA", "AKE" },
    { "g", "g" },
    { "Kg", "gK" },
    { "E", "E" },
    { "mKE", "KEm" },
    { "nE", "nE" },
    { "KE$nm", "$nKEm" },
    { "g$lshzxetd", "A" },
    { "$lshzxeKE", "$lshzxeKE" },
    { "KKK", "K" },
    { "KEAmn", "AnKEm" }, /* Redis forgets the n beside an A */
};

static void test_letters(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 64);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint32_t flags = 0;
        buf_clear(&out);
        assert_int_equal(notify_parse(slice_of(rows[i].given), &flags), ERR_OK);
        notify_format(flags, &out);
        assert_int_equal(buf_len(&out), strlen(rows[i].shown));
        assert_memory_equal(out.p + out.start, rows[i].shown, buf_len(&out));
    }
    buf_release(&out);
}

static void test_unknown_letters(void **state)
{
    (void)state;
    uint32_t flags = 7;
    assert_int_equal(notify_parse(SLICE("Kq"), &flags), ERR_INVALID);
    assert_int_equal(notify_parse(SLICE("K\0"), &flags), ERR_INVALID);
    assert_int_equal(notify_parse(SLICE("k"), &flags), ERR_INVALID);
    assert_int_equal(flags, 7);
}

static void test_nothing_is_wanted_without_a_channel(void **state)
{
    (void)state;
    assert_int_equal(notify_wanted(EVENT_ALL), 0);
    assert_int_equal(notify_wanted(EVENT_KEYSPACE), 0);
    assert_int_equal(notify_wanted(EVENT_KEYEVENT | EVENT_STRING), EVENT_STRING);
    assert_int_equal(notify_wanted(EVENT_KEYSPACE | EVENT_NEW | EVENT_ALL), EVENT_NEW | EVENT_ALL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters),
        cmocka_unit_test(test_unknown_letters),
        cmocka_unit_test(test_nothing_is_wanted_without_a_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
