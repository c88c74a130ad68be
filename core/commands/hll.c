/*
 * hll: see the header. The format and the hash are Redis's; the estimator is by Otmar Ertl, "New cardinality
 * estimation algorithms for HyperLogLog sketches", arXiv:1702.01284.
 */
#include "commands/hll.h"

#include <math.h>
#include <string.h>

enum {
    INDEX_BITS = 14,
    RANK_MAX = 64 - INDEX_BITS + 1,
    RANKS = 64, /* that 6 bits can say; above RANK_MAX only where somebody else wrote them */
    CACHE_AT = 8,
    STALE = 0x80, /* in the last byte of the cache */
    RUN_SHORT_MAX = 64,
    RUN_VALUE_MAX = 4,
};

/* --- header ------------------------------------------------------------------------------ */

bool hll_is(struct slice value)
{
    return value.len >= HLL_HEADER_BYTES && memcmp(value.p, "HYLL", 4) == 0 &&
           value.p[4] <= HLL_SPARSE && (value.p[4] == HLL_SPARSE || value.len == HLL_DENSE_BYTES);
}

bool hll_cached(struct slice value, uint64_t *out)
{
    if ((value.p[HLL_HEADER_BYTES - 1] & STALE) != 0) {
        return false;
    }
    uint64_t cardinality = 0;
    for (int i = HLL_HEADER_BYTES - 1; i >= CACHE_AT; i--) {
        cardinality = cardinality << 8 | value.p[i];
    }
    *out = cardinality;
    return true;
}

void hll_set_cached(uint8_t *p, uint64_t cardinality)
{
    for (int i = CACHE_AT; i < HLL_HEADER_BYTES; i++) {
        p[i] = (uint8_t)cardinality;
        cardinality >>= 8;
    }
}

void hll_set_stale(uint8_t *p)
{
    p[HLL_HEADER_BYTES - 1] |= STALE;
}

/* --- elements ---------------------------------------------------------------------------- */

static uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t word = 0;
    for (size_t i = n; i > 0; i--) {
        word = word << 8 | p[i - 1];
    }
    return word;
}

/* murmur is MurmurHash64A: another hash, or another seed, would be another value. */
static uint64_t murmur(struct slice s)
{
    const uint64_t m = UINT64_C(0xC6A4A7935BD1E995);
    const int shift = 47;
    uint64_t h = UINT64_C(0xADC83B19) ^ s.len * m;
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        uint64_t k = load_le(s.p + i, 8) * m;
        h = (h ^ (k ^ k >> shift) * m) * m;
    }
    if (i < s.len) {
        h = (h ^ load_le(s.p + i, s.len - i)) * m;
    }
    h = (h ^ h >> shift) * m;
    return h ^ h >> shift;
}

struct hll_hit hll_hit(struct slice element)
{
    uint64_t hash = murmur(element);
    uint64_t rest = hash >> INDEX_BITS | UINT64_C(1) << (RANK_MAX - 1);
    return (struct hll_hit){ (unsigned)(hash & (HLL_REGISTERS - 1)),
                             (uint8_t)(__builtin_ctzll(rest) + 1) };
}

/* --- dense ------------------------------------------------------------------------------- */

/* Four registers are three bytes: four_at is where those of a register are. */
static size_t four_at(unsigned index)
{
    return HLL_HEADER_BYTES + index / 4 * 3;
}

static unsigned load_four(const uint8_t *p)
{
    return p[0] | (unsigned)p[1] << 8 | (unsigned)p[2] << 16;
}

static void store_four(uint8_t *p, unsigned four)
{
    p[0] = (uint8_t)four;
    p[1] = (uint8_t)(four >> 8);
    p[2] = (uint8_t)(four >> 16);
}

static unsigned dense_rank(const uint8_t *p, unsigned index)
{
    return load_four(p + four_at(index)) >> index % 4 * 6 & (RANKS - 1);
}

