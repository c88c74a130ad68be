/*
 * certificates: X509_* put together; it aborts where a test could not go on.
 */
#include "certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ec_key.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static void must(int ok)
{
    if (!ok) {
        abort();
    }
}

EVP_PKEY *make_key(void)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();
    must(ec != NULL && key != NULL && EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec));
    return key;
}

EVP_PKEY *make_rsa_key(int bits)
{
    RSA *rsa = RSA_new();
    BIGNUM *e = BN_new();
    EVP_PKEY *key = EVP_PKEY_new();
    must(BN_set_word(e, RSA_F4) && RSA_generate_key_ex(rsa, bits, e, NULL) &&
         EVP_PKEY_assign_RSA(key, rsa));
    BN_free(e);
    return key;
}

static void add_cn(X509_NAME *name, const char *cn, size_t len, int type)
{
    must(X509_NAME_add_entry_by_NID(name, NID_commonName, type == 0 ? MBSTRING_UTF8 : type,
                                    (const uint8_t *)cn, (ossl_ssize_t)len, -1, 0));
}

static void add_dns(X509 *cert, const char *dns, size_t len)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    must(ASN1_STRING_set(text, dns, (ossl_ssize_t)len));
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    sk_GENERAL_NAME_push(names, name);
    must(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0));
    GENERAL_NAMES_free(names);
}

static X509_EXTENSION *unknown_extension(const char *oid)
{
    ASN1_OBJECT *kind = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
    must(ASN1_STRING_set(data, "\x05\x00", 2));
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, kind, 1, data);
    must(e != NULL);
    ASN1_OBJECT_free(kind);
    ASN1_OCTET_STRING_free(data);
    return e;
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer == NULL ? cert : issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
    must(e != NULL && X509_add_ext(cert, e, -1));
    X509_EXTENSION_free(e);
}

X509 *make_certificate(const struct wish *w, EVP_PKEY *key)
{
    X509 *cert = X509_new();
    must(cert != NULL && X509_set_version(cert, X509_VERSION_3));
    must(ASN1_INTEGER_set(X509_get_serialNumber(cert), w->serial == 0 ? 1 : w->serial));
    if (w->serial_bytes != NULL) {
        must(ASN1_STRING_set(X509_get_serialNumber(cert), w->serial_bytes,
                             (ossl_ssize_t)w->serial_len));
    }
    must(X509_time_adj_ex(X509_getm_notBefore(cert), 0, w->from == 0 ? -60 : w->from, NULL) !=
         NULL);
    must(X509_time_adj_ex(X509_getm_notAfter(cert), 0, w->until == 0 ? 3600 : w->until, NULL) !=
         NULL);
    if (w->until_text != NULL) {
        must(ASN1_TIME_set_string(X509_getm_notAfter(cert), w->until_text));
    }
    X509_NAME *subject = X509_get_subject_name(cert);
    if (w->cn != NULL) {
        add_cn(subject, w->cn, w->cn_len == 0 ? strlen(w->cn) : w->cn_len, w->type);
    }
    if (w->cn2 != NULL) {
        add_cn(subject, w->cn2, strlen(w->cn2), w->type);
    }
    must(
        X509_set_issuer_name(cert, w->issuer == NULL ? subject : X509_get_subject_name(w->issuer)));
    must(X509_set_pubkey(cert, key));
    if (w->ca || w->constraints != NULL) {
        add_extension(cert, w->issuer, NID_basic_constraints,
                      w->constraints != NULL ? w->constraints : "critical,CA:TRUE");
    }
    if (w->key_ids) {
        add_extension(cert, w->issuer, NID_subject_key_identifier, "hash");
    }
    if (w->key_ids && w->issuer != NULL) {
        add_extension(cert, w->issuer, NID_authority_key_identifier, "keyid:always");
    }
    if (w->dns != NULL) {
        add_dns(cert, w->dns, w->dns_len);
    }
    if (w->unknown != NULL) {
        X509_EXTENSION *e = unknown_extension(w->unknown);
        must(X509_add_ext(cert, e, -1));
        X509_EXTENSION_free(e);
    }
    if (w->san != NULL) {
        add_extension(cert, w->issuer, NID_subject_alt_name, w->san);
    }
    if (w->usage != NULL) {
        add_extension(cert, w->issuer, NID_ext_key_usage, w->usage);
    }
    must(X509_sign(cert, w->issuer_key == NULL ? key : w->issuer_key, EVP_sha256()));
    return cert;
}

static void set_time(X509_CRL *crl, int (*set)(X509_CRL *crl, const ASN1_TIME *t), int64_t from_now)
{
    ASN1_TIME *t = ASN1_TIME_new();
    must(t != NULL && X509_time_adj_ex(t, 0, from_now, NULL) != NULL && set(crl, t));
    ASN1_TIME_free(t);
}

