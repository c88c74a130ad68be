/*
 * chain_test: chains that are oversized, deep, looping, self-issued, cross-signed, forged or odd in other
 * ways: none crashes, each gets the right verdict.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/mem.h>

#include "certificates.h"

enum { DEEP = 30 };

struct fixture {
    EVP_PKEY *key, *ca_key, *other_key;
    X509 *ca;
    struct tls_trust *trust;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct load_error why;
    f->key = make_key();
    f->ca_key = make_key();
    f->other_key = make_key();
    f->ca = make_certificate(&(struct wish){ .cn = "CA", .ca = 1, .until_text = "99991231235959Z" },
                             f->ca_key);
    assert_int_equal(make_trust(&(struct trust_wish){ .cas = { f->ca } }, &f->trust, &why), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tls_trust_free(f->trust);
    X509_free(f->ca);
    EVP_PKEY_free(f->key);
    EVP_PKEY_free(f->ca_key);
    EVP_PKEY_free(f->other_key);
    free(f);
    return 0;
}

static X509 *issued(struct fixture *f, struct wish w)
{
    w.issuer = f->ca;
    w.issuer_key = f->ca_key;
    w.cn = w.cn == NULL ? "leaf" : w.cn;
    return make_certificate(&w, f->key);
}

/* judge frees the chain and returns the kind of refusal, or -1 when it is trusted. */
static int judge(const struct tls_trust *t, X509 **chain, int64_t now)
{
    struct refusal why;
    struct peer *p = verify_chain(t, chain, now, &why);
    int kind = p == NULL ? (int)why.kind : -1;
    assert_true(p != NULL || why.reason[0] != '\0');
    peer_unref(p);
    for (; *chain != NULL; chain++) {
        X509_free(*chain);
    }
    return kind;
}

static int judge_leaf(struct fixture *f, struct wish w)
{
    return judge(f->trust, (X509 *[]){ issued(f, w), NULL }, time(NULL));
}

/* A chain of so many CAs below ours, all with the same key, and a leaf below the last. */
static int judge_deep(struct fixture *f, size_t count)
{
    X509 *chain[DEEP + 2] = { NULL };
    char names[DEEP][32];
    X509 *above = f->ca;
    EVP_PKEY *key = f->ca_key;
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof(names[i]), "CA %zu", i);
        above = make_certificate(
            &(struct wish){ .cn = names[i], .ca = 1, .issuer = above, .issuer_key = key },
            f->other_key);
        chain[count - i] = above;
        key = f->other_key;
    }
    chain[0] = make_certificate(&(struct wish){ .cn = "leaf", .issuer = above, .issuer_key = key },
                                f->key);
    return judge(f->trust, chain, time(NULL));
}

static void test_deep_chains(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(judge_deep(f, 0), -1);
    assert_int_equal(judge_deep(f, 1), -1);
    assert_int_equal(judge_deep(f, 7), -1);
    assert_int_equal(judge_deep(f, 8), REFUSAL_UNKNOWN_ISSUER);
    assert_int_equal(judge_deep(f, DEEP), REFUSAL_UNKNOWN_ISSUER);
}

/* A issues B, B issues A: neither leads to us. */
static void test_loops(void **state)
{
    struct fixture *f = *state;
    X509 *a0 = make_certificate(&(struct wish){ .cn = "A", .ca = 1 }, f->ca_key);
    X509 *b = make_certificate(
        &(struct wish){ .cn = "B", .ca = 1, .issuer = a0, .issuer_key = f->ca_key }, f->other_key);
    X509 *a = make_certificate(
        &(struct wish){ .cn = "A", .ca = 1, .issuer = b, .issuer_key = f->other_key }, f->ca_key);
    X509 *leaf = make_certificate(
        &(struct wish){ .cn = "leaf", .issuer = a, .issuer_key = f->ca_key }, f->key);
    X509_up_ref(a);
    X509_up_ref(b);
    assert_int_equal(judge(f->trust, (X509 *[]){ leaf, a, b, a, b, NULL }, time(NULL)),
                     REFUSAL_UNKNOWN_ISSUER);
    X509_free(a0);
}

/* Self-issued: the same name above and below, but not the same key; ours must still be found. */
static void test_self_issued(void **state)
{
    struct fixture *f = *state;
    struct tls_trust *trust;
    struct load_error error;
    X509 *ca = make_certificate(&(struct wish){ .cn = "CA", .ca = 1, .key_ids = 1 }, f->ca_key);
    X509 *rollover = make_certificate(
        &(struct wish){ .cn = "CA", .ca = 1, .key_ids = 1, .issuer = ca, .issuer_key = f->ca_key },
        f->other_key);
    const struct wish below = {
        .cn = "leaf", .key_ids = 1, .issuer = rollover, .issuer_key = f->other_key
    };
    assert_int_equal(make_trust(&(struct trust_wish){ .cas = { ca } }, &trust, &error), ERR_OK);
    X509 *leaf = make_certificate(&below, f->key);
    assert_int_equal(judge(trust, (X509 *[]){ leaf, rollover, NULL }, time(NULL)), -1);

    /* The same, signed by nobody of ours. */
    X509 *fake =
        make_certificate(&(struct wish){ .cn = "CA", .ca = 1, .key_ids = 1 }, f->other_key);
    leaf = make_certificate(
        &(struct wish){ .cn = "leaf", .key_ids = 1, .issuer = fake, .issuer_key = f->other_key },
        f->key);
    assert_int_equal(judge(trust, (X509 *[]){ leaf, fake, NULL }, time(NULL)),
                     REFUSAL_UNKNOWN_ISSUER);
    tls_trust_free(trust);
    X509_free(ca);
}

