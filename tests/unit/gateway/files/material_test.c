/*
 * material_test: the files as one set: what is kept of them, that no private key goes along, and that
 * its form as bytes comes back the same or not at all.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/pem.h>

#include "certificates.h"
#include "tls/tls_context.h"

enum { CERT, KEY, CA, FILES };

struct fixture {
    char directory[32];
    char paths[FILES][48];
    const char *items[FILES];
    struct gateway_options options;
    EVP_PKEY *key, *ca_key;
    X509 *cert, *ca;
};

static void write_file(const char *path, const char *mode, X509 *cert, EVP_PKEY *key)
{
    FILE *f = fopen(path, mode);
    assert_non_null(f);
    if (key != NULL) {
        assert_true(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
    }
    if (cert != NULL) {
        assert_true(PEM_write_X509(f, cert));
    }
    fclose(f);
}

static void write_text(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
}

static int setup(void **state)
{
    static const char *const names[FILES] = { "cert", "key", "ca" };
    struct fixture *f = calloc(1, sizeof(*f));
    memcpy(f->directory, "/tmp/cofre-material-XXXXXX", sizeof("/tmp/cofre-material-XXXXXX"));
    assert_non_null(mkdtemp(f->directory));
    for (int i = 0; i < FILES; i++) {
        snprintf(f->paths[i], sizeof(f->paths[i]), "%s/%s", f->directory, names[i]);
        f->items[i] = f->paths[i];
    }
    f->key = make_key();
    f->ca_key = make_key();
    f->ca = make_certificate(&(struct wish){ .cn = "CA", .ca = 1 }, f->ca_key);
    f->cert = make_certificate(
        &(struct wish){ .cn = "server", .issuer = f->ca, .issuer_key = f->ca_key }, f->key);
    write_file(f->paths[CERT], "w", f->cert, NULL);
    write_file(f->paths[KEY], "w", NULL, f->key);
    write_file(f->paths[CA], "w", f->ca, NULL);
    f->options.cert = (struct option_list){ &f->items[CERT], 1 };
    f->options.key = (struct option_list){ &f->items[KEY], 1 };
    f->options.client_ca = (struct option_list){ &f->items[CA], 1 };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < FILES; i++) {
        unlink(f->paths[i]);
    }
    rmdir(f->directory);
    X509_free(f->cert);
    X509_free(f->ca);
    EVP_PKEY_free(f->key);
    EVP_PKEY_free(f->ca_key);
    free(f);
    return 0;
}

static struct material *read_all(struct fixture *f)
{
    struct material *m = NULL;
    struct load_error why = { "" };
    if (material_read(&f->options, &m, &why) != ERR_OK) {
        fail_msg("%s", why.text);
    }
    return m;
}

static bool same_digest(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, SHA256_DIGEST_LENGTH) == 0;
}

static void test_digests(void **state)
{
    struct fixture *f = *state;
    struct material *first = read_all(f);
    /* A comment is no change; a renewal is one, but not of trust; a CA is one of both. */
    FILE *file = fopen(f->paths[CERT], "a");
    assert_non_null(file);
    fputs("# renewed by hand\n", file);
    fclose(file);
    struct material *commented = read_all(f);
    assert_true(same_digest(material_digest(first), material_digest(commented)));

    write_file(f->paths[CERT], "a", f->ca, NULL);
    struct material *renewed = read_all(f);
    assert_false(same_digest(material_digest(first), material_digest(renewed)));
    assert_true(same_digest(material_trust_digest(first), material_trust_digest(renewed)));

    write_file(f->paths[CA], "a", f->ca, NULL);
    struct material *trust = read_all(f);
    assert_false(same_digest(material_digest(renewed), material_digest(trust)));
    assert_false(same_digest(material_trust_digest(renewed), material_trust_digest(trust)));

    write_file(f->paths[KEY], "w", NULL, f->ca_key);
    struct material *rekeyed = read_all(f);
    assert_false(same_digest(material_digest(trust), material_digest(rekeyed)));

    material_free(first);
    material_free(commented);
    material_free(renewed);
    material_free(trust);
    material_free(rekeyed);
}

static void encode(const struct material *m, struct buf *out)
{
    buf_init(out, MATERIAL_MAX_BYTES);
    material_encode(m, out);
}

static bool holds(struct slice bytes, const char *text)
{
    return memmem(bytes.p, bytes.len, text, strlen(text)) != NULL;
}

/* The key is in the certificate's file: it is used, and is nowhere in the bytes. */
static void test_a_key_never_goes_along(void **state)
{
    struct fixture *f = *state;
    struct buf bytes;
    f->options.key.count = 0;
    write_file(f->paths[CERT], "w", f->cert, f->key);
    write_file(f->paths[CERT], "a", f->ca, f->key); /* before, between and behind */
    struct material *m = read_all(f);
    assert_true(material_key(m, 0)->is_private);
    assert_string_equal(material_key(m, 0)->path, f->paths[CERT]);
    const struct pem_file *file = material_file(m, MATERIAL_CERT, 0);
    struct slice kept = { file->p, file->len };
    assert_true(holds(kept, "-----BEGIN CERTIFICATE-----"));
    assert_false(holds(kept, "PRIVATE"));

    encode(m, &bytes);
    assert_false(holds(buf_slice(&bytes), "PRIVATE"));
    struct material *other = NULL;
    assert_int_equal(material_decode(&f->options, buf_slice(&bytes), &other), ERR_OK);
    assert_false(material_key(other, 0)->is_private);
    assert_true(same_digest(material_digest(m), material_digest(other)));
    assert_int_equal(EVP_PKEY_cmp(material_key(other, 0)->key, f->key), 1);
    BIO *none = BIO_new(BIO_s_mem());
    assert_false(PEM_write_bio_PKCS8PrivateKey(none, material_key(other, 0)->key, NULL, NULL, 0,
                                               NULL, NULL));
    BIO_free(none);
    material_free(other);
    material_free(m);
    buf_release(&bytes);
}

