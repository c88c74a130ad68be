/*
 * rates: how much there is of something a second, as INFO's instantaneous_* say: the mean of the last 16 samples, of which
 * one is taken each 100 ms. Memory alone.
 */
#ifndef COFRE_RATES_H
#define COFRE_RATES_H

#include <stdint.h>

enum rate { RATE_COMMANDS, RATE_BYTES_IN, RATE_BYTES_OUT, RATE_COUNT };
enum { RATES_SAMPLES = 16 };

struct rates {
    uint64_t at_ms; /* of the last sample; 0: none yet */
    uint64_t total[RATE_COUNT];
    uint64_t sample[RATE_COUNT][RATES_SAMPLES]; /* a second */
    unsigned next;
};

/* rates_sample takes the totals as they are now, on any clock that never stands still or goes back. */
void rates_sample(struct rates *r, uint64_t now_ms, const uint64_t totals[RATE_COUNT]);
uint64_t rates_per_second(const struct rates *r, enum rate which);

#endif
