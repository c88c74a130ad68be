/*
 * choice_test: which certificate tls_choice finds for a ClientHello, put together here, and that what is
 * malformed in it finds the default.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ec_key.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>

#include "base/buf.h"
#include "certificates.h"
#include "tls/tls_choice.h"

enum { P256, P384, RSA2048, ED25519 };

static EVP_PKEY *key_of(int kind)
{
    EVP_PKEY *key = EVP_PKEY_new();
    uint8_t seed[32] = { 7 };
    BIGNUM *e = BN_new();
    RSA *rsa;
    EC_KEY *ec;
    switch (kind) {
    case RSA2048:
        rsa = RSA_new();
        assert_true(BN_set_word(e, RSA_F4) && RSA_generate_key_ex(rsa, 2048, e, NULL));
        assert_true(EVP_PKEY_assign_RSA(key, rsa));
        break;
    case ED25519:
        EVP_PKEY_free(key);
        key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
        break;
    default:
        ec = EC_KEY_new_by_curve_name(kind == P256 ? NID_X9_62_prime256v1 : NID_secp384r1);
        assert_true(EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec));
    }
    BN_free(e);
    return key;
}

/* The certificates, in this order; their SANs, and who signs them. */
static const struct {
    int key;
    const char *san;
    int signer;
} ours[] = {
    { P256, "DNS:www.a.test,DNS:*.a.test,IP:10.0.0.1,IP:::1", P256 },
    { RSA2048, "DNS:WWW.a.test,DNS:only-rsa.test", RSA2048 },
    { ED25519, "DNS:www.a.test,DNS:b*.test,DNS:*,DNS:x.*.test", P256 },
    { P384, "DNS:p384.test,DNS:*.a.test", P256 },
    { P256, "DNS:chain.test", RSA2048 },
    { P256, "DNS:chain.test", P256 },
};

struct fixture {
    struct tls_pair pairs[ARRAY_SIZE(ours)];
    struct tls_choice *choice;
    SSL_CTX *ctx;
    SSL *ssl;
};

static CRYPTO_BUFFER *der_of(X509 *cert)
{
    uint8_t *der = NULL;
    int len = i2d_X509(cert, &der);
    assert_true(len > 0);
    CRYPTO_BUFFER *b = CRYPTO_BUFFER_new(der, (size_t)len, NULL);
    OPENSSL_free(der);
    return b;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    EVP_PKEY *signers[] = { [P256] = key_of(P256), [RSA2048] = key_of(RSA2048) };
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
        X509 *ca = make_certificate(&(struct wish){ .cn = "CA", .ca = 1 }, signers[ours[i].signer]);
        f->pairs[i].key = key_of(ours[i].key);
        X509 *leaf = make_certificate(&(struct wish){ .cn = "a",
                                                      .san = ours[i].san,
                                                      .issuer = ca,
                                                      .issuer_key = signers[ours[i].signer] },
                                      f->pairs[i].key);
        f->pairs[i].chain[0] = der_of(leaf);
        f->pairs[i].chain[1] = der_of(ca);
        f->pairs[i].chain_len = 2;
        X509_free(leaf);
        X509_free(ca);
    }
    EVP_PKEY_free(signers[P256]);
    EVP_PKEY_free(signers[RSA2048]);
    f->choice = tls_choice_new(f->pairs, ARRAY_SIZE(ours));
    f->ctx = SSL_CTX_new(TLS_with_buffers_method());
    assert_true(SSL_CTX_set_strict_cipher_list(f->ctx, "ECDHE-ECDSA-AES128-GCM-SHA256:"
                                                       "ECDHE-RSA-AES128-GCM-SHA256"));
    f->ssl = SSL_new(f->ctx);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tls_choice_free(f->choice);
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
        tls_pair_release(&f->pairs[i]);
    }
    SSL_free(f->ssl);
    SSL_CTX_free(f->ctx);
    free(f);
    return 0;
}

/* A ClientHello as bytes: its suites and its extensions. */
struct offer_text {
    const char *suites;   /* hex numbers */
    const char *schemes;  /* NULL: no such extension */
    const char *on_certs; /* signature_algorithms_cert */
    const char *groups;
    bool tls13;
};

