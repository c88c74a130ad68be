/*
 * slice: comparing, matching, hashing and number-reading of byte runs. Everything here works by
 * length; nothing allocates but slice_dup.
 */
#include "base/slice.h"

#include <endian.h>
#include <stdlib.h>
#include <sys/random.h>

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.p[i]) != lower(b.p[i])) {
            return false;
        }
    }
    return true;
}

int slice_cmp(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.p, b.p, common);
    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

struct slice slice_dup(struct slice s)
{
    uint8_t *copy = mem_alloc(s.len + 1);
    if (s.len > 0) {
        memcpy(copy, s.p, s.len);
    }
    copy[s.len] = 0;
    return (struct slice){ copy, s.len };
}

/* ---- numbers ---- */

enum err slice_to_u64(struct slice s, uint64_t *out)
{
    if (s.len == 0 || s.len > 20 || (s.p[0] == '0' && s.len > 1)) {
        return ERR_INVALID;
    }
    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)s.p[i] - '0';
        if (digit > 9 || n > (UINT64_MAX - digit) / 10) {
            return ERR_INVALID;
        }
        n = n * 10 + digit;
    }
    *out = n;
    return ERR_OK;
}

enum err slice_to_i64(struct slice s, int64_t *out)
{
    bool negative = s.len > 0 && s.p[0] == '-';
    struct slice digits = negative ? (struct slice){ s.p + 1, s.len - 1 } : s;
    uint64_t n;
    if (slice_to_u64(digits, &n) != ERR_OK || (negative && n == 0)) {
        return ERR_INVALID;
    }
    if (n > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        return ERR_INVALID;
    }
    *out = negative ? (int64_t)(0 - n) : (int64_t)n;
    return ERR_OK;
}

/* ---- text ---- */

/*
 * One row for each kind of lead byte (RFC 3629 §4): lead bytes [from, to], length of the sequence,
 * bounds of the second byte. Those bounds are what keeps out overlong forms, surrogates and
 * U+110000 onwards.
 */
static const struct utf8_row {
    uint8_t from, to, len, second_min, second_max;
} utf8_rows[] = {
    { 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf }, { 0xe1, 0xec, 3, 0x80, 0xbf },
    { 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf }, { 0xf0, 0xf0, 4, 0x90, 0xbf },
    { 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
};

static const struct utf8_row *find_utf8_row(uint8_t lead)
{
    for (size_t i = 0; i < ARRAY_SIZE(utf8_rows); i++) {
        if (lead >= utf8_rows[i].from && lead <= utf8_rows[i].to) {
            return &utf8_rows[i];
        }
    }
    return NULL;
}

size_t slice_utf8_at(struct slice s, size_t at, uint32_t *code)
{
    const uint8_t *p = s.p + at;
    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    const struct utf8_row *row = find_utf8_row(p[0]);
    if (row == NULL || s.len - at < row->len || p[1] < row->second_min || p[1] > row->second_max) {
        return 0;
    }
    uint32_t value = p[0] & (0xffu >> (row->len + 1));
    for (size_t i = 1; i < row->len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (p[i] & 0x3f);
    }
    *code = value;
    return row->len;
}

/* ascii_run counts ASCII bytes but NUL from p on, in steps of eight: it may stop short. */
static size_t ascii_run(const uint8_t *p, size_t len)
{
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
        uint64_t zero = (word - 0x0101010101010101u) & ~word;
        if (((word | zero) & 0x8080808080808080u) != 0) {
            break;
        }
    }
    return i;
}

bool slice_is_text(struct slice s)
{
    size_t i = 0;
    while (i < s.len) {
        i += ascii_run(s.p + i, s.len - i);
        /* the rest of the word that stopped the run, or of the slice */
        for (size_t stop = i + 8; i < s.len && i < stop;) {
            uint32_t code = 0;
            size_t len = slice_utf8_at(s, i, &code);
            if (len == 0 || code == 0) {
                return false;
            }
            i += len;
        }
    }
    return true;
}

/* ---- glob ---- */

static bool same(uint8_t a, uint8_t b, bool nocase)
{
    return nocase ? lower(a) == lower(b) : a == b;
}

static bool in_range(uint8_t from, uint8_t to, uint8_t c, bool nocase)
{
    if (from > to) {
        uint8_t swap = from;
        from = to;
        to = swap;
    }
    return nocase ? lower(c) >= lower(from) && lower(c) <= lower(to) : c >= from && c <= to;
}

