/*
 * proxy_header: fixed part, address block, extensions. Of the extensions only the checksum is read;
 * the lengths of all are checked, since a header whose inside does not fit was not made by a balancer.
 *
 *     12 signature · u8 version, command · u8 family, protocol · u16 length, big-endian
 *     address block: source, destination, source port, destination port
 *     extensions: u8 type, u16 length, value
 */
#include "arrivals/proxy_header.h"

#include <netinet/in.h>

enum {
    FIXED = 16,
    CHECKSUM_TYPE = 3,
    CHECKSUM_LEN = 4,
    EXTENSION_HEAD = 3,
};

enum command { LOCAL, PROXY };

static const uint8_t signature[12] = { '\r', '\n', '\r', '\n', 0,   '\r',
                                       '\n', 'Q',  'U',  'I',  'T', '\n' };
static const uint8_t version_1[6] = { 'P', 'R', 'O', 'X', 'Y', ' ' };

/*
 * A row for each family and protocol that the format knows; others are invalid.
 * block   bytes of the address block
 * read    takes the source from it; NULL: not an address that a TCP client has. Then the connection's own
 *         counts, as the specification has it, and nothing behind the fixed part is looked at without a block.
 */
static void read_tcp4(const uint8_t *block, struct sockaddr_storage *from)
{
    struct sockaddr_in *in = (struct sockaddr_in *)from;
    in->sin_family = AF_INET;
    memcpy(&in->sin_addr, block, 4);
    memcpy(&in->sin_port, block + 8, 2);
}

static void read_tcp6(const uint8_t *block, struct sockaddr_storage *from)
{
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)from;
    in->sin6_family = AF_INET6;
    memcpy(&in->sin6_addr, block, 16);
    memcpy(&in->sin6_port, block + 32, 2);
}

static const struct family_row {
    uint8_t code;
    uint8_t block;
    void (*read)(const uint8_t *block, struct sockaddr_storage *from);
} families[] = {
    { 0x00, 0, NULL },                           /* unknown to the balancer itself */
    { 0x11, 12, read_tcp4 }, { 0x12, 12, NULL }, /* UDP */
    { 0x21, 36, read_tcp6 }, { 0x22, 36, NULL }, { 0x31, 216, NULL }, /* Unix sockets */
    { 0x32, 216, NULL },
};

static const struct family_row *family_of(uint8_t code)
{
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        if (families[i].code == code) {
            return &families[i];
        }
    }
    return NULL;
}

static size_t read_u16(const uint8_t *p)
{
    return (size_t)p[0] << 8 | p[1];
}

static bool begins(struct slice bytes, const uint8_t *with, size_t len)
{
    size_t n = bytes.len < len ? bytes.len : len;
    return n > 0 && memcmp(bytes.p, with, n) == 0;
}

bool proxy_header_begins(struct slice bytes)
{
    return bytes.len >= sizeof(version_1) && (begins(bytes, signature, sizeof(signature)) ||
                                              begins(bytes, version_1, sizeof(version_1)));
}

/* CRC-32C (RFC 3720 §B.4: reflected, polynomial 0x1EDC6F41), bit by bit: a header is short and rare. */
static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (0x82f63b78 & (0 - (crc & 1)));
        }
    }
    return crc;
}

/* The checksum is made with its own four bytes as zeros, and stands there big-endian. */
static bool checksum_fits(struct slice header, const uint8_t *at)
{
    static const uint8_t zeros[CHECKSUM_LEN];
    size_t before = (size_t)(at - header.p);
    uint32_t crc = crc32c(UINT32_MAX, header.p, before);
    crc = crc32c(crc, zeros, CHECKSUM_LEN);
    crc = ~crc32c(crc, at + CHECKSUM_LEN, header.len - before - CHECKSUM_LEN);
    uint32_t said = (uint32_t)read_u16(at) << 16 | (uint32_t)read_u16(at + 2);
    return crc == said;
}

/* check_extensions returns what is wrong with them, or NULL. */
static const char *check_extensions(struct slice header, size_t at)
{
    bool checked = false;
    while (at < header.len) {
        size_t left = header.len - at;
        const uint8_t *p = header.p + at;
        if (left < EXTENSION_HEAD || left - EXTENSION_HEAD < read_u16(p + 1)) {
            return "a PROXY header whose extensions do not fit into it";
        }
        size_t len = read_u16(p + 1);
        if (p[0] == CHECKSUM_TYPE) {
            if (len != CHECKSUM_LEN || checked || !checksum_fits(header, p + EXTENSION_HEAD)) {
                return "a PROXY header with a wrong checksum";
            }
            checked = true;
        }
        at += EXTENSION_HEAD + len;
    }
    return NULL;
}

/* check_fixed looks at the first bytes, as far as they are there. Returns what is wrong, or NULL. */
static const char *check_fixed(struct slice bytes)
{
    if (bytes.len > 0 && begins(bytes, version_1, sizeof(version_1))) {
        return "a PROXY header of version 1: only version 2 is taken";
    }
    if (bytes.len > 0 && !begins(bytes, signature, sizeof(signature))) {
        return "no PROXY header, from an address that --proxy-protocol names";
    }
    if (bytes.len > 12 && (bytes.p[12] >> 4 != 2 || (bytes.p[12] & 15) > PROXY)) {
        return "a PROXY header of an unknown version or command";
    }
    if (bytes.len > 13 && (bytes.p[12] & 15) == PROXY && family_of(bytes.p[13]) == NULL) {
        return "a PROXY header of an unknown address family";
    }
    if (bytes.len >= FIXED && FIXED + read_u16(bytes.p + 14) > PROXY_HEADER_MAX) {
        return "a PROXY header over the limit of 4096 bytes";
    }
    return NULL;
}

/* check_block reads a whole header of the command PROXY. Returns what is wrong, or NULL. */
static const char *check_block(struct slice header, struct proxy_header *out)
{
    const struct family_row *family = family_of(header.p[13]);
    if (header.len - FIXED < family->block) {
        return "a PROXY header that is too short for its addresses";
    }
    if (family->block == 0) {
        return NULL;
    }
    if (family->read != NULL) {
        out->proxied = true;
        family->read(header.p + FIXED, &out->from);
    }
    return check_extensions(header, FIXED + family->block);
}

enum proxy_status proxy_header_parse(struct slice bytes, struct proxy_header *out, size_t *used,
                                     const char **why)
{
    struct proxy_header header = { .proxied = false };
    const char *wrong = check_fixed(bytes);
    size_t len = bytes.len < FIXED ? FIXED : FIXED + read_u16(bytes.p + 14);
    if (wrong == NULL && bytes.len < len) {
        return PROXY_NEED_MORE;
    }
    if (wrong == NULL && (bytes.p[12] & 15) == PROXY) {
        wrong = check_block((struct slice){ bytes.p, len }, &header);
    }
    if (wrong != NULL) {
        *why = wrong;
        return PROXY_BAD;
    }
    *out = header;
    *used = len;
    return PROXY_READY;
}
