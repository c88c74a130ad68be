/* editor: which lines are kept out of the history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "editor.h"

static void test_secrets(void **state)
{
    (void)state;
    assert_true(editor_is_secret(SLICE("AUTH secret")));
    assert_true(editor_is_secret(SLICE("  auth user secret")));
    assert_true(editor_is_secret(SLICE("hello 3 AUTH user secret")));
    assert_true(editor_is_secret(SLICE("ACL SETUSER x >secret")));
    assert_true(editor_is_secret(SLICE("auth \"open")));
    assert_false(editor_is_secret(SLICE("SET author me")));
    assert_false(editor_is_secret(SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
