/*
 * hll on whatever a client has stored: the first two bytes of an input choose a register and a rank, the rest is the
 * value, in a block of its own exact size.
 */
#include <stdlib.h>

#include "commands/hll.h"

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void raise_sparse(struct slice value, struct hll_hit hit)
{
    size_t length = value.len;
    uint8_t *p = malloc(length + HLL_SPARSE_GROWTH);
    memcpy(p, value.p, length);
    if (hll_sparse_raise(p, &length, hit)) {
        must(length <= value.len + HLL_SPARSE_GROWTH);
        must(hll_rank((struct slice){ p, length }, hit.index) == hit.rank);
    } else {
        must(length == value.len);
    }
    free(p);
}

static void use(struct slice value, struct hll_hit hit)
{
    uint8_t registers[HLL_REGISTERS] = { 0 };
    bool sound = hll_merge(value, registers);
    int rank = hll_rank(value, hit.index);
    must(!sound || rank == registers[hit.index]);
    hll_estimate(registers);
    struct hll_run run = { .at = HLL_HEADER_BYTES };
    while (hll_next_run(value, &run)) {
        must(run.count > 0 && run.at + run.bytes <= value.len);
    }
    if (hll_form(value) == HLL_SPARSE && rank >= 0 && rank < hit.rank) {
        raise_sparse(value, hit);
    }
    if (sound) {
        uint8_t *dense = malloc(HLL_DENSE_BYTES);
        memcpy(dense, value.p, HLL_HEADER_BYTES);
        hll_write_dense(dense, registers);
        must(hll_is((struct slice){ dense, HLL_DENSE_BYTES }));
        must(hll_rank((struct slice){ dense, HLL_DENSE_BYTES }, hit.index) == rank);
        free(dense);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    struct hll_hit hit = { (data[0] << 8 | data[1]) & (HLL_REGISTERS - 1),
                           (uint8_t)((data[0] >> 6) * 12 + 1) };
    uint8_t *p = malloc(size - 2);
    memcpy(p, data + 2, size - 2);
    if (hll_is((struct slice){ p, size - 2 })) {
        use((struct slice){ p, size - 2 }, hit);
    }
    free(p);
    return 0;
}
