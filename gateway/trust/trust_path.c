/*
 * trust_path: its text form. What a path means is judged by tls_trust.
 */
#include "trust/trust_path.h"

static const struct slice prefixes[] = { SLICE("ca:"), SLICE("pin:") };

enum { ID_DIGITS = 2 * sizeof(struct cert_id) };

static void id_text(const struct cert_id *id, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";
    char text[ID_DIGITS];
    for (size_t i = 0; i < sizeof(id->bytes); i++) {
        text[2 * i] = digits[id->bytes[i] >> 4];
        text[2 * i + 1] = digits[id->bytes[i] & 15];
    }
    buf_append(out, text, sizeof(text));
}

void trust_path_text(const struct trust_path *path, struct buf *out)
{
    buf_append_slice(out, prefixes[path->pinned]);
    for (size_t i = 0; i < path->count; i++) {
        buf_append(out, ",", i > 0);
        id_text(&path->steps[i].ca, out);
        buf_append(out, ".", 1);
        id_text(&path->steps[i].cert, out);
    }
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_char(struct slice *rest, char c)
{
    if (rest->len == 0 || rest->p[0] != (uint8_t)c) {
        return false;
    }
    *rest = (struct slice){ rest->p + 1, rest->len - 1 };
    return true;
}

static bool take_id(struct slice *rest, struct cert_id *out)
{
    if (rest->len < ID_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < sizeof(out->bytes); i++) {
        int high = digit_of(rest->p[2 * i]), low = digit_of(rest->p[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out->bytes[i] = (uint8_t)(high << 4 | low);
    }
    *rest = (struct slice){ rest->p + ID_DIGITS, rest->len - ID_DIGITS };
    return true;
}

enum err trust_path_parse(struct slice text, struct trust_step steps[TRUST_PATH_MAX],
                          struct trust_path *out)
{
    bool pinned = slice_starts_with(text, prefixes[true]);
    struct slice prefix = prefixes[pinned];
    size_t count = 0;
    if (!slice_starts_with(text, prefix)) {
        return ERR_INVALID;
    }
    struct slice rest = { text.p + prefix.len, text.len - prefix.len };
    do {
        if (count == TRUST_PATH_MAX || !take_id(&rest, &steps[count].ca) ||
            !take_char(&rest, '.') || !take_id(&rest, &steps[count].cert)) {
            return ERR_INVALID;
        }
        count++;
    } while (take_char(&rest, ','));
    if (rest.len != 0 || (pinned && count != 1)) {
        return ERR_INVALID;
    }
    *out = (struct trust_path){ .pinned = pinned, .count = (uint8_t)count, .steps = steps };
    return ERR_OK;
}
