/*
 * still_test: who is trusted under another set than the one that verified it, and what the reason says;
 * paths as text and back.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certificates.h"

/* Two roots; below the first an intermediate with a leaf; below each a leaf; a pin. */
struct fixture {
    EVP_PKEY *root_key, *middle_key, *other_key, *key;
    X509 *root, *renewed, *rekeyed, *middle, *other;
    X509 *leaf, *deep, *pinned;
    struct tls_trust *trust;
};

static struct tls_trust *trust_of(const struct trust_wish *w)
{
    struct tls_trust *t = NULL;
    struct load_error why;
    assert_int_equal(make_trust(w, &t, &why), ERR_OK);
    return t;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->root_key = make_key();
    f->middle_key = make_key();
    f->other_key = make_key();
    f->key = make_key();
    f->root = make_certificate(&(struct wish){ .cn = "Root", .ca = 1, .serial = 10 }, f->root_key);
    f->renewed = make_certificate(
        &(struct wish){ .cn = "ROOT", .ca = 1, .serial = 11, .until = 9999 }, f->root_key);
    f->rekeyed = make_certificate(&(struct wish){ .cn = "Root", .ca = 1 }, f->other_key);
    f->other = make_certificate(&(struct wish){ .cn = "Other", .ca = 1 }, f->other_key);
    f->middle = make_certificate(
        &(struct wish){
            .cn = "Middle", .ca = 1, .serial = 20, .issuer = f->root, .issuer_key = f->root_key },
        f->middle_key);
    f->leaf = make_certificate(
        &(struct wish){ .cn = "leaf", .serial = 30, .issuer = f->root, .issuer_key = f->root_key },
        f->key);
    f->deep = make_certificate(
        &(struct wish){
            .cn = "deep", .serial = 31, .issuer = f->middle, .issuer_key = f->middle_key },
        f->key);
    f->pinned = make_certificate(&(struct wish){ .cn = "pinned", .ca = 1, .serial = 40 }, f->key);
    f->trust =
        trust_of(&(struct trust_wish){ .cas = { f->root, f->other }, .pins = { f->pinned } });
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    X509 *certs[] = { f->root,  f->renewed, f->rekeyed, f->middle,
                      f->other, f->leaf,    f->deep,    f->pinned };
    EVP_PKEY *keys[] = { f->root_key, f->middle_key, f->other_key, f->key };
    for (size_t i = 0; i < ARRAY_SIZE(certs); i++) {
        X509_free(certs[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        EVP_PKEY_free(keys[i]);
    }
    tls_trust_free(f->trust);
    free(f);
    return 0;
}

static struct peer *peer_of(struct fixture *f, X509 *leaf, X509 *next)
{
    struct refusal why;
    struct peer *p = verify_chain(f->trust, (X509 *const[]){ leaf, next, NULL }, time(NULL), &why);
    assert_non_null(p);
    return p;
}

/* expect: kind and reason; "" for trusted. The set replaces the fixture's, as a reload would. */
static void check(struct fixture *f, X509 *leaf, X509 *next, struct trust_wish w,
                  enum refusal_kind kind, const char *reason)
{
    struct peer *p = peer_of(f, leaf, next);
    struct tls_trust *t = trust_of(&w);
    struct refusal why = { .reason = "" };
    tls_trust_remember(t, f->trust);
    assert_int_equal(tls_trust_still(t, p, &why), reason[0] == '\0');
    assert_memory_equal(why.reason, reason, strlen(reason));
    if (reason[0] != '\0') {
        assert_int_equal(why.kind, kind);
    }
    tls_trust_free(t);
    peer_unref(p);
}

static void test_cas(void **state)
{
    struct fixture *f = *state;
    static const char gone[] = "its CA \"CN=Root\" was removed";
    check(f, f->leaf, NULL, (struct trust_wish){ .cas = { f->root } }, 0, "");
    check(f, f->leaf, NULL, (struct trust_wish){ .cas = { f->renewed } }, 0, "");
    check(f, f->leaf, NULL, (struct trust_wish){ .cas = { f->other } }, REFUSAL_CA_REMOVED, gone);
    check(f, f->leaf, NULL, (struct trust_wish){ .cas = { f->rekeyed } }, REFUSAL_CA_REMOVED, gone);
    check(f, f->leaf, NULL, (struct trust_wish){ .pins = { f->pinned } }, REFUSAL_CA_REMOVED, gone);
    check(f, f->deep, f->middle, (struct trust_wish){ .cas = { f->root } }, 0, "");
    check(f, f->deep, f->middle, (struct trust_wish){ .cas = { f->middle } }, 0, "");
    check(f, f->deep, f->middle, (struct trust_wish){ .cas = { f->other } }, REFUSAL_CA_REMOVED,
          gone);
}

static void test_pins(void **state)
{
    struct fixture *f = *state;
    check(f, f->pinned, NULL, (struct trust_wish){ .pins = { f->leaf, f->pinned } }, 0, "");
    check(f, f->pinned, NULL, (struct trust_wish){ .cas = { f->root } }, REFUSAL_PIN_REMOVED,
          "its pin was removed");
    /* Its CA goes, but it was pinned in time. What it could issue is not, of course. */
    check(f, f->leaf, NULL, (struct trust_wish){ .pins = { f->leaf } }, 0, "");
    check(f, f->deep, f->middle, (struct trust_wish){ .pins = { f->middle } }, REFUSAL_CA_REMOVED,
          "its CA \"CN=Root\"");
}

static void test_revocations(void **state)
{
    struct fixture *f = *state;
    X509_CRL *by_root = make_crl(&(struct crl_wish){
        .issuer = f->root, .key = f->root_key, .serials = { 20, 30 }, .since = -86400 });
    X509_CRL *root_itself =
        make_crl(&(struct crl_wish){ .issuer = f->root, .key = f->root_key, .serials = { 10 } });
    X509_CRL *by_other = make_crl(&(struct crl_wish){
        .issuer = f->other, .key = f->other_key, .serials = { 10, 20, 30, 40 } });
    X509_CRL *of_pin =
        make_crl(&(struct crl_wish){ .issuer = f->pinned, .key = f->key, .serials = { 40 } });
    const struct trust_wish all = { .cas = { f->root, f->other }, .pins = { f->pinned } };
    struct trust_wish w = all;
    w.crls[0] = by_root;
    check(f, f->leaf, NULL, w, REFUSAL_REVOKED, "revoked on 20");
    check(f, f->deep, f->middle, w, REFUSAL_REVOKED, "its issuer: revoked on 20");
    check(f, f->pinned, NULL, w, 0, "");
    w.crls[0] = by_other; /* the same serials of another issuer */
    check(f, f->leaf, NULL, w, 0, "");
    check(f, f->deep, f->middle, w, 0, "");
    w.crls[0] = root_itself;
    check(f, f->leaf, NULL, w, REFUSAL_REVOKED, "its issuer: revoked on 20");
    w.crls[0] = of_pin;
    check(f, f->pinned, NULL, w, REFUSAL_REVOKED, "revoked on 20");
    X509_CRL_free(by_root);
    X509_CRL_free(root_itself);
    X509_CRL_free(by_other);
    X509_CRL_free(of_pin);
}

static void test_paths_as_text(void **state)
{
    struct fixture *f = *state;
    X509 *const leaves[] = { f->leaf, f->deep, f->pinned };
    const uint8_t steps_of[] = { 2, 3, 1 };
    for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
        struct peer *p = peer_of(f, leaves[i], leaves[i] == f->deep ? f->middle : NULL);
        struct trust_step steps[TRUST_PATH_MAX];
        struct trust_path path;
        struct refusal why;
        struct buf text;
        buf_init(&text, TRUST_PATH_TEXT);
        assert_int_equal(p->path.count, steps_of[i]);
        trust_path_text(&p->path, &text);
        assert_false(text.overflow);
        assert_int_equal(trust_path_parse(buf_slice(&text), steps, &path), ERR_OK);
        assert_int_equal(path.pinned, leaves[i] == f->pinned);
        assert_int_equal(path.count, p->path.count);
        assert_memory_equal(steps, p->path.steps, path.count * sizeof(steps[0]));
        assert_true(tls_trust_still_path(f->trust, &path, SLICE("x"), &why));
        for (size_t cut = 0; cut < buf_len(&text); cut++) {
            enum err err = trust_path_parse((struct slice){ text.p, cut }, steps, &path);
            assert_int_equal(err, cut > 3 && (cut - 3) % 66 == 65 && !p->path.pinned ? ERR_OK
                                                                                     : ERR_INVALID);
        }
        buf_release(&text);
        peer_unref(p);
    }
}

static void test_paths_that_are_none(void **state)
{
#define ID "00112233445566778899aabbccddeeff"
    static const char *const bad[] = {
        "",
        "ca:",
        "pin:",
        "ca",
        "CA:" ID "." ID,
        "ca:" ID,
        "ca:" ID ".",
        "ca:" ID "," ID,
        "ca:" ID "." ID ",",
        "ca:" ID "." ID " ",
        "ca: " ID "." ID,
        "pin:" ID "." ID "," ID "." ID,
        "ca:" ID "."
        "00112233445566778899AABBCCDDEEFF",
        "ca:" ID "."
        "g0112233445566778899aabbccddeeff",
    };
    struct trust_step steps[TRUST_PATH_MAX];
    struct trust_path path;
    struct buf text;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(trust_path_parse(slice_of(bad[i]), steps, &path), ERR_INVALID);
    }
    buf_init(&text, 4096);
    buf_append(&text, "ca", 2);
    for (size_t i = 0; i <= TRUST_PATH_MAX; i++) {
        assert_int_equal(trust_path_parse(buf_slice(&text), steps, &path),
                         i == 0 ? ERR_INVALID : ERR_OK);
        buf_printf(&text, "%c" ID "." ID, i == 0 ? ':' : ',');
    }
    assert_int_equal(trust_path_parse(buf_slice(&text), steps, &path), ERR_INVALID);
    buf_release(&text);
#undef ID
}

