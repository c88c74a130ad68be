/*
 * trust_test: whom tls_trust lets in, under which identity, and why it refuses the others.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certificates.h"
#include "trust/tls_trust.h"

struct fixture {
    EVP_PKEY *ca_key, *key;
    X509 *ca, *pinned;
    struct tls_trust *trust;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct load_error why;
    f->ca_key = make_key();
    f->key = make_key();
    f->ca = make_certificate(&(struct wish){ .cn = "CA", .ca = 1 }, f->ca_key);
    f->pinned = make_certificate(&(struct wish){ .cn = "pinned", .ca = 1 }, f->key);
    const struct trust_wish w = { .cas = { f->ca }, .pins = { f->pinned } };
    assert_int_equal(make_trust(&w, &f->trust, &why), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tls_trust_free(f->trust);
    X509_free(f->ca);
    X509_free(f->pinned);
    EVP_PKEY_free(f->ca_key);
    EVP_PKEY_free(f->key);
    free(f);
    return 0;
}

static struct peer *verify(struct fixture *f, X509 *leaf, X509 *next, struct refusal *why)
{
    return verify_chain(f->trust, (X509 *const[]){ leaf, next, NULL }, time(NULL), why);
}

/* expect: what the identity or, behind a '!', the reason begins with. */
static void check(struct fixture *f, struct wish w, const char *expect)
{
    struct refusal why;
    w.issuer = f->ca;
    w.issuer_key = f->ca_key;
    X509 *leaf = make_certificate(&w, f->key);
    struct peer *p = verify(f, leaf, NULL, &why);
    if (expect[0] == '!') {
        assert_null(p);
        assert_memory_equal(why.reason, expect + 1, strlen(expect + 1));
    } else {
        assert_non_null(p);
        assert_true(slice_eq(p->identity, slice_of(expect)));
        assert_true(slice_eq(p->issuer, SLICE("CN=CA")));
        peer_unref(p);
    }
    X509_free(leaf);
}

static void test_identities(void **state)
{
    struct fixture *f = *state;
    check(f, (struct wish){ .cn = "alice" }, "cn:alice");
    check(f, (struct wish){ .cn = "alice", .usage = "clientAuth" }, "cn:alice");
    check(f, (struct wish){ .cn = "uri:spiffe://x/y" }, "cn:uri:spiffe://x/y");
    check(f, (struct wish){ .cn = "a", .san = "URI:spiffe://prod/web,DNS:d" },
          "uri:spiffe://prod/web");
    check(f, (struct wish){ .cn = "a", .san = "email:a@b,DNS:one.x,DNS:two.x" }, "dns:one.x");
    check(f, (struct wish){ .san = "email:a@b" }, "email:a@b");
    check(f, (struct wish){ .cn = "a", .san = "IP:10.0.0.1" }, "cn:a");
    check(f, (struct wish){ .cn = "olá" }, "cn:olá");
}

static void test_refused_names(void **state)
{
    struct fixture *f = *state;
    check(f, (struct wish){ .cn = NULL, .san = "IP:10.0.0.1" }, "!name refused: it has no name");
    check(f, (struct wish){ .cn = "alice\0bob", .cn_len = 9 }, "!name refused: it holds a NUL");
    check(f, (struct wish){ .cn = "a\nb" }, "!name refused: it holds a control");
    check(f, (struct wish){ .cn = "a", .cn2 = "b" }, "!name refused: more than one common name");
    check(f, (struct wish){ .cn = "a", .cn2 = "b", .san = "DNS:x" },
          "!name refused: more than one");
    check(f, (struct wish){ .san = "URI:spiffe://a/b,URI:spiffe://a/c" },
          "!name refused: a SPIFFE");
}

static void test_refused_certificates(void **state)
{
    struct fixture *f = *state;
    check(f, (struct wish){ .cn = "a", .usage = "serverAuth" }, "!wrong purpose");
    check(f, (struct wish){ .cn = "a", .from = -7200, .until = -3600 },
          "!expired 60 minutes ago on ");
    check(f, (struct wish){ .cn = "a", .from = 600 }, "!not yet valid until ");
}

static void test_pins_are_exact(void **state)
{
    struct fixture *f = *state;
    struct refusal why;
    struct peer *p = verify(f, f->pinned, NULL, &why);
    assert_non_null(p);
    assert_true(slice_eq(p->identity, SLICE("cn:pinned")));
    peer_unref(p);

    /* The same key and name, but another certificate; and one that the pinned one issued. */
    X509 *twin = make_certificate(&(struct wish){ .cn = "pinned", .ca = 1, .serial = 7 }, f->key);
    assert_null(verify(f, twin, NULL, &why));
    X509 *minted = make_certificate(
        &(struct wish){ .cn = "admin", .issuer = f->pinned, .issuer_key = f->key }, f->key);
    assert_null(verify(f, minted, f->pinned, &why));
    assert_int_equal(why.kind, REFUSAL_UNKNOWN_ISSUER);
    X509_free(twin);
    X509_free(minted);
}

static void test_a_leaf_is_no_ca(void **state)
{
    struct fixture *f = *state;
    struct load_error why;
    struct tls_trust *trust = NULL;
    X509 *leaf = make_certificate(
        &(struct wish){ .cn = "leaf", .issuer = f->ca, .issuer_key = f->ca_key }, f->key);
    assert_int_equal(make_trust(&(struct trust_wish){ .cas = { leaf } }, &trust, &why),
                     ERR_INVALID);
    assert_non_null(strstr(why.text, "is not a CA"));
    X509_free(leaf);
}

static void test_garbage_chain(void **state)
{
    struct fixture *f = *state;
    struct refusal why;
    STACK_OF(CRYPTO_BUFFER) *chain = sk_CRYPTO_BUFFER_new_null();
    sk_CRYPTO_BUFFER_push(chain, CRYPTO_BUFFER_new((const uint8_t *)"0\x82zz", 4, NULL));
    assert_null(tls_trust_verify(f->trust, &(struct identity_order){ { IDENTITY_CN }, 1 }, chain,
                                 time(NULL), &why));
    assert_non_null(strstr(why.reason, "cannot be read"));
    sk_CRYPTO_BUFFER_pop_free(chain, CRYPTO_BUFFER_free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identities),           cmocka_unit_test(test_refused_names),
        cmocka_unit_test(test_refused_certificates), cmocka_unit_test(test_pins_are_exact),
        cmocka_unit_test(test_a_leaf_is_no_ca),      cmocka_unit_test(test_garbage_chain),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
