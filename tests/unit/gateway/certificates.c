/*
 * certificates: X509_* put together; it aborts where a test could not go on.
 */
#include "certificates.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/ec_key.h>
#include <openssl/nid.h>
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

static void add_cn(X509_NAME *name, const char *cn, size_t len)
{
    must(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const uint8_t *)cn,
                                    (ossl_ssize_t)len, -1, 0));
}

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
    must(e != NULL && X509_add_ext(cert, e, -1));
    X509_EXTENSION_free(e);
}

X509 *make_certificate(const struct wish *w, EVP_PKEY *key)
{
    X509 *cert = X509_new();
    must(cert != NULL && X509_set_version(cert, X509_VERSION_3));
    must(ASN1_INTEGER_set(X509_get_serialNumber(cert), w->serial == 0 ? 1 : w->serial));
    must(X509_time_adj_ex(X509_getm_notBefore(cert), 0, w->from == 0 ? -60 : w->from, NULL) !=
         NULL);
    must(X509_time_adj_ex(X509_getm_notAfter(cert), 0, w->until == 0 ? 3600 : w->until, NULL) !=
         NULL);
    X509_NAME *subject = X509_get_subject_name(cert);
    if (w->cn != NULL) {
        add_cn(subject, w->cn, w->cn_len == 0 ? strlen(w->cn) : w->cn_len);
    }
    if (w->cn2 != NULL) {
        add_cn(subject, w->cn2, strlen(w->cn2));
    }
    must(
        X509_set_issuer_name(cert, w->issuer == NULL ? subject : X509_get_subject_name(w->issuer)));
    must(X509_set_pubkey(cert, key));
    if (w->ca) {
        add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    }
    if (w->san != NULL) {
        add_extension(cert, NID_subject_alt_name, w->san);
    }
    if (w->usage != NULL) {
        add_extension(cert, NID_ext_key_usage, w->usage);
    }
    must(X509_sign(cert, w->issuer_key == NULL ? key : w->issuer_key, EVP_sha256()));
    return cert;
}
