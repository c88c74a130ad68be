/* The histogram: 32 buckets for each power of two; below 32 each value has its own. */
#include "histogram.h"

#include <stddef.h>

enum { SUB_BITS = 5, SUB = 1 << SUB_BITS };

static uint64_t units(uint64_t ns)
{
    return ns > UINT64_MAX >> 7 ? UINT64_MAX : (ns << 7) / 125;
}

static uint64_t nanoseconds(uint64_t u)
{
    return u * 125 >> 7;
}

static size_t bucket_of(uint64_t u)
{
    if (u < SUB)
        return (size_t)u;
    const unsigned shift = 63u - (unsigned)__builtin_clzll(u) - SUB_BITS;
    const size_t i = ((size_t)(shift + 1) << SUB_BITS) + (size_t)(u >> shift & (SUB - 1));
    return i < HISTOGRAM_BUCKETS ? i : HISTOGRAM_BUCKETS - 1;
}

/* The greatest value that falls into bucket i. */
static uint64_t top_of(size_t i)
{
    if (i < SUB)
        return i;
    const unsigned shift = (unsigned)(i >> SUB_BITS) - 1;
    return ((uint64_t)(SUB + (i & (SUB - 1)) + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
    h->count++;
    h->buckets[bucket_of(units(ns))]++;
    if (ns > h->max_ns)
        h->max_ns = ns;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
    if (h->count == 0)
        return 0;
    const double share = percent / 100 * (double)h->count * (1 - 1e-12); /* 99.9 is a little more */
    uint64_t seen = 0;
    size_t i = 0;
    while (i < HISTOGRAM_BUCKETS - 1) {
        seen += h->buckets[i];
        if (seen > 0 && (double)seen >= share)
            break;
        i++;
    }
    if (i == HISTOGRAM_BUCKETS - 1)
        return h->max_ns;
    const uint64_t ns = nanoseconds(top_of(i));
    return ns < h->max_ns ? ns : h->max_ns;
}

uint64_t histogram_below(const struct histogram *h, uint64_t us)
{
    const size_t end = bucket_of(us << 10);
    uint64_t seen = 0;
    for (size_t i = 0; i < end; i++)
        seen += h->buckets[i];
    return seen;
}
