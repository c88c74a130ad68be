/*
 * revoked_test: which lists are taken, what counts of them, and until when they are up to date.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certificates.h"

struct fixture {
    EVP_PKEY *ca_key, *other_key, *key;
    X509 *ca, *other;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->ca_key = make_key();
    f->other_key = make_key();
    f->key = make_key();
    f->ca = make_certificate(&(struct wish){ .cn = "CA", .ca = 1, .until = 199999 }, f->ca_key);
    f->other = make_certificate(&(struct wish){ .cn = "Other", .ca = 1 }, f->other_key);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    X509_free(f->ca);
    X509_free(f->other);
    EVP_PKEY_free(f->ca_key);
    EVP_PKEY_free(f->other_key);
    EVP_PKEY_free(f->key);
    free(f);
    return 0;
}

/* load makes a trust set of both CAs and these lists. */
static enum err load(struct fixture *f, const struct crl_wish *lists, size_t count,
                     enum crl_expired policy, struct tls_trust **out, struct load_error *why)
{
    struct trust_wish w = { .cas = { f->ca, f->other }, .crl_expired = policy };
    for (size_t i = 0; i < count; i++) {
        struct crl_wish list = lists[i];
        list.issuer = list.issuer == NULL ? f->ca : list.issuer;
        list.key =
            list.key == NULL ? (list.issuer == f->other ? f->other_key : f->ca_key) : list.key;
        w.crls[i] = make_crl(&list);
    }
    enum err err = make_trust(&w, out, why);
    for (size_t i = 0; i < count; i++) {
        X509_CRL_free(w.crls[i]);
    }
    return err;
}

/* comes_in verifies a leaf with this serial at a time from now; the refusal's kind, or -1. */
static int verdict(struct fixture *f, const struct tls_trust *t, long serial, int64_t at,
                   int64_t *fresh_for)
{
    struct refusal why;
    X509 *leaf = make_certificate(&(struct wish){ .cn = "leaf",
                                                  .serial = serial,
                                                  .from = -99999,
                                                  .until = 99999,
                                                  .issuer = f->ca,
                                                  .issuer_key = f->ca_key },
                                  f->key);
    int64_t now = time(NULL);
    struct peer *p = verify_chain(t, (X509 *const[]){ leaf, NULL }, now + at, &why);
    int result = p == NULL ? (int)why.kind : -1;
    if (p != NULL && fresh_for != NULL) {
        *fresh_for = p->fresh_until - now;
    }
    peer_unref(p);
    X509_free(leaf);
    return result;
}

static void test_every_entry_counts(void **state)
{
    struct fixture *f = *state;
    struct load_error why;
    struct tls_trust *t;
    const struct crl_wish lists[] = {
        { .serials = { 5, 6 } },
        { .serials = { 6, 7 }, .reason = 8 }, /* removeFromCRL outside a delta list */
        { .serials = { 8 }, .since = 9999 },  /* from tomorrow on: it is revoked */
        { .issuer = f->other, .serials = { 9, 10 }, .until = -60 },
    };
    assert_int_equal(load(f, lists, 4, CRL_EXPIRED_WARN, &t, &why), ERR_OK);
    assert_int_equal(tls_trust_size(t).revoked, 6);
    for (long serial = 5; serial <= 8; serial++) {
        assert_int_equal(verdict(f, t, serial, 0, NULL), REFUSAL_REVOKED);
    }
    assert_int_equal(verdict(f, t, 9, 0, NULL), -1); /* another issuer's */
    assert_int_equal(verdict(f, t, 4, 0, NULL), -1);
    tls_trust_free(t);
}

