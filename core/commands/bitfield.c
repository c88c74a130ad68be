/*
 * bitfield: BITFIELD and BITFIELD_RO: integers of 1 to 64 bits at any bit of a value. The arguments are read twice:
 * first all of them for mistakes and for how long the value must be, then one operation after the other.
 */
#include "commands/bits.h"
#include "commands/commands.h"

enum field_kind { FIELD_GET, FIELD_SET, FIELD_INCRBY };

/* What happens to a result that does not fit. */
enum field_overflow { OVERFLOW_WRAP, OVERFLOW_SAT, OVERFLOW_FAIL };

struct field {
    enum field_kind kind;
    enum field_overflow overflow;
    bool with_sign;
    unsigned width; /* bits: up to 64 with a sign, 63 without, so that all values are int64_t */
    uint64_t offset;
    int64_t operand; /* SET: the value; INCRBY: what is added */
};

/* --- reading the arguments ---------------------------------------------------------------- */

struct field_reader {
    const struct call *call;
    uint32_t at;
    enum field_overflow overflow; /* holds for all that follows it */
    const char *error;
};

static struct field_reader first_field(const struct call *call)
{
    return (struct field_reader){ .call = call, .at = 2 };
}

/* word; how many arguments it needs behind it; what it is */
static const struct {
    const char *word;
    uint32_t arguments;
    enum field_kind kind;
} kinds[] = {
    { "get", 2, FIELD_GET },
    { "set", 3, FIELD_SET },
    { "incrby", 3, FIELD_INCRBY },
};

static const char *const overflows[] = {
    [OVERFLOW_WRAP] = "wrap",
    [OVERFLOW_SAT] = "sat",
    [OVERFLOW_FAIL] = "fail",
};

static const char *read_overflow(struct field_reader *r, struct slice word)
{
    for (size_t i = 0; i < ARRAY_SIZE(overflows); i++) {
        if (slice_eq_nocase(word, slice_of(overflows[i]))) {
            r->overflow = (enum field_overflow)i;
            return NULL;
        }
    }
    return "ERR Invalid OVERFLOW type specified";
}

/* read_type reads i1 to i64, u1 to u63. */
static const char *read_type(struct slice s, struct field *out)
{
    int64_t width = 0;
    bool with_sign = s.len > 0 && s.p[0] == 'i';
    if (s.len == 0 || (s.p[0] != 'i' && s.p[0] != 'u') ||
        slice_to_i64((struct slice){ s.p + 1, s.len - 1 }, &width) != ERR_OK || width < 1 ||
        width > (with_sign ? 64 : 63)) {
        return "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not "
               "supported but i64 is.";
    }
    out->with_sign = with_sign;
    out->width = (unsigned)width;
    return NULL;
}

static const char *read_operands(const struct slice *argv, struct field *out)
{
    const char *error = read_type(argv[0], out);
    if (error == NULL) {
        error = bit_offset(argv[1], out->width, &out->offset);
    }
    if (error == NULL && out->kind != FIELD_GET && slice_to_i64(argv[2], &out->operand) != ERR_OK) {
        error = "ERR value is not an integer or out of range";
    }
    return error;
}

static const char *read_operation(struct field_reader *r, struct field *out)
{
    const struct call *call = r->call;
    uint32_t behind = call->argc - r->at - 1;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (behind >= kinds[i].arguments && call_arg_is(call, r->at, kinds[i].word)) {
            *out = (struct field){ .kind = kinds[i].kind, .overflow = r->overflow };
            const struct slice *operands = &call->argv[r->at + 1];
            r->at += 1 + kinds[i].arguments;
            return read_operands(operands, out);
        }
    }
    return "ERR syntax error";
}

/* next_field reads the next operation; false at the end, and after a mistake: then r->error says which. */
static bool next_field(struct field_reader *r, struct field *out)
{
    while (r->error == NULL && r->at + 1 < r->call->argc &&
           call_arg_is(r->call, r->at, "overflow")) {
        r->error = read_overflow(r, r->call->argv[r->at + 1]);
        r->at += 2;
    }
    if (r->error != NULL || r->at >= r->call->argc) {
        return false;
    }
    r->error = read_operation(r, out);
    return r->error == NULL;
}

/* --- bits and numbers --------------------------------------------------------------------- */

/* A field's share of one byte: `count` bits, which are `shift` above the byte's lowest. */
struct share {
    size_t byte;
    unsigned count;
    unsigned shift;
    uint8_t mask;
};

/* share_of: what the byte with bit `at` has of a field that goes on for `left` bits. */
static struct share share_of(uint64_t at, unsigned left)
{
    unsigned room = 8 - (unsigned)(at % 8);
    unsigned count = left < room ? left : room;
    unsigned shift = room - count;
    return (struct share){ (size_t)(at / 8), count, shift,
                           (uint8_t)(((1U << count) - 1) << shift) };
}

static uint64_t load_bits(struct slice value, uint64_t offset, unsigned width)
{
    uint64_t bits = 0;
    unsigned done = 0;
    do {
        struct share s = share_of(offset + done, width - done);
        unsigned byte = s.byte < value.len ? value.p[s.byte] : 0;
        bits = bits << s.count | (byte & s.mask) >> s.shift;
        done += s.count;
    } while (done < width);
    return bits;
}

