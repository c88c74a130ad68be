/* err: every code has a text of its own; memory comes zeroed where it says so, and never NULL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"

static void test_texts(void **state)
{
    (void)state;
    for (int i = ERR_OK; i >= ERR_INTERRUPTED; i--) {
        for (int j = ERR_OK; j > i; j--) {
            assert_string_not_equal(err_text((enum err)i), err_text((enum err)j));
        }
    }
    assert_string_equal(err_text((enum err)1), "unknown error");
    assert_string_equal(err_text((enum err)(ERR_INTERRUPTED - 1)), "unknown error");
    assert_string_equal(err_text((enum err)INT32_MIN), "unknown error");
}

static void test_memory(void **state)
{
    (void)state;
    uint8_t *p = mem_zalloc(100);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(p[i], 0);
    }
    p = mem_realloc(p, 200);
    memset(p, 1, 200);
    free(p);
    free(mem_alloc(0));
    char *text = mem_strdup("text");
    assert_string_equal(text, "text");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