static void test_lists_that_would_be_misread(void **state)
{
    static const struct {
        struct crl_wish list;
        const char *says;
    } rows[] = {
        { { .delta = 1, .serials = { 5 } }, "a delta list; give the complete list instead" },
        { { .indirect = 1 }, "an indirect list" },
        { { .attributes = 1 }, "attribute certificates" },
        { { .unknown = "1.3.6.1.4.1.99999.1" }, "critical extension that is not known: 1.3.6.1" },
        { { .unknown_of_entry = "1.3.6.1.4.1.99999.2", .serials = { 5 } },
          "an entry has a critical extension that is not known: 1.3.6.1" },
        { { .unknown_of_entry = "2.5.29.29", .serials = { 5 } }, /* certificateIssuer */
          "an entry has a critical extension that is not known: 2.5.29.29" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct load_error why = { "" };
        struct tls_trust *t;
        assert_int_equal(load(f, &rows[i].list, 1, CRL_EXPIRED_WARN, &t, &why), ERR_INVALID);
        assert_non_null(strstr(why.text, rows[i].says));
        assert_int_equal(why.text[0], '/'); /* the file's name */
    }
}

static void test_lists_of_others(void **state)
{
    struct fixture *f = *state;
    struct load_error why;
    struct tls_trust *t;
    X509 *unknown = make_certificate(&(struct wish){ .cn = "Unknown", .ca = 1 }, f->key);
    const struct crl_wish forged = { .key = f->key, .serials = { 5 } };
    assert_int_equal(load(f, &forged, 1, CRL_EXPIRED_WARN, &t, &why), ERR_INVALID);
    assert_non_null(strstr(why.text, "wrong signature"));
    const struct crl_wish of_unknown = { .issuer = unknown, .key = f->key, .serials = { 5 } };
    assert_int_equal(load(f, &of_unknown, 1, CRL_EXPIRED_WARN, &t, &why), ERR_OK);
    assert_int_equal(tls_trust_size(t).revoked, 1);
    assert_int_equal(verdict(f, t, 5, 0, NULL), -1);
    tls_trust_free(t);
    X509_free(unknown);
}

static void test_a_list_of_a_part_and_one_from_the_future(void **state)
{
    struct fixture *f = *state;
    struct load_error why;
    struct tls_trust *t;
    const struct crl_wish lists[] = { { .users = 1, .serials = { 5 } },
                                      { .from = 600, .until = 1200, .serials = { 6 } } };
    assert_int_equal(load(f, lists, 2, CRL_EXPIRED_REJECT, &t, &why), ERR_OK);
    assert_int_equal(verdict(f, t, 5, 0, NULL), REFUSAL_REVOKED);
    assert_int_equal(verdict(f, t, 6, 0, NULL), REFUSAL_REVOKED);
    assert_int_equal(verdict(f, t, 7, 0, NULL), -1);
    tls_trust_free(t);
}

/* until: of each list, from now, 0: none; others: with another scope; fresh: what a peer then has. */
static void test_lists_that_run_out(void **state)
{
    static const struct {
        int64_t until, until2, until_other_scope;
        enum crl_expired policy;
        int64_t at, fresh; /* -1: refused */
        size_t expired;    /* lists, at that time */
    } rows[] = {
        { 600, 0, 0, CRL_EXPIRED_REJECT, 0, 600, 0 },
        { 600, 0, 0, CRL_EXPIRED_REJECT, 600, 600, 0 },
        { 600, 0, 0, CRL_EXPIRED_REJECT, 605, -1, 1 },
        { 600, 0, 0, CRL_EXPIRED_WARN, 605, 99999, 1 },
        { 600, 900, 0, CRL_EXPIRED_REJECT, 605, 900, 0 }, /* a newer one is there */
        { 900, 600, 0, CRL_EXPIRED_REJECT, 605, 900, 0 },
        { 900, 600, 700, CRL_EXPIRED_REJECT, 605, 700, 0 },
        { 900, 600, 300, CRL_EXPIRED_REJECT, 605, -1, 1 }, /* no other has this one's scope */
        { -60, 0, 0, CRL_EXPIRED_REJECT, 0, -1, 1 },
        { -60, 0, 0, CRL_EXPIRED_WARN, 0, 99999, 1 },
        { -1, 0, 0, CRL_EXPIRED_REJECT, 5000, 99999, 0 }, /* it never says */
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct crl_wish lists[3] = { { .until = rows[i].until } };
        size_t count = 1;
        struct load_error why;
        struct tls_trust *t;
        int64_t fresh = 0, next;
        if (rows[i].until2 != 0) {
            lists[count++] = (struct crl_wish){ .until = rows[i].until2 };
        }
        if (rows[i].until_other_scope != 0) {
            lists[count++] = (struct crl_wish){ .until = rows[i].until_other_scope, .users = 1 };
        }
        assert_int_equal(load(f, lists, count, rows[i].policy, &t, &why), ERR_OK);
        int found = verdict(f, t, 5, rows[i].at, &fresh);
        assert_int_equal(found, rows[i].fresh == -1 ? REFUSAL_CRL_EXPIRED : -1);
        assert_true(rows[i].fresh == -1 || llabs(fresh - rows[i].fresh) <= 2);
        assert_int_equal(tls_trust_crls_expired(t, time(NULL) + rows[i].at, &next),
                         rows[i].expired);
        tls_trust_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_entry_counts),
        cmocka_unit_test(test_lists_that_would_be_misread),
        cmocka_unit_test(test_lists_of_others),
        cmocka_unit_test(test_a_list_of_a_part_and_one_from_the_future),
        cmocka_unit_test(test_lists_that_run_out),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