static void store_bits(uint8_t *p, uint64_t offset, unsigned width, uint64_t bits)
{
    unsigned done = 0;
    do {
        struct share s = share_of(offset + done, width - done);
        done += s.count;
        uint64_t byte = bits >> (width - done) << s.shift & s.mask;
        p[s.byte] = (uint8_t)((p[s.byte] & ~s.mask) | byte);
    } while (done < width);
}

/* number_of: what the low bits mean in this field; those above are dropped. */
static int64_t number_of(const struct field *f, uint64_t bits)
{
    unsigned spare = 64 - f->width;
    bits <<= spare;
    return f->with_sign ? (int64_t)bits >> spare : (int64_t)(bits >> spare);
}

/*
 * past_max: what a SET gives may be so low that Redis takes it for too great: any negative number without a sign, and
 * one whose distance from max is no int64_t.
 */
static bool past_max(const struct field *f, int64_t value, int64_t max)
{
    int64_t distance = 0;
    return value > max || (value < 0 && !f->with_sign) ||
           (f->width < 64 && __builtin_sub_overflow(max, value, &distance));
}

/* add computes value + by as the field can hold it; false when it cannot, and nothing may be written. */
static bool add(const struct field *f, int64_t value, int64_t by, int64_t *out)
{
    int64_t max = INT64_MAX >> (f->with_sign ? 64 - f->width : 63 - f->width);
    int64_t min = f->with_sign ? -max - 1 : 0;
    int64_t sum = 0;
    bool overflow = __builtin_add_overflow(value, by, &sum); /* in the direction of `by` */
    bool above = past_max(f, value, max) || (overflow ? by > 0 : sum > max);
    bool below = overflow ? by < 0 : sum < min;
    if ((above || below) && f->overflow == OVERFLOW_FAIL) {
        return false;
    }
    if ((above || below) && f->overflow == OVERFLOW_SAT) {
        *out = above ? max : min;
    } else {
        *out = number_of(f, (uint64_t)sum);
    }
    return true;
}

/* --- running ------------------------------------------------------------------------------ */

/*
 * run_field: a value that stays as it is counts as untouched, as in SETBIT, unless it has `grown` for this. Returns whether
 * it was changed.
 */
static bool run_field(struct call *call, const struct field *f, bool grown)
{
    struct entry *e = call_find(call, 1);
    struct slice value = e != NULL ? e->value : (struct slice){ NULL, 0 };
    int64_t old = number_of(f, load_bits(value, f->offset, f->width));
    if (f->kind == FIELD_GET) {
        resp_int(call->reply, old);
        return false;
    }
    bool set = f->kind == FIELD_SET;
    int64_t now = 0;
    if (!add(f, set ? f->operand : old, set ? 0 : f->operand, &now)) {
        resp_null(call->reply);
        return false;
    }
    if (now != old) {
        uint8_t *p = call_edit(call, 1, e, value.len);
        store_bits(p, f->offset, f->width, (uint64_t)now);
    }
    resp_int(call->reply, set ? old : now);
    return grown || now != old;
}

/* make_room makes the value as long as the last written field needs; as in Redis, also where that one will fail. */
static bool make_room(struct call *call, size_t needed, bool *grown)
{
    struct entry *e = call_find(call, 1);
    *grown = needed > (e != NULL ? e->length : 0);
    if (!*grown) {
        return true;
    }
    if (!call_value_fits(call, needed)) {
        return false;
    }
    call_edit(call, 1, e, needed);
    return true;
}

/* check reads all operations: how many there are, and where the last bit that is written ends (0: none is). */
static const char *check(const struct call *call, size_t *count, uint64_t *end)
{
    struct field_reader r = first_field(call);
    struct field f;
    while (next_field(&r, &f)) {
        ++*count;
        if (f.kind != FIELD_GET && f.offset + f.width > *end) {
            *end = f.offset + f.width;
        }
    }
    return r.error;
}

static void bitfield(struct call *call, bool read_only)
{
    size_t count = 0;
    uint64_t end = 0;
    const char *error = check(call, &count, &end);
    if (error == NULL && read_only && end > 0) {
        error = "ERR BITFIELD_RO only supports the GET subcommand";
    }
    if (error != NULL) {
        resp_error(call->reply, "%s", error);
        return;
    }
    bool grown = false;
    if (end == 0) {
        (void)call_read(call, 1); /* counts as a look-up */
    } else if (!make_room(call, (size_t)((end + 7) / 8), &grown)) {
        return;
    }
    resp_array(call->reply, count);
    struct field_reader r = first_field(call);
    struct field f;
    bool changed = false;
    while (next_field(&r, &f)) {
        changed |= run_field(call, &f, grown);
    }
    if (changed) {
        call_event(call, EVENT_STRING, "setbit", call->argv[1]);
    }
}

void run_bitfield(struct call *call)
{
    bitfield(call, false);
}

void run_bitfield_ro(struct call *call)
{
    bitfield(call, true);
}
