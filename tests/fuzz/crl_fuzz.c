/*
 * crl_fuzz: revocation lists, from DER or PEM to the set of revoked serials. No CA is known, so that no
 * signature stops a list that was changed: all of our own code sees it. The first byte chooses.
 */
#include <stdlib.h>

#include <openssl/err.h>

#include "base/log.h"
#include "trust/tls_revoked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is listed must be found again. */
static void must_have_all(const struct tls_revoked *r, X509_CRL *crl)
{
    struct cert_id issuer = cert_id_of_name(X509_CRL_get_issuer(crl));
    STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(crl);
    int64_t since;
    for (size_t i = 0; all != NULL && i < sk_X509_REVOKED_num(all); i++) {
        const X509_REVOKED *one = sk_X509_REVOKED_value(all, i);
        struct cert_id id = cert_id_of_serial(&issuer, X509_REVOKED_get0_serialNumber(one));
        if (!tls_revoked_has(r, &id, &since)) {
            abort();
        }
    }
}

static void take(X509_CRL *const *lists, size_t count)
{
    struct tls_revoked *r = tls_revoked_new();
    X509_STORE *nobody = X509_STORE_new();
    struct load_error why;
    bool taken[8] = { false };
    int64_t next;
    for (size_t i = 0; i < count && i < 8; i++) {
        taken[i] = tls_revoked_add(r, "list", lists[i], nobody, &why) == ERR_OK;
    }
    tls_revoked_sort(r);
    for (size_t i = 0; i < count && i < 8; i++) {
        struct cert_id issuer = cert_id_of_name(X509_CRL_get_issuer(lists[i]));
        (void)tls_revoked_fresh_until(r, &issuer);
        if (taken[i]) {
            must_have_all(r, lists[i]);
        }
    }
    (void)tls_revoked_expired(r, 1800000000, &next);
    tls_revoked_warn(r, INT64_MIN, 1800000000, "it has run out");
    X509_STORE_free(nobody);
    tls_revoked_free(r);
}

static void fuzz_pem(const uint8_t *p, size_t len)
{
    struct pem_file file = { .path = "list", .p = malloc(len + 1), .len = len };
    struct load_error why;
    STACK_OF(X509_CRL) *all;
    memcpy(file.p, p, len);
    if (pem_file_keep(&file, PEM_CRLS, &why) == ERR_OK && pem_crls(&file, &all, &why) == ERR_OK) {
        X509_CRL *lists[8];
        size_t count = sk_X509_CRL_num(all) < 8 ? sk_X509_CRL_num(all) : 8;
        for (size_t i = 0; i < count; i++) {
            lists[i] = sk_X509_CRL_value(all, i);
        }
        take(lists, count);
        sk_X509_CRL_pop_free(all, X509_CRL_free);
    }
    pem_file_release(&file);
}

static void fuzz_der(const uint8_t *p, size_t len)
{
    X509_CRL *list = d2i_X509_CRL(NULL, &p, (long)len);
    if (list != NULL) {
        take(&list, 1);
    }
    X509_CRL_free(list);
    ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_setup("fuzz", LOG_ERROR, LOG_TEXT);
    if (size > 0) {
        (data[0] & 1 ? fuzz_pem : fuzz_der)(data + 1, size - 1);
    }
    return 0;
}
