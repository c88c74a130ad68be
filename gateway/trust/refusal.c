/*
 * refusal: the table of kinds, and the formatting of a reason. Whom to refuse is decided elsewhere.
 */
#include "trust/refusal.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    uint8_t alert;
} rows[] = {
#define REFUSAL_ROW(kind, name, alert) [kind] = { name, alert },
    REFUSAL_ROWS(REFUSAL_ROW)
#undef REFUSAL_ROW
};

void refusal_set(struct refusal *r, enum refusal_kind kind, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    r->kind = kind;
    vsnprintf(r->reason, sizeof(r->reason), fmt, args);
    va_end(args);
}

const char *refusal_name(enum refusal_kind kind)
{
    return rows[kind].name;
}

uint8_t refusal_alert(enum refusal_kind kind)
{
    return rows[kind].alert;
}
