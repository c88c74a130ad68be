/*
 * digest: the only file that sees xxhash.h, whose code is compiled in here; there is no library to link.
 */
#include "commands/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t digest_of(struct slice bytes)
{
    return XXH3_64bits(bytes.p, bytes.len);
}

void digest_text(uint64_t digest, char text[DIGEST_TEXT])
{
    for (int i = DIGEST_TEXT - 1; i >= 0; i--) {
        text[i] = "0123456789abcdef"[digest & 15];
        digest >>= 4;
    }
}