void hll_dense_raise(uint8_t *p, struct hll_hit hit)
{
    unsigned shift = hit.index % 4 * 6;
    p += four_at(hit.index);
    store_four(p, (load_four(p) & ~((RANKS - 1U) << shift)) | (unsigned)hit.rank << shift);
}

void hll_write_dense(uint8_t *p, const uint8_t *registers)
{
    p[4] = HLL_DENSE;
    for (unsigned i = 0; i < HLL_REGISTERS; i += 4) {
        const uint8_t *r = registers + i;
        store_four(p + four_at(i),
                   r[0] | (unsigned)r[1] << 6 | (unsigned)r[2] << 12 | (unsigned)r[3] << 18);
    }
}

/* --- sparse ------------------------------------------------------------------------------ */

static bool is_value(uint8_t byte)
{
    return (byte & 0x80) != 0;
}

static bool is_long(uint8_t byte)
{
    return (byte & 0xC0) == 0x40;
}

static inline bool next_run(struct slice value, struct hll_run *run)
{
    size_t at = run->at + run->bytes;
    if (at >= value.len) {
        return false;
    }
    uint8_t byte = value.p[at];
    unsigned second = at + 1 < value.len ? value.p[at + 1] : 0; /* it may have been cut off */
    *run = (struct hll_run){ .at = at, .bytes = 1, .first = run->first + run->count };
    if (is_value(byte)) {
        run->rank = (uint8_t)((byte >> 2 & 0x1F) + 1);
        run->count = (byte & 3U) + 1;
    } else if (is_long(byte)) {
        run->is_long = true;
        run->bytes = at + 1 < value.len ? 2 : 1;
        run->count = ((byte & 0x3FU) << 8 | second) + 1;
    } else {
        run->count = (byte & 0x3FU) + 1;
    }
    return true;
}

bool hll_next_run(struct slice value, struct hll_run *run)
{
    return next_run(value, run);
}

/* put_run writes the shortest bytes for a run, none for an empty one, and returns where they end. */
static uint8_t *put_run(uint8_t *to, uint8_t rank, size_t count)
{
    if (count == 0) {
        return to;
    }
    unsigned n = (unsigned)count - 1;
    if (rank > 0) {
        *to++ = (uint8_t)(0x80U | (rank - 1U) << 2 | n);
    } else if (count <= RUN_SHORT_MAX) {
        *to++ = (uint8_t)n;
    } else {
        *to++ = (uint8_t)(0x40 | n >> 8);
        *to++ = (uint8_t)n;
    }
    return to;
}

void hll_write_empty(uint8_t *p)
{
    memset(p, 0, HLL_HEADER_BYTES);
    memcpy(p, "HYLL", 4);
    p[4] = HLL_SPARSE;
    put_run(p + HLL_HEADER_BYTES, 0, HLL_REGISTERS);
}

/* find_run finds the run of a register, and where the one before it is (the same place, for the first). */
static bool find_run(struct slice value, unsigned index, struct hll_run *run, size_t *before)
{
    *run = (struct hll_run){ .at = HLL_HEADER_BYTES };
    do {
        *before = run->at;
        if (!next_run(value, run)) {
            return false;
        }
    } while (index >= run->first + run->count);
    return true;
}

/*
 * join_runs joins neighbours of one rank, from `at` on, a few steps far. Redis does it just so: with other runs, equal
 * registers would have other bytes.
 */
static size_t join_runs(uint8_t *p, size_t at, size_t length)
{
    for (int steps = 5; steps > 0 && at < length; steps--) {
        bool pair = is_value(p[at]) && at + 1 < length && is_value(p[at + 1]);
        unsigned count = (p[at] & 3U) + 2; /* of both, when the other one has 1 */
        if (pair && p[at] >> 2 == p[at + 1] >> 2 && count + (p[at + 1] & 3U) <= RUN_VALUE_MAX) {
            p[at + 1] = (uint8_t)(p[at + 1] + count - 1);
            memmove(p + at, p + at + 1, length - at - 1);
            length--;
        } else {
            at += is_long(p[at]) ? 2 : 1;
        }
    }
    return length;
}

