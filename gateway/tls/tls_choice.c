/*
 * tls_choice: names of our certificates in one sorted array, and for each certificate the signatures
 * that a client must know. A ClientHello becomes the same kind of bits, so that a handshake costs two
 * binary searches and a few ANDs. It chooses only; that BoringSSL then negotiates the same is shown by
 * the tests.
 */
#include "tls/tls_choice.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bytestring.h>
#include <openssl/ec_key.h>
#include <openssl/nid.h>
#include <openssl/x509v3.h>

enum { MAX_NAME = 255 }; /* RFC 1035 §2.3.4 */

/*
 * What a signature may be, best first (RFC 8446 §4.2.3); bit i of a mask is row i.
 * scheme  its number in signature_algorithms
 * key     EVP_PKEY_* of the keys that make it
 * curve   that the key must be on in TLS 1.3, and group, the same in supported_groups
 * signed  a certificate's signature algorithm, as a NID; RSA-PSS hides its hash in parameters: not told
 * tls13   whether TLS 1.3's handshake may be signed so
 */
static const struct {
    uint16_t scheme;
    int key;
    int curve;
    uint16_t group;
    int signed_by;
    bool tls13;
} rows[] = {
    { SSL_SIGN_ED25519, EVP_PKEY_ED25519, 0, 0, NID_ED25519, true },
    { SSL_SIGN_ECDSA_SECP256R1_SHA256, EVP_PKEY_EC, NID_X9_62_prime256v1, SSL_CURVE_SECP256R1,
      NID_ecdsa_with_SHA256, true },
    { SSL_SIGN_RSA_PSS_RSAE_SHA256, EVP_PKEY_RSA, 0, 0, NID_undef, true },
    { SSL_SIGN_RSA_PKCS1_SHA256, EVP_PKEY_RSA, 0, 0, NID_sha256WithRSAEncryption, false },
    { SSL_SIGN_ECDSA_SECP384R1_SHA384, EVP_PKEY_EC, NID_secp384r1, SSL_CURVE_SECP384R1,
      NID_ecdsa_with_SHA384, true },
    { SSL_SIGN_RSA_PSS_RSAE_SHA384, EVP_PKEY_RSA, 0, 0, NID_undef, true },
    { SSL_SIGN_RSA_PKCS1_SHA384, EVP_PKEY_RSA, 0, 0, NID_sha384WithRSAEncryption, false },
    { SSL_SIGN_ECDSA_SECP521R1_SHA512, EVP_PKEY_EC, NID_secp521r1, SSL_CURVE_SECP521R1,
      NID_ecdsa_with_SHA512, true },
    { SSL_SIGN_RSA_PSS_RSAE_SHA512, EVP_PKEY_RSA, 0, 0, NID_undef, true },
    { SSL_SIGN_RSA_PKCS1_SHA512, EVP_PKEY_RSA, 0, 0, NID_sha512WithRSAEncryption, false },
};

/* A name, in lower case, and a pair that bears it. A wildcard "*.x" is kept as ".x". */
struct name {
    struct slice text; /* owned */
    size_t pair;
};

/* What a client needs for a pair. */
struct need {
    uint32_t tls13, tls12; /* one of these rows */
    uint32_t curve;        /* TLS 1.2: this row's group too (RFC 8422 §5.1) */
    uint32_t chain;        /* all of these, for the certificates' own signatures */
    bool rsa;              /* TLS 1.2: a suite for RSA, else one for ECDSA */
};

struct tls_choice {
    const struct tls_pair *pairs;
    size_t count;
    struct need *needs; /* one per pair */
    struct name *names; /* sorted by text, then by pair */
    size_t name_count;
};

/* What a client has. */
struct offer {
    uint32_t schemes;
    uint32_t cert_schemes; /* for signatures of certificates */
    uint32_t curves;
    bool tls13;
    bool rsa, ecdsa; /* TLS 1.2 suites that are ours too */
};

/* Making the table. */

static void lower(uint8_t *to, struct slice from)
{
    for (size_t i = 0; i < from.len; i++) {
        to[i] = from.p[i] >= 'A' && from.p[i] <= 'Z' ? from.p[i] | 0x20 : from.p[i];
    }
}

static void add_name(struct tls_choice *c, size_t pair, struct slice text)
{
    struct slice copy = slice_dup(text);
    lower((uint8_t *)copy.p, copy);
    c->names = mem_realloc(c->names, (c->name_count + 1) * sizeof(c->names[0]));
    c->names[c->name_count++] = (struct name){ copy, pair };
}

/* RFC 6125 §6.4.3: a wildcard is the whole leftmost label; any other asterisk makes no name. */
static void add_dns(struct tls_choice *c, size_t pair, struct slice text)
{
    if (text.len > 2 && text.p[0] == '*' && text.p[1] == '.') {
        text = (struct slice){ text.p + 1, text.len - 1 };
    } else if (text.len > 0 && text.p[0] == '.') {
        return;
    }
    if (text.len > 0 && text.len <= MAX_NAME && memchr(text.p, '*', text.len) == NULL) {
        add_name(c, pair, text);
    }
}