/* Names that a CRL and a certificate spell differently are one; those that differ are not. */
static void test_names(void **state)
{
    static const struct {
        const char *a, *b;
        int type;
        bool same;
    } rows[] = {
        { "Some CA", "some  ca ", 0, true },
        { "Some CA", "SOME CA", MBSTRING_ASC, true },
        { "Some CA", "SomeCA", 0, false },
        { "Some CA", "Some CB", 0, false },
        { "S\xc3\xa3o", "S\xc3\xa3o", MBSTRING_BMP, true },
        { "S\xc3\xa3o", "S\xc3\x83O", 0, false },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char wide[32] = "";
        size_t len = strlen(rows[i].b);
        struct wish other = { .cn = rows[i].b, .type = rows[i].type };
        if (rows[i].type == MBSTRING_BMP) {
            memcpy(wide, "\0S\0\xe3\0o", 6);
            other.cn = wide;
            len = 6;
        }
        other.cn_len = len;
        X509 *a = make_certificate(&(struct wish){ .cn = rows[i].a }, f->key);
        X509 *b = make_certificate(&other, f->key);
        struct cert_id x = cert_id_of_name(X509_get_subject_name(a));
        struct cert_id y = cert_id_of_name(X509_get_subject_name(b));
        assert_int_equal(cert_id_compare(&x, &y) == 0, rows[i].same);
        assert_int_equal(X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)) == 0,
                         rows[i].same);
        X509_free(a);
        X509_free(b);
    }
}

