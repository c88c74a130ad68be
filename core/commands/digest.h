/*
 * digest: XXH3 in 64 bits, the hash of DIGEST and of its conditions, and DUMP's checksum. Not for secrets: it is fast, and
 * whoever wants to can find two values with one digest.
 */
#ifndef COFRE_DIGEST_H
#define COFRE_DIGEST_H

#include "base/slice.h"

uint64_t digest_of(struct slice bytes);

/* DIGEST_TEXT hexadecimal digits, as DIGEST shows them. */
enum { DIGEST_TEXT = 16 };
void digest_text(uint64_t digest, char text[DIGEST_TEXT]);

#endif
