/*
 * histogram: latencies in nanoseconds, kept as counts of buckets that are at most 1/64 wide.
 * A value type of about 17 KiB; zero it to start.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_FINE    64 /* buckets for each power of two */
#define HISTOGRAM_BUCKETS (HISTOGRAM_FINE * 36)

struct histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* histogram_add counts one latency, `times` times over. */
void histogram_add(struct histogram *h, uint64_t ns, uint64_t times);

/* histogram_at returns the latency that `share` (0 to 1) of all are not above; 0 when there are none. */
uint64_t histogram_at(const struct histogram *h, double share);

#endif