static void add_address(struct tls_choice *c, size_t pair, struct slice bytes)
{
    char text[INET6_ADDRSTRLEN];
    if ((bytes.len == 4 || bytes.len == 16) &&
        inet_ntop(bytes.len == 4 ? AF_INET : AF_INET6, bytes.p, text, sizeof(text)) != NULL) {
        add_name(c, pair, slice_of(text));
    }
}

static struct slice asn1_bytes(const ASN1_STRING *s)
{
    return (struct slice){ ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s) };
}

static void add_names(struct tls_choice *c, size_t pair, X509 *leaf)
{
    GENERAL_NAMES *sans = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    for (size_t i = 0; i < sk_GENERAL_NAME_num(sans); i++) {
        const GENERAL_NAME *san = sk_GENERAL_NAME_value(sans, i);
        if (san->type == GEN_DNS) {
            add_dns(c, pair, asn1_bytes(san->d.dNSName));
        } else if (san->type == GEN_IPADD) {
            add_address(c, pair, asn1_bytes(san->d.iPAddress));
        }
    }
    GENERAL_NAMES_free(sans);
}

static uint32_t rows_signed_by(X509 *cert)
{
    int nid = X509_get_signature_nid(cert);
    if (X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0) {
        return 0; /* a root's signature of itself proves nothing and is not looked at */
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].signed_by == nid && nid != NID_undef) {
            return 1u << i;
        }
    }
    return 0;
}

static struct need need_of(const EVP_PKEY *key)
{
    int kind = EVP_PKEY_id(key);
    const EC_KEY *ec = kind == EVP_PKEY_EC ? EVP_PKEY_get0_EC_KEY(key) : NULL;
    int curve = ec == NULL ? 0 : EC_GROUP_get_curve_name(EC_KEY_get0_group(ec));
    struct need need = { .rsa = kind == EVP_PKEY_RSA };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint32_t bit = rows[i].key == kind ? 1u << i : 0;
        need.tls12 |= bit;
        need.tls13 |= rows[i].tls13 && rows[i].curve == curve ? bit : 0;
        need.curve |= curve != 0 && rows[i].curve == curve ? bit : 0;
    }
    return need;
}

static void add_pair(struct tls_choice *c, size_t i)
{
    const struct tls_pair *p = &c->pairs[i];
    c->needs[i] = need_of(p->key);
    for (size_t k = 0; k < p->chain_len; k++) {
        X509 *cert = X509_parse_from_buffer(p->chain[k]);
        if (cert == NULL) {
            abort(); /* tls_pair encoded it */
        }
        c->needs[i].chain |= rows_signed_by(cert);
        if (k == 0) {
            add_names(c, i, cert);
        }
        X509_free(cert);
    }
}

static int compare_names(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    int order = slice_cmp(x->text, y->text);
    return order != 0 ? order : (x->pair > y->pair) - (x->pair < y->pair);
}

struct tls_choice *tls_choice_new(const struct tls_pair *pairs, size_t count)
{
    struct tls_choice *c = mem_zalloc(sizeof(*c));
    c->pairs = pairs;
    c->count = count;
    c->needs = mem_zalloc(count * sizeof(c->needs[0]));
    for (size_t i = 0; i < count; i++) {
        add_pair(c, i);
    }
    if (c->name_count > 0) {
        qsort(c->names, c->name_count, sizeof(c->names[0]), compare_names);
    }
    return c;
}

void tls_choice_free(struct tls_choice *c)
{
    if (c != NULL) {
        for (size_t i = 0; i < c->name_count; i++) {
            free((void *)c->names[i].text.p);
        }
        free(c->names);
        free(c->needs);
        free(c);
    }
}

/* Reading a ClientHello. BoringSSL has checked how it is put together, not what its extensions hold. */

static bool extension(const SSL_CLIENT_HELLO *hello, uint16_t type, CBS *out)
{
    const uint8_t *data;
    size_t len;
    if (!SSL_early_callback_ctx_extension_get(hello, type, &data, &len)) {
        return false;
    }
    CBS_init(out, data, len);
    return true;
}

static bool list_has(CBS list, uint16_t wanted)
{
    uint16_t value;
    while (CBS_get_u16(&list, &value)) {
        if (value == wanted) {
            return true;
        }
    }
    return false;
}

enum column { SCHEME, GROUP };

/* rows_listed returns the rows whose number is in an extension's list; *found says whether it is there. */
static uint32_t rows_listed(const SSL_CLIENT_HELLO *hello, uint16_t type, enum column column,
                            bool *found)
{
    CBS body, list;
    uint16_t value;
    uint32_t bits = 0;
    *found = extension(hello, type, &body) && CBS_get_u16_length_prefixed(&body, &list);
    while (*found && CBS_get_u16(&list, &value)) {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
            uint16_t number = column == SCHEME ? rows[i].scheme : rows[i].group;
            bits |= value != 0 && number == value ? 1u << i : 0;
        }
    }
    return bits;
}