/* One key and name, signed by ours and by a stranger: it counts whichever comes first. */
static void test_cross_signed(void **state)
{
    struct fixture *f = *state;
    for (int first = 0; first < 2; first++) {
        EVP_PKEY *stranger_key = make_key();
        X509 *stranger =
            make_certificate(&(struct wish){ .cn = "Stranger", .ca = 1 }, stranger_key);
        X509 *crossed[2] = { make_certificate(&(struct wish){ .cn = "Crossed",
                                                              .ca = 1,
                                                              .issuer = f->ca,
                                                              .issuer_key = f->ca_key },
                                              f->other_key),
                             make_certificate(&(struct wish){ .cn = "Crossed",
                                                              .ca = 1,
                                                              .issuer = stranger,
                                                              .issuer_key = stranger_key },
                                              f->other_key) };
        X509 *leaf = make_certificate(
            &(struct wish){ .cn = "leaf", .issuer = crossed[0], .issuer_key = f->other_key },
            f->key);
        int kind =
            judge(f->trust, (X509 *[]){ leaf, crossed[first], crossed[1 - first], stranger, NULL },
                  time(NULL));
        assert_int_equal(kind, -1);
        EVP_PKEY_free(stranger_key);
    }
}

static void test_duplicates(void **state)
{
    struct fixture *f = *state;
    X509 *leaf = issued(f, (struct wish){ .cn = NULL });
    X509 *chain[12] = { NULL };
    for (size_t i = 0; i < ARRAY_SIZE(chain) - 1; i++) {
        chain[i] = i < 6 ? leaf : f->ca;
        X509_up_ref(chain[i]);
    }
    assert_int_equal(judge(f->trust, chain, time(NULL)), -1);
    X509_free(leaf);

    struct tls_trust *twice;
    struct load_error why;
    assert_int_equal(
        make_trust(&(struct trust_wish){ .cas = { f->ca, f->ca }, .pins = { f->ca, f->ca } },
                   &twice, &why),
        ERR_OK);
    assert_int_equal(
        judge(twice, (X509 *[]){ issued(f, (struct wish){ .cn = NULL }), NULL }, time(NULL)), -1);
    tls_trust_free(twice);
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    char *many = malloc(1000 * 16);
    size_t at = 0;
    for (int i = 0; i < 1000; i++) {
        at += (size_t)snprintf(many + at, 16, "%sDNS:n%d.x", i == 0 ? "" : ",", i);
    }
    assert_int_equal(judge_leaf(f, (struct wish){ .san = many }), -1);
    free(many);
    assert_int_equal(judge_leaf(f, (struct wish){ .dns = "a.x\0.evil", .dns_len = 9 }),
                     REFUSAL_NAME);
    assert_int_equal(judge_leaf(f, (struct wish){ .dns = "\0", .dns_len = 1 }), REFUSAL_NAME);
    assert_int_equal(judge_leaf(f, (struct wish){ .dns = "", .dns_len = 0 }), REFUSAL_NAME);
    assert_int_equal(judge_leaf(f, (struct wish){ .dns = "\xff", .dns_len = 1 }), REFUSAL_NAME);
    assert_int_equal(judge_leaf(f, (struct wish){ .cn = "a\0b", .cn_len = 3 }), REFUSAL_NAME);

    char *longest = malloc(2000);
    memset(longest, 'a', 2000);
    assert_int_equal(judge_leaf(f, (struct wish){ .dns = longest, .dns_len = 1024 }), -1);
    assert_int_equal(judge_leaf(f, (struct wish){ .dns = longest, .dns_len = 1025 }), REFUSAL_NAME);
    free(longest);
}

static void test_serials(void **state)
{
    struct fixture *f = *state;
    uint8_t big[4096];
    memset(big, 0x7f, sizeof(big));
    const size_t lens[] = { 1, 20, 21, 31, 32, 63, 64, 65, 4096 };
    for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
        int kind = judge_leaf(f, (struct wish){ .serial_bytes = big, .serial_len = lens[i] });
        assert_true(kind == -1 || kind == REFUSAL_BROKEN);
        assert_true(lens[i] > 20 || kind == -1);
    }
}

