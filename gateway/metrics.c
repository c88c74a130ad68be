/*
 * metrics: counters as text. What they mean is said in the header; who adds them up over workers is
 * the core.
 */
#include "metrics.h"

#include <inttypes.h>

void metrics_write(const struct metrics *m, struct buf *out)
{
#define METRICS_LINE(field, name) buf_printf(out, name "=%" PRIu64 "\n", m->field);
    METRICS_ROWS(METRICS_LINE)
#undef METRICS_LINE
    for (size_t i = 0; i < REFUSAL_KINDS; i++) {
        buf_printf(out, "gateway_refused_%s=%" PRIu64 "\n", refusal_name((enum refusal_kind)i),
                   m->refused[i]);
    }
}
