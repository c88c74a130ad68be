/*
 * bits: what the commands on single bits and on bit fields share.
 */
#ifndef COFRE_BITS_H
#define COFRE_BITS_H

#include "command_table.h"

/*
 * bit_offset reads the position of a bit, below 2^32; with a width above 0 also "#n", the n-th field of that width.
 * Returns the error text, or NULL. How long a value may be is another question: call_value_fits.
 */
MUST_CHECK const char *bit_offset(struct slice s, unsigned width, uint64_t *out);

#endif
