/*
 * peer: takes a client's identity out of its certificate. Names come from outside, even if a CA
 * signed them: they have lengths, may hold anything, and are refused when they could be read in
 * two ways. Whether the certificate is to be trusted is decided elsewhere (tls_trust).
 */
#include "trust/peer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/mem.h>
#include <openssl/x509v3.h>

struct peer *peer_ref(struct peer *p)
{
    p->refs++;
    return p;
}

void peer_unref(struct peer *p)
{
    if (p != NULL && --p->refs == 0) {
        free(p);
    }
}

/* A peer's path and texts lie behind it, so that a connection's identity is one allocation. */
static struct peer *peer_new(const struct trust_path *path, struct slice identity,
                             struct slice issuer, struct slice serial)
{
    size_t steps = path->count * sizeof(path->steps[0]);
    struct peer *p = mem_zalloc(sizeof(*p) + steps + identity.len + issuer.len + serial.len);
    uint8_t *at = (uint8_t *)(p + 1);
    const struct slice from[] = { identity, issuer, serial };
    struct slice *to[] = { &p->identity, &p->issuer, &p->serial };
    p->path = (struct trust_path){ path->pinned, path->count, (struct trust_step *)at };
    if (steps > 0) {
        memcpy(at, path->steps, steps);
    }
    at += steps;
    for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
        if (from[i].len != 0) {
            memcpy(at, from[i].p, from[i].len);
        }
        *to[i] = (struct slice){ at, from[i].len };
        at += from[i].len;
    }
    p->refs = 1;
    return p;
}

/* What a name must not be: empty, longer than we pass on, not UTF-8, with NUL or control bytes. */
static const char *name_fault(struct slice name)
{
    if (name.len == 0) {
        return "name refused: it is empty";
    }
    if (name.len > PEER_MAX_IDENTITY) {
        return "name refused: longer than 1,024 bytes";
    }
    if (memchr(name.p, 0, name.len) != NULL) {
        return "name refused: it holds a NUL";
    }
    for (size_t i = 0; i < name.len; i++) {
        if (name.p[i] < 0x20 || name.p[i] == 0x7f) {
            return "name refused: it holds a control character";
        }
    }
    return slice_is_text(name) ? NULL : "name refused: it is not UTF-8";
}

/* The names of a certificate by kind; what was found first counts. */
struct names {
    struct slice by_kind[IDENTITY_CN + 1];
    size_t uris;
    uint8_t *cn; /* owned */
};

static enum identity_kind kind_of_general_name(const GENERAL_NAME *name)
{
    switch (name->type) {
    case GEN_URI:
        return IDENTITY_URI;
    case GEN_DNS:
        return IDENTITY_DNS;
    case GEN_EMAIL:
        return IDENTITY_EMAIL;
    default:
        return 0;
    }
}

/* Every name is checked, also those that will not be the identity: such a certificate is a trick. */
static const char *collect_alternative_names(const GENERAL_NAMES *sans, struct names *out)
{
    for (size_t i = 0; i < sk_GENERAL_NAME_num(sans); i++) {
        const GENERAL_NAME *san = sk_GENERAL_NAME_value(sans, i);
        enum identity_kind kind = kind_of_general_name(san);
        if (kind == 0) {
            continue;
        }
        struct slice name = { ASN1_STRING_get0_data(san->d.ia5),
                              (size_t)ASN1_STRING_length(san->d.ia5) };
        const char *fault = name_fault(name);
        if (fault != NULL) {
            return fault;
        }
        out->uris += kind == IDENTITY_URI;
        if (out->by_kind[kind].p == NULL) {
            out->by_kind[kind] = name;
        }
    }
    /* SPIFFE X.509-SVID §2: a certificate with a SPIFFE ID has exactly one URI. */
    struct slice uri = out->by_kind[IDENTITY_URI];
    if (out->uris > 1 && slice_starts_with(uri, SLICE("spiffe://"))) {
        return "name refused: a SPIFFE certificate with more than one URI";
    }
    return NULL;
}