static bool offers_tls13(const SSL_CLIENT_HELLO *hello)
{
    CBS body, versions;
    return extension(hello, TLSEXT_TYPE_supported_versions, &body) &&
           CBS_get_u8_length_prefixed(&body, &versions) && list_has(versions, TLS1_3_VERSION);
}

static void read_suites(const SSL_CLIENT_HELLO *hello, struct offer *o)
{
    const STACK_OF(SSL_CIPHER) *ours = SSL_get_ciphers(hello->ssl);
    CBS theirs;
    CBS_init(&theirs, hello->cipher_suites, hello->cipher_suites_len);
    for (size_t i = 0; i < sk_SSL_CIPHER_num(ours); i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(ours, i);
        bool *kind = SSL_CIPHER_get_auth_nid(suite) == NID_auth_rsa ? &o->rsa : &o->ecdsa;
        *kind = *kind || list_has(theirs, SSL_CIPHER_get_protocol_id(suite));
    }
}

static struct offer read_offer(const SSL_CLIENT_HELLO *hello)
{
    bool found;
    struct offer o = { .tls13 = offers_tls13(hello) };
    o.schemes = rows_listed(hello, TLSEXT_TYPE_signature_algorithms, SCHEME, &found);
    o.cert_schemes = rows_listed(hello, TLSEXT_TYPE_signature_algorithms_cert, SCHEME, &found);
    if (!found) {
        o.cert_schemes = o.schemes;
    }
    if (!o.tls13) {
        o.curves = rows_listed(hello, TLSEXT_TYPE_supported_groups, GROUP, &found);
        o.curves = found ? o.curves : UINT32_MAX;
        read_suites(hello, &o);
    }
    return o;
}

/* Choosing. */

static bool can_verify(const struct need *need, const struct offer *o)
{
    if (o->tls13) {
        return (need->tls13 & o->schemes) != 0;
    }
    return (need->tls12 & o->schemes) != 0 && (need->rsa ? o->rsa : o->ecdsa) &&
           (need->curve & ~o->curves) == 0;
}

/* The best seen so far: *whole once the client can verify its chain too. */
static const struct tls_pair *better(const struct tls_choice *c, size_t pair, const struct offer *o,
                                     const struct tls_pair *best, bool *whole)
{
    const struct need *need = &c->needs[pair];
    if (!can_verify(need, o)) {
        return best;
    }
    *whole = (need->chain & ~o->cert_schemes) == 0;
    return best == NULL || *whole ? &c->pairs[pair] : best;
}

static const struct tls_pair *find_any(const struct tls_choice *c, const struct offer *o)
{
    const struct tls_pair *best = NULL;
    bool whole = false;
    for (size_t i = 0; i < c->count && !whole; i++) {
        best = better(c, i, o, best, &whole);
    }
    return best;
}

static size_t first_not_below(const struct tls_choice *c, struct slice text)
{
    size_t low = 0, high = c->name_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (slice_cmp(c->names[mid].text, text) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static const struct tls_pair *find_named(const struct tls_choice *c, struct slice text,
                                         const struct offer *o)
{
    const struct tls_pair *best = NULL;
    bool whole = false;
    for (size_t i = first_not_below(c, text);
         i < c->name_count && !whole && slice_cmp(c->names[i].text, text) == 0; i++) {
        best = better(c, c->names[i].pair, o, best, &whole);
    }
    return best;
}

static const struct tls_pair *find_by_name(const struct tls_choice *c, struct slice name,
                                           const struct offer *o)
{
    uint8_t text[MAX_NAME];
    if (name.len > 0 && name.p[name.len - 1] == '.') {
        name.len--; /* written as absolute */
    }
    if (name.len == 0 || name.len > MAX_NAME || name.p[0] == '.') {
        return NULL;
    }
    lower(text, name);
    const struct tls_pair *found = find_named(c, (struct slice){ text, name.len }, o);
    const uint8_t *dot = memchr(text, '.', name.len);
    if (found != NULL || dot == NULL) {
        return found;
    }
    return find_named(c, (struct slice){ dot, name.len - (size_t)(dot - text) }, o);
}

const struct tls_pair *tls_choice_find(const struct tls_choice *c, struct slice name,
                                       const SSL_CLIENT_HELLO *hello)
{
    struct offer o = read_offer(hello);
    const struct tls_pair *found = find_by_name(c, name, &o);
    found = found != NULL ? found : find_any(c, &o);
    return found != NULL ? found : &c->pairs[0];
}

enum err tls_choice_install(SSL_CTX *ssl_ctx)
{
    uint16_t schemes[ARRAY_SIZE(rows)];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        schemes[i] = rows[i].scheme;
    }
    return SSL_CTX_set_signing_algorithm_prefs(ssl_ctx, schemes, ARRAY_SIZE(rows)) == 1
               ? ERR_OK
               : ERR_INVALID;
}