static void put_u16(struct buf *b, unsigned value)
{
    buf_append(b, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static void put_numbers(struct buf *b, const char *text)
{
    char *end;
    for (const char *p = text; *p != '\0'; p = end) {
        put_u16(b, (unsigned)strtoul(p, &end, 16));
    }
}

static void put_list(struct buf *b, unsigned type, const char *text)
{
    struct buf list;
    if (text == NULL) {
        return;
    }
    buf_init(&list, 1024);
    put_numbers(&list, text);
    put_u16(b, type);
    put_u16(b, (unsigned)buf_len(&list) + 2);
    put_u16(b, (unsigned)buf_len(&list));
    buf_append(b, buf_slice(&list).p, buf_len(&list));
    buf_release(&list);
}

static const struct tls_pair *find_bytes(struct fixture *f, const char *name, struct slice suites,
                                         struct slice extensions)
{
    SSL_CLIENT_HELLO hello = { .ssl = f->ssl,
                               .cipher_suites = suites.p,
                               .cipher_suites_len = suites.len,
                               .extensions = extensions.p,
                               .extensions_len = extensions.len };
    return tls_choice_find(f->choice, slice_of(name), &hello);
}

static void write_offer(const struct offer_text *o, struct buf *suites, struct buf *extensions)
{
    put_numbers(suites, o->suites == NULL ? "" : o->suites);
    put_list(extensions, 13, o->schemes);
    put_list(extensions, 50, o->on_certs);
    put_list(extensions, 10, o->groups);
    if (o->tls13) {
        put_u16(extensions, 43);
        put_u16(extensions, 3);
        buf_append(extensions, "\2\3\4", 3);
    }
}

static size_t find(struct fixture *f, const char *name, struct offer_text o)
{
    struct buf suites, extensions;
    buf_init(&suites, 1024);
    buf_init(&extensions, 1024);
    write_offer(&o, &suites, &extensions);
    const struct tls_pair *p = find_bytes(f, name, buf_slice(&suites), buf_slice(&extensions));
    buf_release(&suites);
    buf_release(&extensions);
    return (size_t)(p - f->pairs);
}

#define ALL         "0807 0403 0804 0401 0503"
#define BOTH_SUITES "c02b c02f"

static void test_names(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        size_t pair;
    } rows[] = {
        { "", 0 },           { "www.a.test", 0 },      { "WWW.A.TEST", 0 }, { "www.a.test.", 0 },
        { "x.a.test", 0 },   { "only-rsa.test", 1 },   { "a.test", 0 },     { "p384.test", 3 },
        { "x.y.a.test", 0 }, { "10.0.0.1", 0 },        { "::1", 0 },        { ".", 0 },
        { ".a.test", 0 },    { "only-rsa.test.x", 0 }, { "*.a.test", 0 },   { "..", 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct offer_text all = { .schemes = ALL, .tls13 = true };
        assert_int_equal(find(f, rows[i].name, all), rows[i].pair);
    }
    char longest[400];
    memset(longest, 'a', sizeof(longest));
    longest[399] = '\0';
    assert_int_equal(find(f, longest, (struct offer_text){ .schemes = ALL, .tls13 = true }), 0);
}

static void test_names_by_what_it_verifies(void **state)
{
    struct fixture *f = *state;
    struct offer_text rsa = { .schemes = "0804", .tls13 = true };
    struct offer_text ed = { .schemes = "0807", .tls13 = true };
    struct offer_text p384 = { .schemes = "0503", .tls13 = true };
    assert_int_equal(find(f, "www.a.test", rsa), 1);
    assert_int_equal(find(f, "www.a.test", ed), 2);
    assert_int_equal(find(f, "www.a.test", p384),
                     3); /* the wildcard's: the exact ones do not fit */
    assert_int_equal(find(f, "x.a.test", p384), 3);
    assert_int_equal(find(f, "x.a.test", rsa), 1); /* no such name: what it can verify */
    assert_int_equal(find(f, "bcd.test", ed), 2);  /* part of a label is no wildcard; the default */
    assert_int_equal(find(f, "bcd.test", rsa), 1);
}

static void test_versions(void **state)
{
    struct fixture *f = *state;
    static const struct {
        struct offer_text offer;
        size_t pair;
    } rows[] = {
        { { .schemes = ALL, .tls13 = true }, 0 },
        { { .schemes = "0401", .tls13 = true }, 0 }, /* PKCS #1 is none of TLS 1.3: nothing fits */
        { { .schemes = "0401 0804", .tls13 = true }, 1 },
        { { .schemes = "0603", .tls13 = true }, 0 }, /* no key of that curve */
        { { .schemes = "0401", .suites = BOTH_SUITES }, 1 },
        { { .schemes = ALL, .suites = BOTH_SUITES }, 0 },
        { { .schemes = ALL, .suites = "c02f" }, 1 },
        { { .schemes = "0403 0804", .suites = "c02b" }, 0 },
        { { .schemes = "0807", .suites = "c02b" }, 2 },
        { { .schemes = "0807", .suites = "c02f" }, 0 },
        { { .schemes = "0503", .suites = BOTH_SUITES, .groups = "0018" }, 3 },
        { { .schemes = "0403", .suites = BOTH_SUITES, .groups = "0018" }, 3 }, /* any hash */
        { { .schemes = "0403 0804", .suites = BOTH_SUITES, .groups = "001d" }, 1 },
        { { .schemes = "0403 0804", .suites = BOTH_SUITES, .groups = "001d 0017" }, 0 },
        { { .schemes = "0403", .suites = "009c" }, 0 }, /* a suite of others: nothing fits */
        { { .suites = BOTH_SUITES }, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(find(f, "", rows[i].offer), rows[i].pair);
    }
}

static void test_chains(void **state)
{
    struct fixture *f = *state;
    struct offer_text o = { .schemes = "0403", .tls13 = true };
    assert_int_equal(find(f, "chain.test", o), 5); /* the first one's is signed with RSA */
    o.on_certs = "0401";
    assert_int_equal(find(f, "chain.test", o), 4);
    o.on_certs = "0807";
    assert_int_equal(find(f, "chain.test", o), 4); /* neither: then in our order */
}

/* Whatever the extensions hold and wherever they are cut, there is an answer. */
static void test_malformed(void **state)
{
    struct fixture *f = *state;
    struct buf suites, extensions;
    struct offer_text o = { .schemes = "0804",
                            .on_certs = ALL,
                            .groups = "001d 0017",
                            .suites = BOTH_SUITES,
                            .tls13 = true };
    buf_init(&suites, 1024);
    buf_init(&extensions, 1024);
    write_offer(&o, &suites, &extensions);
    struct slice whole = buf_slice(&extensions);
    for (size_t cut = 0; cut <= whole.len; cut++) {
        uint8_t *copy =
            malloc(cut == 0 ? 1 : cut); /* a read past the cut is the sanitizer's to find */
        memcpy(copy, whole.p, cut);
        assert_non_null(find_bytes(f, "www.a.test", (struct slice){ buf_slice(&suites).p, cut % 4 },
                                   (struct slice){ copy, cut }));
        free(copy);
    }
    static const char *const odd[] = {
        "\0\x0d\0\0",           /* no list */
        "\0\x0d\0\1\0",         /* half a length */
        "\0\x0d\0\2\0\0",       /* an empty list */
        "\0\x0d\0\3\0\1\4",     /* half a number */
        "\0\x0d\0\4\0\xff\4\3", /* a length too great */
        "\0\x2b\0\1\2",         /* versions: a length too great */
        "\0\x2b\0\2\1\3",       /* half a version */
    };
    static const size_t lengths[] = { 4, 5, 6, 7, 8, 5, 6 };
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        struct slice s = { (const uint8_t *)odd[i], lengths[i] };
        assert_ptr_equal(find_bytes(f, "only-rsa.test", buf_slice(&suites), s), &f->pairs[0]);
    }
    buf_release(&suites);
    buf_release(&extensions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),     cmocka_unit_test(test_names_by_what_it_verifies),
        cmocka_unit_test(test_versions),  cmocka_unit_test(test_chains),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