static const char *collect_common_name(const X509_NAME *subject, struct names *out)
{
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) {
        return NULL;
    }
    if (X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) {
        return "name refused: more than one common name";
    }
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    int len = ASN1_STRING_to_UTF8(&out->cn, value);
    if (len < 0) {
        out->cn = NULL;
        return "name refused: a common name that is not text";
    }
    out->by_kind[IDENTITY_CN] = (struct slice){ out->cn, (size_t)len };
    return name_fault(out->by_kind[IDENTITY_CN]);
}

static const char *collect_names(X509 *leaf, struct names *out, GENERAL_NAMES **sans)
{
    int critical = 0;
    *sans = X509_get_ext_d2i(leaf, NID_subject_alt_name, &critical, NULL);
    if (*sans == NULL && critical != -1) {
        return "name refused: its alternative names cannot be read, or are there twice";
    }
    const char *fault = *sans == NULL ? NULL : collect_alternative_names(*sans, out);
    if (fault == NULL) {
        fault = collect_common_name(X509_get_subject_name(leaf), out);
    }
    return fault;
}

static void name_text(X509_NAME *name, char *out, size_t cap)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const uint8_t *text;
    size_t len = 0;
    /* RFC 4514 is RFC 2253 with UTF-8 left as it is. */
    unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, flags) >= 0 &&
        BIO_mem_contents(bio, &text, &len)) {
        len = len < cap - 1 ? len : cap - 1;
        if (len > 0) {
            memcpy(out, text, len);
        }
    }
    out[len] = '\0';
    BIO_free(bio);
}

static void serial_text(const ASN1_INTEGER *serial, char *out, size_t cap)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = ASN1_STRING_get0_data(serial);
    size_t len = (size_t)ASN1_STRING_length(serial);
    size_t at = 0;
    for (size_t i = 0; i < len && at + 3 <= cap; i++) {
        out[at++] = digits[p[i] >> 4];
        out[at++] = digits[p[i] & 15];
    }
    out[at] = '\0';
}

void peer_describe(X509 *cert, struct peer_description *out)
{
    name_text(X509_get_subject_name(cert), out->subject, sizeof(out->subject));
    name_text(X509_get_issuer_name(cert), out->issuer, sizeof(out->issuer));
    serial_text(X509_get0_serialNumber(cert), out->serial, sizeof(out->serial));
}

static struct peer *build(X509 *leaf, const struct names *names, enum identity_kind kind,
                          const struct trust_path *path)
{
    static const char *const prefixes[] = { [IDENTITY_URI] = "uri:",
                                            [IDENTITY_DNS] = "dns:",
                                            [IDENTITY_EMAIL] = "email:",
                                            [IDENTITY_CN] = "cn:" };
    char identity[8 + PEER_MAX_IDENTITY];
    struct slice name = names->by_kind[kind];
    size_t prefix = strlen(prefixes[kind]);
    memcpy(identity, prefixes[kind], prefix);
    memcpy(identity + prefix, name.p, name.len);

    struct peer_description d;
    peer_describe(leaf, &d);
    struct peer *p = peer_new(path, (struct slice){ (const uint8_t *)identity, prefix + name.len },
                              slice_of(d.issuer), slice_of(d.serial));
    p->kind = kind;
    unsigned len = sizeof(p->fingerprint);
    if (!X509_digest(leaf, EVP_sha256(), p->fingerprint, &len) ||
        !ASN1_TIME_to_posix(X509_get0_notAfter(leaf), &p->not_after)) {
        peer_unref(p);
        return NULL;
    }
    p->trusted_until = p->not_after;
    p->fresh_until = p->not_after;
    return p;
}

static struct peer *choose(X509 *leaf, const struct names *names,
                           const struct identity_order *order, const struct trust_path *path,
                           const char **why)
{
    for (size_t i = 0; i < order->count; i++) {
        if (names->by_kind[order->kinds[i]].p != NULL) {
            struct peer *p = build(leaf, names, order->kinds[i], path);
            *why = p == NULL ? "its dates cannot be read" : NULL;
            return p;
        }
    }
    *why = "name refused: it has no name of a kind that --identity takes";
    return NULL;
}

