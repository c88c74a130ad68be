/*
 * bits: values as rows of bits: GETBIT, SETBIT, BITCOUNT, BITPOS, BITOP. Bit 0 is the highest one of the first byte;
 * behind the end of a value all bits are 0.
 */
#include "commands/bits.h"
#include "commands/commands.h"

#include <string.h>

/* Redis's end of all bits: 512 MiB. Ours are fewer, but those behind can be asked for. */
static const int64_t offset_end = INT64_C(1) << 32;

const char *bit_offset(struct slice s, unsigned width, uint64_t *out)
{
    int64_t offset = 0;
    bool counted = width > 0 && s.len > 0 && s.p[0] == '#';
    struct slice digits = { s.p + counted, s.len - counted };
    if (slice_to_i64(digits, &offset) != ERR_OK ||
        (counted && __builtin_mul_overflow(offset, (int64_t)width, &offset)) || offset < 0 ||
        offset >= offset_end) {
        return "ERR bit offset is not an integer or out of range";
    }
    *out = (uint64_t)offset;
    return NULL;
}

/* --- GETBIT SETBIT ----------------------------------------------------------------------- */

static bool bit_at(struct slice value, uint64_t offset)
{
    return offset / 8 < value.len && (value.p[offset / 8] << offset % 8 & 0x80) != 0;
}

void run_getbit(struct call *call)
{
    uint64_t offset = 0;
    const char *error = bit_offset(call->argv[2], 0, &offset);
    if (error != NULL) {
        resp_error(call->reply, "%s", error);
        return;
    }
    const struct entry *e = call_read(call, 1);
    resp_int(call->reply, e != NULL && bit_at(e->value, offset));
}

static const char *parse_bit(struct slice s, bool *out)
{
    int64_t n = 0;
    if (slice_to_i64(s, &n) != ERR_OK || n < 0 || n > 1) {
        return "ERR bit is not an integer or out of range";
    }
    *out = n == 1;
    return NULL;
}

/* set_bit leaves a value alone that is as it should be: as in Redis, whoever watches it sees no change. */
static void set_bit(struct call *call, uint64_t offset, bool on)
{
    struct entry *e = call_find(call, 1);
    size_t length = e != NULL ? e->length : 0;
    size_t needed = (size_t)(offset / 8) + 1;
    if (needed > length && !call_value_fits(call, needed)) {
        return;
    }
    bool old = e != NULL && bit_at(e->value, offset);
    if (needed > length || old != on) {
        uint8_t *p = call_edit(call, 1, e, needed > length ? needed : length);
        uint8_t mask = (uint8_t)(0x80 >> offset % 8);
        p[offset / 8] = (uint8_t)(on ? p[offset / 8] | mask : p[offset / 8] & ~mask);
        call_event(call, EVENT_STRING, "setbit", call->argv[1]);
    }
    resp_int(call->reply, old);
}

void run_setbit(struct call *call)
{
    uint64_t offset = 0;
    bool on = false;
    const char *error = bit_offset(call->argv[2], 0, &offset);
    if (error == NULL) {
        error = parse_bit(call->argv[3], &on);
    }
    if (error != NULL) {
        resp_error(call->reply, "%s", error);
        return;
    }
    set_bit(call, offset, on);
}

/* --- ranges of BITCOUNT and BITPOS -------------------------------------------------------- */

/* The first and the last bit; nothing when start > end. */
struct range {
    int64_t start;
    int64_t end;
};

static const struct range nothing = { 0, -1 };

static struct range whole(size_t length)
{
    return (struct range){ 0, (int64_t)length * 8 - 1 };
}

/* make_range takes positions that stand for `unit` bits each and may count from the end. */
static struct range make_range(int64_t start, int64_t end, int64_t unit, size_t length)
{
    int64_t total = (int64_t)length * 8 / unit;
    start += start < 0 ? total : 0;
    end += end < 0 ? total : 0;
    start = start < 0 ? 0 : start;
    end = end < 0 ? 0 : end;
    end = end < total ? end : total - 1;
    if (start > end) {
        return nothing;
    }
    return (struct range){ start * unit, end * unit + unit - 1 };
}

