/* problem: a sentence is one line, whatever is in its arguments, and may quote the one before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "problem.h"

static void test_sentence(void **state)
{
    struct problem p = { 0 };
    (void)state;
    problem_set(&p, EXIT_USAGE, "bad name %s", "a\nb\x1b[31m\x7f");
    assert_string_equal(p.text, "bad name a?b?[31m?");
    assert_int_equal(p.exit_code, EXIT_USAGE);
    problem_set(&p, EXIT_CONNECTION, "%s; and more", p.text);
    assert_string_equal(p.text, "bad name a?b?[31m?; and more");
}

static void test_long(void **state)
{
    struct problem p = { 0 };
    char text[5000];
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    problem_set(&p, EXIT_USAGE, "%s", text);
    assert_int_equal(strlen(p.text), sizeof(p.text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentence),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
