/*
 * tls_ca_names: collects DER names from the material. A list cut short would be worse than none: who
 * was issued by a CA past the cut would send no certificate at all. So it is all names or no list.
 */
#include "tls/tls_ca_names.h"

#include <string.h>

#include "base/log.h"

static struct slice bytes_of(const CRYPTO_BUFFER *b)
{
    return (struct slice){ CRYPTO_BUFFER_data(b), CRYPTO_BUFFER_len(b) };
}

static bool has(const STACK_OF(CRYPTO_BUFFER) *names, struct slice der)
{
    for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(names); i++) {
        if (slice_eq(bytes_of(sk_CRYPTO_BUFFER_value(names, i)), der)) {
            return true;
        }
    }
    return false;
}

/* add returns what the list grew by, its length prefix included. */
static size_t add(STACK_OF(CRYPTO_BUFFER) *names, X509_NAME *name)
{
    uint8_t *der = NULL;
    int len = i2d_X509_NAME(name, &der);
    struct slice s = { der, len < 0 ? 0 : (size_t)len };
    size_t grown = 0;
    if (s.len > 0 && !has(names, s)) {
        sk_CRYPTO_BUFFER_push(names, CRYPTO_BUFFER_new(s.p, s.len, NULL));
        grown = s.len + 2;
    }
    OPENSSL_free(der);
    return grown;
}

static enum err add_all(STACK_OF(CRYPTO_BUFFER) *names, size_t *bytes, const struct material *m,
                        enum material_kind kind, struct load_error *why)
{
    for (size_t i = 0; i < material_count(m, kind); i++) {
        STACK_OF(X509) *certs;
        enum err err = pem_certificates(material_file(m, kind, i), &certs, why);
        if (err != ERR_OK) {
            return err;
        }
        for (size_t k = 0; k < sk_X509_num(certs) && *bytes <= TLS_CA_NAMES_MAX; k++) {
            X509 *cert = sk_X509_value(certs, k);
            *bytes += add(names, kind == MATERIAL_CLIENT_CA ? X509_get_subject_name(cert)
                                                            : X509_get_issuer_name(cert));
        }
        sk_X509_pop_free(certs, X509_free);
    }
    return ERR_OK;
}

enum err tls_ca_names_set(SSL_CTX *ssl, const struct material *m, struct load_error *why)
{
    STACK_OF(CRYPTO_BUFFER) *names = sk_CRYPTO_BUFFER_new_null();
    size_t bytes = 0;
    enum err err = add_all(names, &bytes, m, MATERIAL_CLIENT_CA, why);
    if (err == ERR_OK) {
        err = add_all(names, &bytes, m, MATERIAL_CLIENT_PIN, why);
    }
    if (err != ERR_OK || bytes > TLS_CA_NAMES_MAX) {
        sk_CRYPTO_BUFFER_pop_free(names, CRYPTO_BUFFER_free);
        if (err == ERR_OK) {
            log_event(LOG_WARNING,
                      "the names of the CAs are too long to be sent: clients get no list of them",
                      LF_INT("most_bytes", TLS_CA_NAMES_MAX));
        }
        return err;
    }
    SSL_CTX_set0_client_CAs(ssl, names);
    return ERR_OK;
}
