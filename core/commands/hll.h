/*
 * hll: the bytes of a HyperLogLog value, the same as Redis's, so that one may be moved between the two by GET and SET.
 * It knows bytes only, no keys and no replies.
 *
 *     "HYLL" · form (1) · 0 0 0 · cached cardinality (8, little-endian; highest bit set: stale) · registers
 *
 * There are 2^14 registers. The low 14 bits of an element's hash choose one; it keeps the greatest rank seen, which is
 * the place of the lowest 1 in the other 50 bits: 1 to 51; 0 is none yet.
 *
 * HLL_DENSE    6 bits each, the first register in the lowest bits of the first byte
 * HLL_SPARSE   runs of equal registers, which together make 2^14:
 *                  00nnnnnn             n + 1 that are 0
 *                  01nnnnnn nnnnnnnn    n + 1 that are 0
 *                  1vvvvvnn             n + 1 that are v + 1
 */
#ifndef COFRE_HLL_H
#define COFRE_HLL_H

#include "base/slice.h"

enum {
    HLL_REGISTERS = 1 << 14,
    HLL_HEADER_BYTES = 16,
    HLL_DENSE_BYTES = HLL_HEADER_BYTES + HLL_REGISTERS * 6 / 8,
    HLL_EMPTY_BYTES = HLL_HEADER_BYTES + 2,
    HLL_SPARSE_MAX = 3000, /* longer ones become dense: Redis's default of hll-sparse-max-bytes */
    HLL_SPARSE_RANK_MAX = 32,
    HLL_SPARSE_GROWTH = 4, /* most bytes that hll_sparse_raise adds: to a run that was cut off */
};

enum hll_form { HLL_DENSE = 0, HLL_SPARSE = 1 };

/* hll_is says whether the header is right, and the length where that is fixed. Below, `value` is such a one. */
bool hll_is(struct slice value);

static inline enum hll_form hll_form(struct slice value)
{
    return value.p[4] == HLL_DENSE ? HLL_DENSE : HLL_SPARSE;
}

/* hll_write_empty makes p[0, HLL_EMPTY_BYTES) a value without elements: sparse, cached cardinality 0. */
void hll_write_empty(uint8_t *p);

/* hll_cached is false when the cached cardinality is stale. */
bool hll_cached(struct slice value, uint64_t *out);
void hll_set_cached(uint8_t *p, uint64_t cardinality);
void hll_set_stale(uint8_t *p);

/* What an element does: the register is raised to the rank, if it is below. */
struct hll_hit {
    unsigned index;
    uint8_t rank;
};

struct hll_hit hll_hit(struct slice element);

/* A run of equal registers in a sparse value; { .at = HLL_HEADER_BYTES } is before the first. */
struct hll_run {
    size_t at; /* in the value: where its bytes are, and how many */
    size_t bytes;
    size_t first; /* register */
    size_t count;
    uint8_t rank;
    bool is_long; /* of zeros, in two bytes */
};

/* hll_next_run goes on to the next run; false at the end. Whatever the bytes are, it stays among them. */
bool hll_next_run(struct slice value, struct hll_run *run);

/* hll_rank returns a register's rank, or -1 when a sparse value ends before it. */
int hll_rank(struct slice value, unsigned index);

/*
 * hll_merge raises registers[HLL_REGISTERS] to the value's own. False when a sparse value does not have exactly
 * HLL_REGISTERS; some may have been raised then.
 */
MUST_CHECK bool hll_merge(struct slice value, uint8_t *registers);

/* hll_estimate returns how many different elements made these registers. */
uint64_t hll_estimate(const uint8_t *registers);

/* hll_write_dense makes a sparse header and what is behind it, p[0, HLL_DENSE_BYTES), dense with these registers. */
void hll_write_dense(uint8_t *p, const uint8_t *registers);

/* hll_dense_raise sets a register of the dense value at p. */
void hll_dense_raise(uint8_t *p, struct hll_hit hit);

/*
 * hll_sparse_raise sets a register that hll_rank found to be lower, in the sparse value p[0, *length), behind which
 * there is room for HLL_SPARSE_GROWTH bytes; *length becomes the new one. False, with nothing changed, when it has to
 * become dense for that.
 */
MUST_CHECK bool hll_sparse_raise(uint8_t *p, size_t *length, struct hll_hit hit);

#endif
