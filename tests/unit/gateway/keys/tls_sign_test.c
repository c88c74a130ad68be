/*
 * tls_sign_test: what a TLS server signs is signed, as its client will verify it; nothing else is, however
 * near it comes. Also through the holder's answers to requests.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include "certificates.h"
#include "keys/key_signer.h"
#include "keys/tls_sign.h"

enum { MESSAGE = 256 };

struct keys {
    EVP_PKEY *ec, *ed, *rsa;
};

static int setup(void **state)
{
    static const uint8_t seed[32] = { 1, 2, 3 };
    struct keys *k = calloc(1, sizeof(*k));
    RSA *rsa = RSA_new();
    BIGNUM *e = BN_new();
    k->ec = make_key();
    k->ed = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
    k->rsa = EVP_PKEY_new();
    assert_true(BN_set_word(e, RSA_F4) && RSA_generate_key_ex(rsa, 2048, e, NULL));
    assert_true(EVP_PKEY_assign_RSA(k->rsa, rsa));
    BN_free(e);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    struct keys *k = *state;
    EVP_PKEY_free(k->ec);
    EVP_PKEY_free(k->ed);
    EVP_PKEY_free(k->rsa);
    free(k);
    return 0;
}

static struct slice certificate_verify(uint8_t out[MESSAGE], size_t hash)
{
    static const char context[] = "TLS 1.3, server CertificateVerify";
    memset(out, 0x20, 64);
    memcpy(out + 64, context, sizeof(context));
    memset(out + 64 + sizeof(context), 0xab, hash);
    return (struct slice){ out, 64 + sizeof(context) + hash };
}

static struct slice key_exchange(uint8_t out[MESSAGE], uint8_t curve, uint8_t point)
{
    memset(out, 0x55, MESSAGE);
    out[64] = 3;
    out[65] = 0;
    out[66] = curve;
    out[67] = point;
    return (struct slice){ out, 68 + (size_t)point };
}

static bool verifies(EVP_PKEY *key, uint16_t scheme, struct slice message, struct slice signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx;
    bool ok =
        EVP_DigestVerifyInit(ctx, &key_ctx, SSL_get_signature_algorithm_digest(scheme), NULL, key);
    if (SSL_is_signature_algorithm_rsa_pss(scheme)) {
        ok = ok && EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING) &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, -1);
    }
    ok = ok && EVP_DigestVerify(ctx, signature.p, signature.len, message.p, message.len);
    EVP_MD_CTX_free(ctx);
    return ok;
}

static void test_a_servers_messages_are_signed(void **state)
{
    const struct keys *k = *state;
    const struct {
        EVP_PKEY *key;
        uint16_t scheme;
        bool tls13;
    } rows[] = {
        { k->ec, SSL_SIGN_ECDSA_SECP256R1_SHA256, true },
        { k->ec, SSL_SIGN_ECDSA_SECP384R1_SHA384, true }, /* TLS 1.2: the hash is free */
        { k->ed, SSL_SIGN_ED25519, true },
        { k->rsa, SSL_SIGN_RSA_PSS_RSAE_SHA256, true },
        { k->rsa, SSL_SIGN_RSA_PSS_RSAE_SHA512, true },
        { k->rsa, SSL_SIGN_RSA_PKCS1_SHA256, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t m[4][MESSAGE], signature[TLS_SIGN_MAX];
        const struct slice messages[] = { certificate_verify(m[0], 32),
                                          certificate_verify(m[1], 48), key_exchange(m[2], 29, 32),
                                          key_exchange(m[3], 23, 65) };
        for (size_t n = 0; n < ARRAY_SIZE(messages); n++) {
            size_t len = 0;
            enum err err = tls_sign(rows[i].key, rows[i].scheme, messages[n], signature, &len);
            if (n < 2 && !rows[i].tls13) {
                assert_int_equal(err, ERR_REFUSED);
                continue;
            }
            assert_int_equal(err, ERR_OK);
            assert_true(verifies(rows[i].key, rows[i].scheme, messages[n],
                                 (struct slice){ signature, len }));
        }
    }
}

static void refused(EVP_PKEY *key, uint16_t scheme, struct slice message)
{
    uint8_t signature[TLS_SIGN_MAX];
    size_t len = 12345;
    assert_int_equal(tls_sign(key, scheme, message, signature, &len), ERR_REFUSED);
    assert_int_equal(len, 12345);
}

