/*
 * slice: a borrowed run of bytes. Whatever came from outside the process travels
 * as one: it may hold NUL, it is not a C string, and it lives only as long as the
 * buffer that it points into.
 */
#ifndef COFRE_BASE_SLICE_H
#define COFRE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct slice {
    const uint8_t *p;
    size_t len;
};

/* SLICE wraps a string literal; slice_of wraps a C string of our own. */
#define SLICE(literal) ((struct slice){ (const uint8_t *)("" literal), sizeof(literal) - 1 })

static inline struct slice slice_of(const char *text)
{
    return (struct slice){ (const uint8_t *)text, strlen(text) };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

bool slice_eq_nocase(struct slice a, struct slice b); /* ASCII case only */
int slice_cmp(struct slice a, struct slice b);        /* memcmp order, shorter first */

/* slice_dup copies the bytes plus a NUL that .len does not count; free((void *)copy.p). */
struct slice slice_dup(struct slice s);

/*
 * slice_to_i64 accepts what Redis's string2ll accepts: an optional minus, no plus, no
 * space, no leading zeros, no "-0", within int64_t. ERR_INVALID otherwise.
 */
MUST_CHECK enum err slice_to_i64(struct slice s, int64_t *out);
MUST_CHECK enum err slice_to_u64(struct slice s, uint64_t *out);

/* slice_is_text says whether the bytes are UTF-8 without NUL (what PostgreSQL's text holds). */
bool slice_is_text(struct slice s);

/*
 * slice_utf8_at returns the length of the valid UTF-8 sequence that starts at s.p[at], 0 when there
 * is none (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF), and its code point.
 */
size_t slice_utf8_at(struct slice s, size_t at, uint32_t *code);

/*
 * slice_glob matches as Redis's KEYS does: * ? [abc] [^a] [a-z] and backslash escapes.
 * Bounded: patterns with many stars do not go exponential.
 */
bool slice_glob(struct slice pattern, struct slice text, bool nocase);

/* slice_glob_prefix returns how many bytes of literal prefix a pattern has (escapes end it). */
size_t slice_glob_prefix(struct slice pattern);

/*
 * slice_hash is SipHash-1-3 under `seed` (two halves of the key are seed and ~seed).
 * Tables that outsiders can fill use a random seed.
 */
uint64_t slice_hash(struct slice s, uint64_t seed);
uint64_t slice_random_seed(void);

#endif