/* An RDN's attributes in another order are the same name; in RDNs of their own they are not. */
static void test_names_of_several_attributes(void **state)
{
    static const int places[][2] = { { -1, 0 }, { 0, -1 }, { -1, -1 } };
    struct cert_id ids[3];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        X509_NAME *name = X509_NAME_new();
        const char *const first = i == 1 ? "O" : "CN", *const second = i == 1 ? "CN" : "O";
        X509_NAME_add_entry_by_txt(name, first, MBSTRING_UTF8, (const uint8_t *)first, -1, -1, 0);
        X509_NAME_add_entry_by_txt(name, second, MBSTRING_UTF8, (const uint8_t *)second, -1, -1,
                                   places[i][0] == 0 || places[i][1] == 0 ? -1 : 0);
        if (i == 0) {
            assert_int_equal(X509_NAME_entry_count(name), 2);
        }
        ids[i] = cert_id_of_name(name);
        X509_NAME_free(name);
    }
    assert_int_equal(cert_id_compare(&ids[0], &ids[1]), 0);
    assert_int_not_equal(cert_id_compare(&ids[0], &ids[2]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cas),
        cmocka_unit_test(test_pins),
        cmocka_unit_test(test_revocations),
        cmocka_unit_test(test_paths_as_text),
        cmocka_unit_test(test_paths_that_are_none),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_of_several_attributes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
