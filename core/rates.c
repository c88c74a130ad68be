/* Rates: differences of totals, in a ring. */
#include "rates.h"

void rates_sample(struct rates *r, uint64_t now_ms, const uint64_t totals[RATE_COUNT])
{
    const uint64_t passed = now_ms - r->at_ms;
    if (r->at_ms != 0 && passed == 0)
        return;
    for (int i = 0; i < RATE_COUNT; i++) {
        /* a total that was reset begins anew */
        const uint64_t more = totals[i] >= r->total[i] ? totals[i] - r->total[i] : totals[i];
        if (r->at_ms != 0)
            r->sample[i][r->next] = more * 1000 / passed;
        r->total[i] = totals[i];
    }
    if (r->at_ms != 0)
        r->next = (r->next + 1) % RATES_SAMPLES;
    r->at_ms = now_ms;
}

uint64_t rates_per_second(const struct rates *r, enum rate which)
{
    uint64_t sum = 0;
    for (int i = 0; i < RATES_SAMPLES; i++)
        sum += r->sample[which][i];
    return sum / RATES_SAMPLES;
}