/* call_unit reads BYTE or BIT, where argument i is there, or writes the error reply and returns false. */
static bool call_unit(struct call *call, uint32_t i, int64_t *unit)
{
    *unit = 8;
    if (i >= call->argc || call_arg_is(call, i, "byte")) {
        return true;
    }
    *unit = 1;
    if (call_arg_is(call, i, "bit")) {
        return true;
    }
    reply_syntax_error(call);
    return false;
}

static uint64_t word_at(const uint8_t *p)
{
    uint64_t word = 0;
    memcpy(&word, p, sizeof(word));
    return word;
}

/* --- BITCOUNT ----------------------------------------------------------------------------- */

/* count_word adds up neighbours in place: pairs of bits, then fours, bytes, and all bytes by the product. */
static int64_t count_word(uint64_t w)
{
    w -= w >> 1 & UINT64_C(0x5555555555555555);
    w = (w & UINT64_C(0x3333333333333333)) + (w >> 2 & UINT64_C(0x3333333333333333));
    w = (w + (w >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return (int64_t)(w * UINT64_C(0x0101010101010101) >> 56);
}

static int64_t count_bytes(const uint8_t *p, size_t n)
{
    int64_t count = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        count += count_word(word_at(p + i));
    }
    for (; i < n; i++) {
        count += count_word(p[i]);
    }
    return count;
}

static int64_t count_bits(struct slice value, struct range range)
{
    if (range.start > range.end) {
        return 0;
    }
    size_t first = (size_t)range.start / 8;
    size_t last = (size_t)range.end / 8;
    unsigned before = value.p[first] & ~(0xFFU >> range.start % 8);
    unsigned behind = value.p[last] & 0x7FU >> range.end % 8;
    return count_bytes(value.p + first, last - first + 1) - count_word(before & 0xFF) -
           count_word(behind);
}

/* count_range: the arguments in the order in which Redis looks at them. */
static bool count_range(struct call *call, size_t length, struct range *out)
{
    int64_t start = 0;
    int64_t end = 0;
    int64_t unit = 0;
    if (call->argc == 2) {
        *out = whole(length);
        return true;
    }
    if (call->argc == 3 || call->argc > 5) {
        reply_syntax_error(call);
        return false;
    }
    if (!call_i64(call, 2, &start) || !call_i64(call, 3, &end)) {
        return false;
    }
    if (start < 0 && end < 0 && start > end) {
        *out = nothing; /* else both could be before the first byte, and would mean it */
        return true;
    }
    if (!call_unit(call, 4, &unit)) {
        return false;
    }
    *out = make_range(start, end, unit, length);
    return true;
}

/* run_bitcount: Redis does not look at the range of a key that is missing, not even whether it is one. */
void run_bitcount(struct call *call)
{
    const struct entry *e = call_read(call, 1);
    struct range range;
    if (e == NULL) {
        resp_int(call->reply, 0);
    } else if (count_range(call, e->value.len, &range)) {
        resp_int(call->reply, count_bits(e->value, range));
    }
}

/* --- BITPOS ------------------------------------------------------------------------------- */

/* find_bit returns the first bit of the range that is as wanted, or -1. */
static int64_t find_bit(struct slice value, struct range range, bool wanted)
{
    const uint64_t unwanted = wanted ? 0 : UINT64_MAX;
    int64_t at = range.start;
    while (at <= range.end) {
        if (at % 8 == 0 && range.end - at >= 63 && word_at(value.p + at / 8) == unwanted) {
            at += 64;
        } else if (bit_at(value, (uint64_t)at) == wanted) {
            return at;
        } else {
            at++;
        }
    }
    return -1;
}

/* pos_range: as count_range; without an end the range is open. */
static bool pos_range(struct call *call, size_t length, struct range *out)
{
    int64_t start = 0;
    int64_t end = -1;
    int64_t unit = 0;
    if (call->argc == 3) {
        *out = whole(length);
        return true;
    }
    if (call->argc > 6) {
        reply_syntax_error(call);
        return false;
    }
    if (!call_i64(call, 3, &start) || !call_unit(call, 5, &unit) ||
        (call->argc > 4 && !call_i64(call, 4, &end))) {
        return false;
    }
    *out = make_range(start, end, unit, length);
    return true;
}

/* find_in: zeros follow the last bit of a value, and are found when the range has no end. */
static void find_in(struct call *call, struct slice value, bool wanted)
{
    struct range range;
    if (!pos_range(call, value.len, &range)) {
        return;
    }
    int64_t at = find_bit(value, range, wanted);
    bool open = call->argc < 5 && range.start <= range.end;
    resp_int(call->reply, at < 0 && open && !wanted ? range.end + 1 : at);
}

void run_bitpos(struct call *call)
{
    int64_t bit = 0;
    if (!call_i64(call, 2, &bit)) {
        return;
    }
    if (bit != 0 && bit != 1) {
        resp_error(call->reply, "ERR The bit argument must be 1 or 0.");
        return;
    }
    const struct entry *e = call_read(call, 1);
    if (e == NULL) {
        resp_int(call->reply, bit == 1 ? -1 : 0);
        return;
    }
    find_in(call, e->value, bit == 1);
}

/* --- BITOP -------------------------------------------------------------------------------- */

enum operation { OP_AND, OP_OR, OP_XOR, OP_NOT, OP_NONE };

static enum operation find_operation(const struct call *call)
{
    static const char *const names[] = {
        [OP_AND] = "and", [OP_OR] = "or", [OP_XOR] = "xor", [OP_NOT] = "not"
    };
    for (int i = 0; i < OP_NONE; i++) {
        if (call_arg_is(call, 1, names[i])) {
            return (enum operation)i;
        }
    }
    return OP_NONE;
}

/* operate: NOT of b is its XOR with a row of ones, which is what the result begins as. */
static inline uint64_t operate(enum operation op, uint64_t a, uint64_t b)
{
    return op == OP_AND ? a & b : op == OP_OR ? a | b : a ^ b;
}

static void operate_bytes(enum operation op, uint8_t *out, struct slice with)
{
    size_t i = 0;
    for (; i + 8 <= with.len; i += 8) {
        uint64_t word = operate(op, word_at(out + i), word_at(with.p + i));
        memcpy(out + i, &word, sizeof(word));
    }
    for (; i < with.len; i++) {
        out[i] = (uint8_t)operate(op, out[i], with.p[i]);
    }
}

/* combine returns the result of all sources; a missing key is an empty value, a shorter value goes on with zeros. */
static struct slice combine(struct call *call, enum operation op, size_t length)
{
    uint8_t *out = ws_alloc(call->ws, length);
    memset(out, op == OP_AND || op == OP_NOT ? 0xFF : 0, length);
    for (uint32_t i = 3; i < call->argc; i++) {
        const struct entry *e = call_find(call, i);
        struct slice source = e != NULL ? e->value : (struct slice){ NULL, 0 };
        operate_bytes(op, out, source);
        if (op == OP_AND) {
            memset(out + source.len, 0, length - source.len);
        }
    }
    return (struct slice){ out, length };
}

static size_t longest_source(struct call *call)
{
    size_t length = 0;
    for (uint32_t i = 3; i < call->argc; i++) {
        const struct entry *e = call_read(call, i);
        length = e != NULL && e->length > length ? e->length : length;
    }
    return length;
}

void needs_bitop(const struct call *call)
{
    ws_want(call->ws, call->db, call->argv[2], NEED_META);
    for (uint32_t i = 3; i < call->argc; i++) {
        ws_want(call->ws, call->db, call->argv[i], NEED_VALUE);
    }
}

void run_bitop(struct call *call)
{
    enum operation op = find_operation(call);
    if (op == OP_NONE) {
        reply_syntax_error(call);
        return;
    }
    if (op == OP_NOT && call->argc != 4) {
        resp_error(call->reply, "ERR BITOP NOT must be called with a single source key.");
        return;
    }
    size_t length = longest_source(call);
    struct entry *destination = call_find(call, 2);
    if (length > 0) {
        call_set(call, 2, combine(call, op, length), 0, false);
    } else if (destination != NULL) {
        call_remove(call, 2, destination);
    }
    resp_int(call->reply, (int64_t)length);
}
