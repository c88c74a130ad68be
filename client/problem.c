/* problem: see problem.h. It decides no wording; it only makes the sentence safe to print. */
#include "problem.h"

#include <stdarg.h>
#include <stdio.h>

void problem_set(struct problem *p, enum exit_code exit_code, const char *fmt, ...)
{
    char text[sizeof(p->text)]; /* an argument may be the old sentence */
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    size_t i = 0;
    for (; text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];
        p->text[i] = (c < 0x20 || c == 0x7f) ? '?' : text[i];
    }
    p->text[i] = '\0';
    p->exit_code = exit_code;
}

void problem_print(const struct problem *p)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "cofre: %s\n", p->text);
}