static void test_a_context_is_made_of_it(void **state)
{
    struct fixture *f = *state;
    struct load_error why;
    struct tls_context *whole, *fresh;
    struct material *m = read_all(f);
    assert_int_equal(tls_context_load(&f->options, m, NULL, NULL, &whole, &why), ERR_OK);
    assert_int_equal(tls_context_generation(whole), 1);
    assert_int_equal(tls_context_load(&f->options, m, NULL, whole, &fresh, &why), ERR_OK);
    assert_true(same_digest(tls_context_digest(whole), tls_context_digest(fresh)));
    assert_int_equal(tls_context_generation(fresh), 1);
    tls_context_unref(fresh);
    tls_context_unref(whole);
    material_free(m);

    /* A key that does not belong to the certificate is found by its public half. */
    write_file(f->paths[KEY], "w", NULL, f->ca_key);
    m = read_all(f);
    assert_int_equal(tls_context_load(&f->options, m, NULL, NULL, &whole, &why), ERR_INVALID);
    assert_non_null(strstr(why.text, f->paths[KEY]));
    assert_non_null(strstr(why.text, "does not belong"));
    material_free(m);
}

static void test_bytes_cut_or_changed(void **state)
{
    struct fixture *f = *state;
    struct buf bytes;
    struct material *m = read_all(f);
    encode(m, &bytes);
    struct slice all = buf_slice(&bytes);
    struct material *out = NULL;
    for (size_t len = 0; len < all.len; len++) {
        assert_int_equal(material_decode(&f->options, (struct slice){ all.p, len }, &out),
                         ERR_PROTOCOL);
    }
    buf_append(&bytes, "x", 1);
    assert_int_equal(material_decode(&f->options, buf_slice(&bytes), &out), ERR_PROTOCOL);
    buf_truncate(&bytes, buf_len(&bytes) - 1);

    struct gateway_options other = f->options; /* another number of files */
    other.client_ca.count = 0;
    assert_int_equal(material_decode(&other, buf_slice(&bytes), &out), ERR_PROTOCOL);

    for (size_t i = 0; i < 12; i++) { /* each bit of magic, count and the first length */
        for (int bit = 0; bit < 8; bit++) {
            bytes.p[bytes.start + i] ^= (uint8_t)(1 << bit);
            assert_int_equal(material_decode(&f->options, buf_slice(&bytes), &out), ERR_PROTOCOL);
            bytes.p[bytes.start + i] ^= (uint8_t)(1 << bit);
        }
    }
    assert_null(out);
    assert_int_equal(material_decode(&f->options, buf_slice(&bytes), &out), ERR_OK);
    material_free(out);
    material_free(m);
    buf_release(&bytes);
}

static void refused(struct fixture *f, int which, const char *text, const char *expect)
{
    struct material *m = NULL;
    struct tls_context *context;
    struct load_error why = { "" };
    write_text(f->paths[which], text, strlen(text));
    enum err err = material_read(&f->options, &m, &why);
    if (err == ERR_OK) {
        err = tls_context_load(&f->options, m, NULL, NULL, &context, &why);
        material_free(m);
    }
    assert_int_equal(err, ERR_INVALID);
    assert_memory_equal(why.text, f->paths[which], strlen(f->paths[which]));
    if (strstr(why.text, expect) == NULL) {
        fail_msg("%s: not %s", why.text, expect);
    }
}

static void test_bad_files_are_named(void **state)
{
    struct fixture *f = *state;
    static const char garbage[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    static const char unended[] = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    static const char inside[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----BEGIN PRIVATE KEY-----\n"
                                 "AAAA\n-----END PRIVATE KEY-----\n-----END CERTIFICATE-----\n";
    refused(f, CA, "", "no PEM certificate");
    refused(f, CA, "words\n", "no PEM certificate");
    refused(f, CA, garbage, "certificate");
    refused(f, CA, unended, "still being written");
    refused(f, CA, inside, "still being written");
    refused(f, KEY, "", "no PEM private key");
    refused(f, KEY, "-----BEGIN PRIVATE KEY-----\nMIG", "no PEM private key");
}

/* A certificate file that is being written is bad at each length but its last ones. */
static void test_a_file_cut_anywhere(void **state)
{
    struct fixture *f = *state;
    BIO *bio = BIO_new(BIO_s_mem());
    const uint8_t *pem;
    size_t len, good = 0;
    assert_true(PEM_write_bio_X509(bio, f->ca) && PEM_write_bio_X509(bio, f->ca));
    assert_true(BIO_mem_contents(bio, &pem, &len));
    for (size_t cut = 0; cut <= len; cut++) {
        struct material *m = NULL;
        struct tls_trust *trust = NULL;
        struct load_error why;
        write_text(f->paths[CA], (const char *)pem, cut);
        if (material_read(&f->options, &m, &why) == ERR_OK &&
            tls_trust_load(&f->options, m, &trust, &why) == ERR_OK) {
            good++; /* between the two blocks, or with both whole */
        }
        tls_trust_free(trust);
        material_free(m);
    }
    assert_in_range(good, 4, 35);
    BIO_free(bio);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_digests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_key_never_goes_along, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_context_is_made_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes_cut_or_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_files_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_cut_anywhere, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
