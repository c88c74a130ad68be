/*
 * histogram: log-linear buckets, as HdrHistogram has them: below HISTOGRAM_FINE exact, above that the top
 * seven bits of the value say which bucket.
 */
#include "histogram.h"

static unsigned bucket_of(uint64_t ns)
{
    if (ns < HISTOGRAM_FINE) {
        return (unsigned)ns;
    }
    unsigned shift = 63U - 6U - (unsigned)__builtin_clzll(ns);
    unsigned bucket = (shift + 1) * HISTOGRAM_FINE + (unsigned)(ns >> shift) - HISTOGRAM_FINE;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The bucket's upper edge. */
static uint64_t value_of(unsigned bucket)
{
    if (bucket < HISTOGRAM_FINE) {
        return bucket;
    }
    unsigned shift = bucket / HISTOGRAM_FINE - 1;
    uint64_t top = bucket % HISTOGRAM_FINE + HISTOGRAM_FINE;
    return ((top + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns, uint64_t times)
{
    h->buckets[bucket_of(ns)] += times;
    h->count += times;
    h->sum += ns * times;
    if (ns > h->max) {
        h->max = ns;
    }
}

uint64_t histogram_at(const struct histogram *h, double share)
{
    uint64_t rank = (uint64_t)(share * (double)h->count + 0.5);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && h->count > 0; i++) {
        seen += h->buckets[i];
        if (seen >= rank && seen > 0) {
            return value_of(i) < h->max ? value_of(i) : h->max;
        }
    }
    return h->max;
}