/*
 * match_set matches c against the set after '[' at p[*at] and moves *at behind its ']'. As in
 * Redis, a set without ']' ends with the pattern, and [z-a] means [a-z].
 */
static bool match_set(struct slice p, size_t *at, uint8_t c, bool nocase)
{
    size_t i = *at;
    bool negated = i < p.len && p.p[i] == '^';
    bool found = false;
    if (negated) {
        i++;
    }
    for (; i < p.len && p.p[i] != ']'; i++) {
        if (p.p[i] == '\\' && i + 1 < p.len) {
            i++;
            found |= same(p.p[i], c, nocase);
        } else if (i + 2 < p.len && p.p[i + 1] == '-') {
            found |= in_range(p.p[i], p.p[i + 2], c, nocase);
            i += 2;
        } else {
            found |= same(p.p[i], c, nocase);
        }
    }
    *at = i < p.len ? i + 1 : p.len;
    return found != negated;
}

/* match_one matches c against the pattern's element at *at (not a star) and moves *at behind it. */
static bool match_one(struct slice p, size_t *at, uint8_t c, bool nocase)
{
    uint8_t first = p.p[(*at)++];
    if (first == '?') {
        return true;
    }
    if (first == '[') {
        return match_set(p, at, c, nocase);
    }
    if (first == '\\' && *at < p.len) {
        first = p.p[(*at)++];
    }
    return same(first, c, nocase);
}

bool slice_glob(struct slice pattern, struct slice text, bool nocase)
{
    if (text.len == 0) {
        return pattern.len == 0 ||
               slice_eq(pattern, SLICE("*")); /* as KEYS: no other pattern finds the empty key */
    }
    /* All but a star take one byte, so only the last star ever needs another try: no exponents. */
    size_t at = 0, i = 0;
    size_t after_star = SIZE_MAX, star_text = 0;
    while (i < text.len) {
        if (at < pattern.len && pattern.p[at] == '*') {
            after_star = ++at;
            star_text = i;
            continue;
        }
        if (at < pattern.len && match_one(pattern, &at, text.p[i], nocase)) {
            i++;
            continue;
        }
        if (after_star == SIZE_MAX) {
            return false;
        }
        at = after_star;
        i = ++star_text;
    }
    while (at < pattern.len && pattern.p[at] == '*') {
        at++;
    }
    return at == pattern.len;
}

size_t slice_glob_prefix(struct slice pattern)
{
    size_t n = 0;
    while (n < pattern.len && pattern.p[n] != '*' && pattern.p[n] != '?' && pattern.p[n] != '[' &&
           pattern.p[n] != '\\') {
        n++;
    }
    return n;
}

/* ---- SipHash-1-3 (Aumasson and Bernstein, 2012) ---- */

struct sip {
    uint64_t a, b, c, d;
};

static inline uint64_t rotl(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static inline void sip_round(struct sip *v)
{
    v->a += v->b;
    v->b = rotl(v->b, 13) ^ v->a;
    v->a = rotl(v->a, 32);
    v->c += v->d;
    v->d = rotl(v->d, 16) ^ v->c;
    v->a += v->d;
    v->d = rotl(v->d, 21) ^ v->a;
    v->c += v->b;
    v->b = rotl(v->b, 17) ^ v->c;
    v->c = rotl(v->c, 32);
}

static inline void sip_word(struct sip *v, uint64_t word)
{
    v->d ^= word;
    sip_round(v);
    v->a ^= word;
}

uint64_t slice_random_seed(void)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        abort(); /* cannot be: 8 bytes are never cut short once the pool is ready, getrandom(2) */
    return seed;
}

uint64_t slice_hash(struct slice s, uint64_t seed)
{
    struct sip v = { seed ^ 0x736f6d6570736575u, ~seed ^ 0x646f72616e646f6du,
                     seed ^ 0x6c7967656e657261u, ~seed ^ 0x7465646279746573u };
    size_t whole = s.len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word;
        memcpy(&word, s.p + i, 8);
        sip_word(&v, le64toh(word));
    }
    uint64_t last = (uint64_t)s.len << 56;
    for (size_t i = whole; i < s.len; i++) {
        last |= (uint64_t)s.p[i] << (8 * (i - whole));
    }
    sip_word(&v, last);
    v.c ^= 0xff;
    sip_round(&v);
    sip_round(&v);
    sip_round(&v);
    return v.a ^ v.b ^ v.c ^ v.d;
}