static void test_dates(void **state)
{
    struct fixture *f = *state;
    struct wish forever = { .until_text = "99991231235959Z" };
    assert_int_equal(judge_leaf(f, forever), -1);
    assert_int_equal(judge(f->trust, (X509 *[]){ issued(f, forever), NULL }, 253402300798), -1);
    assert_int_equal(judge(f->trust, (X509 *[]){ issued(f, forever), NULL }, 253402300799),
                     REFUSAL_EXPIRED);
    assert_int_equal(judge_leaf(f, (struct wish){ .until = -1 }), REFUSAL_EXPIRED);
    assert_int_equal(judge_leaf(f, (struct wish){ .from = 60 }), REFUSAL_NOT_YET_VALID);
    assert_int_equal(judge_leaf(f, (struct wish){ .from = 60, .until = -60 }),
                     REFUSAL_NOT_YET_VALID);
}

static void test_what_else_is_wrong(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(judge_leaf(f, (struct wish){ .usage = "serverAuth" }), REFUSAL_PURPOSE);
    assert_int_equal(judge_leaf(f, (struct wish){ .usage = "clientAuth" }), -1);
    assert_int_equal(judge_leaf(f, (struct wish){ .unknown = "1.3.6.1.4.1.99999.1" }),
                     REFUSAL_BROKEN);

    X509 *short_ca = make_certificate(&(struct wish){ .cn = "Short",
                                                      .issuer = f->ca,
                                                      .issuer_key = f->ca_key,
                                                      .constraints = "critical,CA:TRUE,pathlen:0" },
                                      f->other_key);
    X509 *below = make_certificate(
        &(struct wish){ .cn = "Below", .ca = 1, .issuer = short_ca, .issuer_key = f->other_key },
        f->other_key);
    X509 *leaf = make_certificate(
        &(struct wish){ .cn = "leaf", .issuer = below, .issuer_key = f->other_key }, f->key);
    assert_int_equal(judge(f->trust, (X509 *[]){ leaf, below, short_ca, NULL }, time(NULL)),
                     REFUSAL_UNKNOWN_ISSUER);

    X509 *no_ca = issued(f, (struct wish){ .cn = "no CA" });
    leaf = make_certificate(&(struct wish){ .cn = "leaf", .issuer = no_ca, .issuer_key = f->key },
                            f->key);
    assert_int_equal(judge(f->trust, (X509 *[]){ leaf, no_ca, NULL }, time(NULL)),
                     REFUSAL_UNKNOWN_ISSUER);

    EVP_PKEY *weak = make_rsa_key(1024);
    X509 *weak_ca = make_certificate(
        &(struct wish){ .cn = "Weak", .ca = 1, .issuer = f->ca, .issuer_key = f->ca_key }, weak);
    leaf = make_certificate(&(struct wish){ .cn = "leaf", .issuer = weak_ca, .issuer_key = weak },
                            f->key);
    assert_int_equal(judge(f->trust, (X509 *[]){ leaf, weak_ca, NULL }, time(NULL)),
                     REFUSAL_WEAK_KEY);
    EVP_PKEY_free(weak);
}

/* Each byte of a chain changed, and the chain cut anywhere: never trusted, unless it is not looked at. */
static void test_broken_bytes(void **state)
{
    static const struct identity_order order = { { IDENTITY_CN }, 1 };
    struct fixture *f = *state;
    X509 *leaf = issued(f, (struct wish){ .cn = NULL });
    uint8_t *der = NULL;
    size_t len = (size_t)i2d_X509(leaf, &der);
    for (size_t i = 0; i < 2 * len; i++) {
        struct refusal why;
        STACK_OF(CRYPTO_BUFFER) *chain = sk_CRYPTO_BUFFER_new_null();
        uint8_t *copy = malloc(len);
        memcpy(copy, der, len);
        copy[i % len] ^= (uint8_t)(1 << (i % 8));
        sk_CRYPTO_BUFFER_push(chain, CRYPTO_BUFFER_new(copy, i < len ? len : i - len, NULL));
        assert_null(tls_trust_verify(f->trust, &order, chain, time(NULL), &why));
        assert_true(why.reason[0] != '\0' && refusal_alert(why.kind) >= 42);
        sk_CRYPTO_BUFFER_pop_free(chain, CRYPTO_BUFFER_free);
        free(copy);
    }
    OPENSSL_free(der);
    X509_free(leaf);
}

static void test_no_chain(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(judge(f->trust, (X509 *[]){ NULL }, time(NULL)), REFUSAL_NO_CERTIFICATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deep_chains),  cmocka_unit_test(test_loops),
        cmocka_unit_test(test_self_issued),  cmocka_unit_test(test_cross_signed),
        cmocka_unit_test(test_duplicates),   cmocka_unit_test(test_names),
        cmocka_unit_test(test_serials),      cmocka_unit_test(test_dates),
        cmocka_unit_test(test_broken_bytes), cmocka_unit_test(test_what_else_is_wrong),
        cmocka_unit_test(test_no_chain),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