static void add_revoked(X509_CRL *crl, const struct crl_wish *w, long serial)
{
    X509_REVOKED *r = X509_REVOKED_new();
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASN1_TIME *since = ASN1_TIME_new();
    must(ASN1_INTEGER_set(number, serial) && X509_time_adj_ex(since, 0, w->since, NULL) != NULL &&
         X509_REVOKED_set_serialNumber(r, number) && X509_REVOKED_set_revocationDate(r, since));
    if (w->reason != 0) {
        ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
        must(ASN1_ENUMERATED_set(reason, w->reason) &&
             X509_REVOKED_add1_ext_i2d(r, NID_crl_reason, reason, 0, 0));
        ASN1_ENUMERATED_free(reason);
    }
    if (w->unknown_of_entry != NULL) {
        X509_EXTENSION *e = unknown_extension(w->unknown_of_entry);
        must(X509_REVOKED_add_ext(r, e, -1));
        X509_EXTENSION_free(e);
    }
    must(X509_CRL_add0_revoked(crl, r));
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(since);
}

static void add_crl_extensions(X509_CRL *crl, const struct crl_wish *w)
{
    if (w->delta) {
        ASN1_INTEGER *base = ASN1_INTEGER_new();
        must(ASN1_INTEGER_set(base, 1) && X509_CRL_add1_ext_i2d(crl, NID_delta_crl, base, 1, 0) &&
             X509_CRL_add1_ext_i2d(crl, NID_crl_number, base, 0, 0));
        ASN1_INTEGER_free(base);
    }
    if (w->indirect || w->attributes || w->users) {
        ISSUING_DIST_POINT *idp = ISSUING_DIST_POINT_new();
        idp->indirectCRL = w->indirect ? 0xff : -1;
        idp->onlyattr = w->attributes ? 0xff : -1;
        idp->onlyuser = w->users ? 0xff : -1;
        must(X509_CRL_add1_ext_i2d(crl, NID_issuing_distribution_point, idp, 1, 0));
        ISSUING_DIST_POINT_free(idp);
    }
    if (w->unknown != NULL) {
        X509_EXTENSION *e = unknown_extension(w->unknown);
        must(X509_CRL_add_ext(crl, e, -1));
        X509_EXTENSION_free(e);
    }
}

X509_CRL *make_crl(const struct crl_wish *w)
{
    X509_CRL *crl = X509_CRL_new();
    must(crl != NULL && X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
         X509_CRL_set_issuer_name(crl, X509_get_subject_name(w->issuer)));
    set_time(crl, X509_CRL_set1_lastUpdate, w->from == 0 ? -7200 : w->from);
    if (w->until != -1) {
        set_time(crl, X509_CRL_set1_nextUpdate, w->until == 0 ? 3600 : w->until);
    }
    for (size_t i = 0; i < ARRAY_SIZE(w->serials) && w->serials[i] != 0; i++) {
        add_revoked(crl, w, w->serials[i]);
    }
    add_crl_extensions(crl, w);
    must(X509_CRL_sort(crl) && X509_CRL_sign(crl, w->key, EVP_sha256()));
    return crl;
}

/* A temporary file for each kind of block, and the list of one path that an option holds. */
struct pem_list {
    char path[40];
    const char *item;
};

static FILE *begin(struct pem_list *f)
{
    snprintf(f->path, sizeof(f->path), "/tmp/cofre-unit-XXXXXX");
    int fd = mkstemp(f->path);
    must(fd >= 0);
    f->item = f->path;
    return fdopen(fd, "w");
}

static struct option_list end(struct pem_list *f, FILE *file, size_t count)
{
    must(fclose(file) == 0);
    return (struct option_list){ &f->item, count > 0 };
}

static struct option_list write_certificates(struct pem_list *f, X509 *const *all)
{
    FILE *file = begin(f);
    size_t i = 0;
    for (; i < 4 && all[i] != NULL; i++) {
        must(PEM_write_X509(file, all[i]));
    }
    return end(f, file, i);
}

static struct option_list write_crls(struct pem_list *f, X509_CRL *const *all)
{
    FILE *file = begin(f);
    size_t i = 0;
    for (; i < 4 && all[i] != NULL; i++) {
        must(PEM_write_X509_CRL(file, all[i]));
    }
    return end(f, file, i);
}

enum err make_trust(const struct trust_wish *w, struct tls_trust **out, struct load_error *why)
{
    struct pem_list files[3];
    struct material *m;
    struct gateway_options o = {
        .client_ca = write_certificates(&files[0], w->cas),
        .client_pin = write_certificates(&files[1], w->pins),
        .crl = write_crls(&files[2], w->crls),
        .crl_expired = w->crl_expired,
    };
    must(material_read(&o, &m, why) == ERR_OK);
    enum err err = tls_trust_load(&o, m, out, why);
    material_free(m);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        unlink(files[i].path);
    }
    return err;
}

struct peer *verify_chain(const struct tls_trust *t, X509 *const *chain, int64_t now,
                          struct refusal *why)
{
    static const struct identity_order order = {
        .kinds = { IDENTITY_URI, IDENTITY_DNS, IDENTITY_EMAIL, IDENTITY_CN }, .count = 4
    };
    STACK_OF(CRYPTO_BUFFER) *ders = sk_CRYPTO_BUFFER_new_null();
    for (; *chain != NULL; chain++) {
        uint8_t *der = NULL;
        int len = i2d_X509(*chain, &der);
        must(len > 0);
        sk_CRYPTO_BUFFER_push(ders, CRYPTO_BUFFER_new(der, (size_t)len, NULL));
        OPENSSL_free(der);
    }
    struct peer *p = tls_trust_verify(t, &order, ders, now, why);
    sk_CRYPTO_BUFFER_pop_free(ders, CRYPTO_BUFFER_free);
    return p;
}
