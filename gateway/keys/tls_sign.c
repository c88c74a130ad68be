/*
 * tls_sign: what a server signs is told by its form. TLS 1.3 made its form so that it can be mistaken
 * for nothing else; TLS 1.2's is two randoms and the parameters of a curve, and has the curve's tag
 * where TLS 1.3's has a letter.
 */
#include "keys/tls_sign.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

/*
 * What is signed with; no SHA-1.
 * scheme   SignatureScheme (RFC 8446 §4.2.3)
 * kind     EVP_PKEY_* of the keys that it is for
 * tls13    allowed in TLS 1.3; PKCS #1 v1.5 is not
 */
static const struct scheme_row {
    uint16_t scheme;
    int kind;
    bool tls13;
} rows[] = {
    { SSL_SIGN_ED25519, EVP_PKEY_ED25519, true },
    { SSL_SIGN_ECDSA_SECP256R1_SHA256, EVP_PKEY_EC, true },
    { SSL_SIGN_ECDSA_SECP384R1_SHA384, EVP_PKEY_EC, true },
    { SSL_SIGN_ECDSA_SECP521R1_SHA512, EVP_PKEY_EC, true },
    { SSL_SIGN_RSA_PSS_RSAE_SHA256, EVP_PKEY_RSA, true },
    { SSL_SIGN_RSA_PSS_RSAE_SHA384, EVP_PKEY_RSA, true },
    { SSL_SIGN_RSA_PSS_RSAE_SHA512, EVP_PKEY_RSA, true },
    { SSL_SIGN_RSA_PKCS1_SHA256, EVP_PKEY_RSA, false },
    { SSL_SIGN_RSA_PKCS1_SHA384, EVP_PKEY_RSA, false },
    { SSL_SIGN_RSA_PKCS1_SHA512, EVP_PKEY_RSA, false },
};

static const struct scheme_row *row_of(uint16_t scheme)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].scheme == scheme) {
            return &rows[i];
        }
    }
    return NULL;
}

/* 64 spaces, the context, a zero, the transcript's hash: SHA-256 or SHA-384, as the suites have it. */
static bool is_certificate_verify(struct slice m)
{
    static const char context[] = "TLS 1.3, server CertificateVerify"; /* its NUL is part of it */
    enum { PAD = 64, HEAD = PAD + sizeof(context) };
    if (m.len != HEAD + 32 && m.len != HEAD + 48) {
        return false;
    }
    for (size_t i = 0; i < PAD; i++) {
        if (m.p[i] != 0x20) {
            return false;
        }
    }
    return memcmp(m.p + PAD, context, sizeof(context)) == 0;
}

/* Both randoms, then named_curve, the curve, and its point. */
static bool is_key_exchange(struct slice m)
{
    static const struct {
        uint16_t curve;
        uint8_t point;
    } curves[] = { { 29, 32 }, { 23, 65 } }; /* X25519, P-256: tls_context's groups */
    enum { RANDOMS = 64, HEAD = RANDOMS + 4, NAMED_CURVE = 3 };
    if (m.len < HEAD || m.p[RANDOMS] != NAMED_CURVE) {
        return false;
    }
    unsigned curve = (unsigned)m.p[RANDOMS + 1] << 8 | m.p[RANDOMS + 2];
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
        if (curves[i].curve == curve) {
            return m.p[RANDOMS + 3] == curves[i].point && m.len == HEAD + (size_t)curves[i].point;
        }
    }
    return false;
}

bool tls_sign_is_ours(uint16_t scheme, struct slice message)
{
    const struct scheme_row *row = row_of(scheme);
    return row != NULL &&
           ((row->tls13 && is_certificate_verify(message)) || is_key_exchange(message));
}

/* The salt is as long as the hash (RFC 8446 §4.2.3). */
static bool set_padding(EVP_PKEY_CTX *ctx, uint16_t scheme)
{
    return !SSL_is_signature_algorithm_rsa_pss(scheme) ||
           (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, -1) == 1);
}

enum err tls_sign(EVP_PKEY *key, uint16_t scheme, struct slice message, uint8_t out[TLS_SIGN_MAX],
                  size_t *len)
{
    const struct scheme_row *row = row_of(scheme);
    if (row == NULL || row->kind != EVP_PKEY_id(key) || !tls_sign_is_ours(scheme, message)) {
        return ERR_REFUSED;
    }
    EVP_MD_CTX ctx;
    EVP_PKEY_CTX *key_ctx;
    size_t n = TLS_SIGN_MAX;
    EVP_MD_CTX_init(&ctx);
    bool ok = EVP_DigestSignInit(&ctx, &key_ctx, SSL_get_signature_algorithm_digest(scheme), NULL,
                                 key) == 1 &&
              set_padding(key_ctx, scheme) &&
              EVP_DigestSign(&ctx, out, &n, message.p, message.len) == 1;
    EVP_MD_CTX_cleanup(&ctx);
    ERR_clear_error();
    if (!ok) {
        return ERR_REFUSED;
    }
    *len = n;
    return ERR_OK;
}