static void test_nothing_else_is(void **state)
{
    const struct keys *k = *state;
    const uint16_t p256 = SSL_SIGN_ECDSA_SECP256R1_SHA256;
    uint8_t m[MESSAGE];

    /* TLS 1.3: another length, a changed byte anywhere before the hash, a client's message. */
    struct slice good = certificate_verify(m, 32);
    for (size_t len = 0; len < MESSAGE; len++) {
        if (len != good.len && len != good.len + 16) {
            refused(k->ec, p256, (struct slice){ m, len });
        }
    }
    for (size_t i = 0; i < good.len - 32; i++) {
        m[i] ^= 1;
        refused(k->ec, p256, good);
        m[i] ^= 1;
    }
    memcpy(m + 64 + 9, "client", 6);
    refused(k->ec, p256, good);

    /* TLS 1.2: another curve, another point's length, more or fewer bytes; and no message at all. */
    refused(k->ec, p256, key_exchange(m, 24, 97));
    refused(k->ec, p256, key_exchange(m, 29, 65));
    refused(k->ec, p256, key_exchange(m, 23, 32));
    good = key_exchange(m, 29, 32);
    for (size_t len = 0; len < MESSAGE; len++) {
        if (len != good.len) {
            refused(k->ec, p256, (struct slice){ m, len });
        }
    }
    for (size_t i = 64; i < 68; i++) {
        m[i] ^= 0x40;
        refused(k->ec, p256, good);
        m[i] ^= 0x40;
    }
    refused(k->ec, p256, SLICE("the digest of a certificate, perhaps"));

    /* Schemes that are not the key's, are too weak, or are unknown. */
    refused(k->ed, p256, good);
    refused(k->ec, SSL_SIGN_ED25519, good);
    refused(k->rsa, p256, good);
    refused(k->rsa, SSL_SIGN_RSA_PKCS1_SHA1, good);
    refused(k->ec, SSL_SIGN_ECDSA_SHA1, good);
    refused(k->rsa, SSL_SIGN_RSA_PKCS1_MD5_SHA1, good);
    refused(k->rsa, 0, good);
    refused(k->rsa, 0xffff, good);
}

/* The holder's answers. */

static void ask(struct buf *in, uint64_t id, uint32_t set, uint16_t pair, struct slice message)
{
    key_write_request(in, &(struct key_request){ .id = id,
                                                 .set = set,
                                                 .pair = pair,
                                                 .scheme = SSL_SIGN_ECDSA_SECP256R1_SHA256,
                                                 .message = message });
}

static void test_requests_are_answered_each(void **state)
{
    const struct keys *k = *state;
    EVP_PKEY *keys[] = { k->rsa, k->ec };
    struct key_sets *sets = key_sets_new();
    struct buf in, out;
    uint8_t m[MESSAGE];
    struct slice message = certificate_verify(m, 32);
    buf_init(&in, 65536);
    buf_init(&out, 65536);
    key_sets_add(sets, 5, keys, 2);
    ask(&in, 100, 5, 1, message);           /* signed */
    ask(&in, 101, 5, 0, message);           /* the key is RSA */
    ask(&in, 102, 5, 2, message);           /* no such pair */
    ask(&in, 103, 4, 1, message);           /* no such set */
    ask(&in, 104, 5, 1, SLICE("anything")); /* no server's message */
    size_t whole = buf_len(&in);
    ask(&in, 105, 5, 1, message);
    struct key_answers done =
        key_signer_answer(sets, (struct slice){ in.p, buf_len(&in) - 1 }, &out);
    assert_int_equal(done.took, whole);
    assert_int_equal(done.refused, 4);
    assert_false(done.bad);
    for (uint64_t id = 100; id < 105; id++) {
        struct key_reply reply;
        size_t used;
        assert_int_equal(key_read_reply(buf_slice(&out), &reply, &used), KEY_WIRE_READY);
        assert_int_equal(reply.id, id);
        assert_int_equal(reply.signature.len > 0, id == 100);
        assert_true(id != 100 ||
                    verifies(k->ec, SSL_SIGN_ECDSA_SECP256R1_SHA256, message, reply.signature));
        buf_consume(&out, used);
    }
    assert_int_equal(buf_len(&out), 0);

    key_sets_drop(sets, 5);
    key_sets_drop(sets, 5);
    assert_int_equal(key_sets_count(sets), 0);
    done = key_signer_answer(sets, buf_slice(&in), &out);
    assert_int_equal(done.refused, 6);
    buf_release(&in);
    buf_release(&out);
    key_sets_free(sets);
}

static void test_a_request_out_of_form_ends_it(void **state)
{
    (void)state;
    struct key_sets *sets = key_sets_new();
    struct buf in, out;
    uint8_t m[MESSAGE];
    buf_init(&in, 4096);
    buf_init(&out, 4096);
    ask(&in, 1, 1, 0, certificate_verify(m, 32));
    size_t whole = buf_len(&in);
    buf_append(&in, (uint8_t[KEY_REQUEST_HEAD]){ 255, 255 }, KEY_REQUEST_HEAD);
    struct key_answers done = key_signer_answer(sets, buf_slice(&in), &out);
    assert_true(done.bad);
    assert_int_equal(done.took, whole);
    buf_release(&in);
    buf_release(&out);
    key_sets_free(sets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_servers_messages_are_signed),
        cmocka_unit_test(test_nothing_else_is),
        cmocka_unit_test(test_requests_are_answered_each),
        cmocka_unit_test(test_a_request_out_of_form_ends_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