struct peer *peer_from_certificate(X509 *leaf, const struct identity_order *order,
                                   const struct trust_path *path, const char **why)
{
    struct names names = { .uris = 0 };
    GENERAL_NAMES *sans = NULL;
    struct peer *p = NULL;
    const char *fault = collect_names(leaf, &names, &sans);
    if (fault == NULL) {
        p = choose(leaf, &names, order, path, &fault);
    }
    if (p == NULL) {
        *why = fault;
    }
    GENERAL_NAMES_free(sans);
    OPENSSL_free(names.cn);
    return p;
}

/* The record: this, the path's steps, then three texts, each a u16 length and its bytes. */
struct record {
    int64_t not_after;
    int64_t trusted_until;
    int64_t fresh_until;
    uint8_t fingerprint[32];
    uint8_t chain[32];
    uint8_t kind;
    uint8_t pinned;
    uint8_t steps;
    uint8_t zero[5];
};
static_assert(sizeof(struct record) == 96, "no padding: it is sealed as it lies in memory");

static void encode_text(struct buf *out, struct slice s)
{
    uint16_t len = (uint16_t)s.len;
    buf_append(out, &len, sizeof(len));
    buf_append_slice(out, s);
}

void peer_encode(struct buf *out, const struct peer *p)
{
    struct record r = {
        .not_after = p->not_after,
        .trusted_until = p->trusted_until,
        .fresh_until = p->fresh_until,
        .kind = (uint8_t)p->kind,
        .pinned = p->path.pinned,
        .steps = p->path.count,
    };
    memcpy(r.fingerprint, p->fingerprint, sizeof(r.fingerprint));
    memcpy(r.chain, p->chain, sizeof(r.chain));
    buf_append(out, &r, sizeof(r));
    buf_append(out, p->path.steps, p->path.count * sizeof(p->path.steps[0]));
    encode_text(out, p->identity);
    encode_text(out, p->issuer);
    encode_text(out, p->serial);
}

size_t peer_encoded_len(const struct peer *p)
{
    return sizeof(struct record) + p->path.count * sizeof(p->path.steps[0]) + 3 * sizeof(uint16_t) +
           p->identity.len + p->issuer.len + p->serial.len;
}

static bool take(struct slice *rest, void *out, size_t len)
{
    if (rest->len < len) {
        return false;
    }
    if (len > 0) {
        memcpy(out, rest->p, len);
    }
    *rest = (struct slice){ rest->p + len, rest->len - len };
    return true;
}

static bool take_text(struct slice *rest, struct slice *out)
{
    uint16_t len;
    if (!take(rest, &len, sizeof(len)) || rest->len < len) {
        return false;
    }
    *out = (struct slice){ rest->p, len };
    *rest = (struct slice){ rest->p + len, rest->len - len };
    return true;
}

struct peer *peer_decode(struct slice rest)
{
    static const uint8_t zero[sizeof(((struct record *)NULL)->zero)];
    struct record r;
    struct trust_step steps[TRUST_PATH_MAX];
    struct slice identity, issuer, serial;
    if (!take(&rest, &r, sizeof(r)) || r.kind < IDENTITY_URI || r.kind > IDENTITY_CN ||
        r.steps > TRUST_PATH_MAX || r.pinned > 1 || memcmp(r.zero, zero, sizeof(zero)) != 0 ||
        !take(&rest, steps, r.steps * sizeof(steps[0])) || !take_text(&rest, &identity) ||
        !take_text(&rest, &issuer) || !take_text(&rest, &serial) || rest.len != 0 ||
        identity.len == 0) {
        return NULL;
    }
    const struct trust_path path = { r.pinned, r.steps, steps };
    struct peer *p = peer_new(&path, identity, issuer, serial);
    p->kind = r.kind;
    p->not_after = r.not_after;
    p->trusted_until = r.trusted_until;
    p->fresh_until = r.fresh_until;
    memcpy(p->fingerprint, r.fingerprint, sizeof(p->fingerprint));
    memcpy(p->chain, r.chain, sizeof(p->chain));
    return p;
}
