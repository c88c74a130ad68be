/*
 * counters: values that are numbers: INCR and its kin.
 */
#include "commands/commands.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* store writes the number's text into the entry, which is made if need be; an expiry stays. */
static void store(struct call *call, struct entry *e, const char *text, size_t length,
                  const char *event)
{
    memcpy(call_edit(call, 1, e, length), text, length);
    call_event(call, EVENT_STRING, event, call->argv[1]);
}

/* --- INCR DECR INCRBY DECRBY ------------------------------------------------------------- */

enum { I64_TEXT = 20 }; /* "-9223372036854775808" */

/* i64_text writes n's digits to the end of `text` and returns where they start. */
static char *i64_text(int64_t n, char text[I64_TEXT])
{
    uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
    char *p = text + I64_TEXT;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (n < 0) {
        *--p = '-';
    }
    return p;
}

static void increment(struct call *call, int64_t by)
{
    struct entry *e = call_find(call, 1);
    int64_t n = 0;
    if (e != NULL && slice_to_i64(e->value, &n) != ERR_OK) {
        reply_not_integer(call);
        return;
    }
    if (__builtin_add_overflow(n, by, &n)) {
        resp_error(call->reply, "ERR increment or decrement would overflow");
        return;
    }
    char text[I64_TEXT];
    char *digits = i64_text(n, text);
    store(call, e, digits, (size_t)(text + I64_TEXT - digits), "incrby");
    resp_int(call->reply, n);
}

void run_incr(struct call *call)
{
    increment(call, 1);
}

void run_decr(struct call *call)
{
    increment(call, -1);
}

void run_incrby(struct call *call)
{
    int64_t by = 0;
    if (call_i64(call, 2, &by)) {
        increment(call, by);
    }
}

void run_decrby(struct call *call)
{
    int64_t by = 0;
    if (!call_i64(call, 2, &by)) {
        return;
    }
    if (by == INT64_MIN) {
        resp_error(call->reply, "ERR decrement would overflow");
        return;
    }
    increment(call, -by);
}

/* --- INCRBYFLOAT ------------------------------------------------------------------------- */

enum {
    FLOAT_TEXT = 5 * 1024, /* longer numbers are refused, as in Redis (MAX_LONG_DOUBLE_CHARS) */
    FLOAT_DIGITS = 17,     /* behind the point */
};

/* parse_float takes what Redis's string2ld takes: strtold's notations, but no space around and no NaN. */
static bool parse_float(struct slice s, long double *out)
{
    char text[FLOAT_TEXT];
    if (s.len == 0 || s.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    char *end = NULL;
    errno = 0;
    long double n = strtold(text, &end);
    bool range = errno == ERANGE && (isinf(n) || fpclassify(n) == FP_ZERO);
    if (isspace((unsigned char)text[0]) || end != text + s.len || range || errno == EINVAL ||
        isnan(n)) {
        return false;
    }
    *out = n;
    return true;
}

/* float_text writes n without exponent and without zeros at the end; returns the length. */
static size_t float_text(long double n, char text[FLOAT_TEXT])
{
    int written = snprintf(text, FLOAT_TEXT, "%.*Lf", FLOAT_DIGITS, n);
    size_t length = written > 0 && written < FLOAT_TEXT ? (size_t)written : 0;
    if (memchr(text, '.', length) != NULL) {
        while (text[length - 1] == '0') {
            length--;
        }
        length -= text[length - 1] == '.';
    }
    if (length == 2 && memcmp(text, "-0", 2) == 0) {
        text[0] = '0';
        length = 1;
    }
    return length;
}

void run_incrbyfloat(struct call *call)
{
    struct entry *e = call_find(call, 1);
    long double n = 0;
    long double by = 0;
    if ((e != NULL && !parse_float(e->value, &n)) || !parse_float(call->argv[2], &by)) {
        resp_error(call->reply, "ERR value is not a valid float");
        return;
    }
    n += by;
    if (isnan(n) || isinf(n)) {
        resp_error(call->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    char text[FLOAT_TEXT];
    size_t length = float_text(n, text);
    store(call, e, text, length, "incrbyfloat");
    resp_bulk(call->reply, (struct slice){ (const uint8_t *)text, length });
}
