/*
 * load_cert: PEM files in, DER buffers out; and a CA in memory, so that ten thousand clients with a certificate each
 * take half a second and no files.
 */
#include "load_cert.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/ec_key.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

struct issuer {
    X509 *ca;
    EVP_PKEY *ca_key;
    EVP_PKEY *key;
    uint32_t batch; /* in every serial number: two runs never issue the same one */
};

static EVP_PKEY *read_key(const char *file)
{
    BIO *bio = BIO_new_file(file, "r");
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

static X509 *read_x509(const char *file)
{
    BIO *bio = BIO_new_file(file, "r");
    X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return cert;
}

static CRYPTO_BUFFER *encoded(X509 *cert)
{
    uint8_t *der = NULL;
    int len = cert == NULL ? 0 : i2d_X509(cert, &der);
    CRYPTO_BUFFER *buffer = len > 0 ? CRYPTO_BUFFER_new(der, (size_t)len, NULL) : NULL;
    OPENSSL_free(der);
    return buffer;
}

CRYPTO_BUFFER *cert_read(const char *file)
{
    X509 *cert = read_x509(file);
    CRYPTO_BUFFER *buffer = encoded(cert);
    X509_free(cert);
    return buffer;
}

enum err cert_pair_read(const char *cert, const char *key, struct cert_pair *out)
{
    struct cert_pair pair = { .cert = cert_read(cert), .key = read_key(key) };
    if (pair.cert == NULL || pair.key == NULL) {
        cert_pair_release(&pair);
        return ERR_INVALID;
    }
    *out = pair;
    return ERR_OK;
}

void cert_pair_release(struct cert_pair *pair)
{
    CRYPTO_BUFFER_free(pair->cert);
    EVP_PKEY_free(pair->key);
    *pair = (struct cert_pair){ 0 };
}

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = EVP_PKEY_new();
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    if (key == NULL || ec == NULL || !EC_KEY_generate_key(ec) || !EVP_PKEY_set1_EC_KEY(key, ec)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EC_KEY_free(ec);
    return key;
}

struct issuer *issuer_new(const char *ca_cert, const char *ca_key)
{
    struct issuer *issuer = mem_zalloc(sizeof *issuer);
    issuer->ca = read_x509(ca_cert);
    issuer->ca_key = read_key(ca_key);
    issuer->key = new_key();
    RAND_bytes((uint8_t *)&issuer->batch, sizeof issuer->batch);
    if (issuer->ca == NULL || issuer->ca_key == NULL || issuer->key == NULL) {
        issuer_free(issuer);
        return NULL;
    }
    return issuer;
}

void issuer_free(struct issuer *issuer)
{
    if (issuer != NULL) {
        X509_free(issuer->ca);
        EVP_PKEY_free(issuer->ca_key);
        EVP_PKEY_free(issuer->key);
        free(issuer);
    }
}

static bool set_names(struct issuer *issuer, unsigned n, X509 *cert)
{
    char cn[32];
    snprintf(cn, sizeof cn, "client-%06u", n);
    X509_NAME *name = X509_get_subject_name(cert);
    ASN1_INTEGER *serial = X509_get_serialNumber(cert);
    return X509_set_version(cert, X509_VERSION_3) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0) &&
           X509_set_issuer_name(cert, X509_get_subject_name(issuer->ca)) &&
           ASN1_INTEGER_set_uint64(serial, (uint64_t)(issuer->batch >> 1) << 32 | n) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -60) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(cert), 86400) != NULL &&
           X509_set_pubkey(cert, issuer->key);
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, NULL, nid, (char *)value);
    bool added = extension != NULL && X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

enum err issuer_make(struct issuer *issuer, unsigned n, struct cert_pair *out)
{
    X509 *cert = X509_new();
    CRYPTO_BUFFER *der = NULL;
    if (cert != NULL && set_names(issuer, n, cert) &&
        add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
        add_extension(cert, NID_ext_key_usage, "clientAuth") &&
        X509_sign(cert, issuer->ca_key, EVP_sha256())) {
        der = encoded(cert);
    }
    X509_free(cert);
    if (der == NULL) {
        return ERR_INVALID;
    }
    EVP_PKEY_up_ref(issuer->key);
    *out = (struct cert_pair){ .cert = der, .key = issuer->key };
    return ERR_OK;
}
