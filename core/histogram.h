/*
 * histogram: how often which duration came: counts in buckets whose width is a 32nd of their value, so that a percentile
 * is at most 3 % above the true one. Adding is a few instructions; nothing is allocated.
 */
#ifndef COFRE_HISTOGRAM_H
#define COFRE_HISTOGRAM_H

#include <stdint.h>

/*
 * Durations are kept as 1024ths of a microsecond: a power of two in microseconds is then the edge of a bucket, which is
 * what LATENCY HISTOGRAM asks for. What is longer than four minutes shares one bucket.
 */
enum { HISTOGRAM_BUCKETS = 33 * 32 };

struct histogram {
    uint64_t count;
    uint64_t max_ns;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);

/* histogram_percentile returns the duration, in ns, that `percent` of what was added did not pass; 0 when empty. */
uint64_t histogram_percentile(const struct histogram *h, double percent);

/* histogram_below returns how many of what was added took less than so many microseconds, a power of two. */
uint64_t histogram_below(const struct histogram *h, uint64_t us);

#endif