bool hll_sparse_raise(uint8_t *p, size_t *length, struct hll_hit hit)
{
    struct hll_run run;
    size_t before = 0;
    if (hit.rank > HLL_SPARSE_RANK_MAX ||
        !find_run((struct slice){ p, *length }, hit.index, &run, &before)) {
        return false;
    }
    uint8_t parts[5]; /* what it was · the register · what it was */
    uint8_t *end = put_run(parts, run.rank, hit.index - run.first);
    end = put_run(end, hit.rank, 1);
    end = put_run(end, run.rank, run.first + run.count - 1 - hit.index);
    size_t bytes = (size_t)(end - parts);
    size_t grown = *length - run.bytes + bytes;
    if (grown > *length && grown > HLL_SPARSE_MAX) {
        return false;
    }
    size_t behind = run.at + run.bytes;
    memmove(p + run.at + bytes, p + behind, *length - behind);
    memcpy(p + run.at, parts, bytes);
    *length = join_runs(p, before, grown);
    hll_set_stale(p);
    return true;
}

/* --- all registers ----------------------------------------------------------------------- */

int hll_rank(struct slice value, unsigned index)
{
    struct hll_run run;
    size_t before = 0;
    if (hll_form(value) == HLL_DENSE) {
        return (int)dense_rank(value.p, index);
    }
    return find_run(value, index, &run, &before) ? run.rank : -1;
}

static void raise_all(uint8_t *registers, size_t count, uint8_t rank)
{
    for (size_t i = 0; i < count; i++) {
        registers[i] = registers[i] < rank ? rank : registers[i];
    }
}

bool hll_merge(struct slice value, uint8_t *registers)
{
    if (hll_form(value) == HLL_DENSE) {
        for (unsigned i = 0; i < HLL_REGISTERS; i++) {
            raise_all(registers + i, 1, (uint8_t)dense_rank(value.p, i));
        }
        return true;
    }
    struct hll_run run = { .at = HLL_HEADER_BYTES };
    while (hll_next_run(value, &run)) {
        if (run.first + run.count > HLL_REGISTERS) {
            return false;
        }
        if (run.rank > 0) {
            raise_all(registers + run.first, run.count, run.rank);
        }
    }
    return run.first + run.count == HLL_REGISTERS;
}

/* --- estimate ---------------------------------------------------------------------------- */

/* sigma of the paper: x + the sum of x^(2^k) · 2^(k-1) over k ≥ 1, as far as doubles tell a difference. */
static double sigma(double x)
{
    if (x == 1) {
        return INFINITY;
    }
    double sum = x;
    double before = 0;
    double weight = 1;
    while (sum != before) {
        x *= x;
        before = sum;
        sum += x * weight;
        weight += weight;
    }
    return sum;
}

/* tau of the paper: a third of 1 − x − the sum of (1 − x^(2^−k))² · 2^−k over k ≥ 1. */
static double tau(double x)
{
    if (x == 0 || x == 1) {
        return 0;
    }
    double sum = 1 - x;
    double before = 0;
    double weight = 1;
    while (sum != before) {
        x = sqrt(x);
        before = sum;
        weight *= 0.5;
        sum -= (1 - x) * (1 - x) * weight;
    }
    return sum / 3;
}

uint64_t hll_estimate(const uint8_t *registers)
{
    const double m = HLL_REGISTERS;
    const double alpha = 0.5 / M_LN2;
    int histogram[RANKS] = { 0 };
    for (size_t i = 0; i < HLL_REGISTERS; i++) {
        histogram[registers[i]]++;
    }
    double z = m * tau((m - histogram[RANK_MAX]) / m);
    for (int rank = RANK_MAX - 1; rank >= 1; rank--) {
        z = (z + histogram[rank]) * 0.5;
    }
    z += m * sigma(histogram[0] / m);
    double estimate = alpha * m * m / z;
    /* Registers that no elements make have no estimate: then what Redis answers on most machines, INT64_MIN. */
    return estimate < 0x1p63 ? (uint64_t)llround(estimate) : UINT64_C(1) << 63;
}
