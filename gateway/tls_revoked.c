/*
 * tls_revoked: an entry is the first half of SHA-256(issuer's name hash, serial) and the date. Issuer and
 * serial name a certificate (RFC 5280 §4.1.2.2), so lists of any number of issuers share the set.
 */
#include "tls_revoked.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/mem.h>

#include "base/log.h"
#include "peer.h"

struct entry {
    uint8_t id[16];
    int64_t since;
};

struct tls_revoked {
    struct entry *entries;
    size_t count;
    size_t cap;
};

struct tls_revoked *tls_revoked_new(void)
{
    return mem_zalloc(sizeof(struct tls_revoked));
}

void tls_revoked_free(struct tls_revoked *r)
{
    if (r != NULL) {
        free(r->entries);
        free(r);
    }
}

static void id_of(X509_NAME *issuer, const ASN1_INTEGER *serial, uint8_t out[16])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    /* Of the canonical form: a CRL may spell the issuer in another string type than the certificate. */
    unsigned long name = X509_NAME_hash(issuer);
    int negative = ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER;
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, &name, sizeof(name));
    SHA256_Update(&sha, &negative, sizeof(negative));
    SHA256_Update(&sha, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
    SHA256_Final(digest, &sha);
    memcpy(out, digest, 16);
}

static void add_entry(struct tls_revoked *r, X509_NAME *issuer, const X509_REVOKED *revoked)
{
    if (r->count == r->cap) {
        r->cap = r->cap == 0 ? 64 : r->cap * 2;
        r->entries = mem_realloc(r->entries, r->cap * sizeof(r->entries[0]));
    }
    struct entry *e = &r->entries[r->count++];
    id_of(issuer, X509_REVOKED_get0_serialNumber(revoked), e->id);
    if (!ASN1_TIME_to_posix(X509_REVOKED_get0_revocationDate(revoked), &e->since)) {
        e->since = 0;
    }
}

static void issuer_text(X509_CRL *crl, char *out, size_t cap)
{
    char *text = X509_NAME_oneline(X509_CRL_get_issuer(crl), NULL, 0);
    size_t len = text == NULL ? 0 : strlen(text);
    len = len < cap - 1 ? len : cap - 1;
    if (len > 0) {
        memcpy(out, text, len);
    }
    out[len] = '\0';
    OPENSSL_free(text);
}

/* A list signed with another key than its issuer's must not revoke anything, nor hide what it should. */
static enum err check_signature(const char *path, X509_CRL *crl, X509_STORE *cas,
                                struct load_error *why)
{
    char issuer[256];
    issuer_text(crl, issuer, sizeof(issuer));
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(cas);
    bool known = false;
    for (size_t i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (ca == NULL || X509_NAME_cmp(X509_get_subject_name(ca), X509_CRL_get_issuer(crl)) != 0) {
            continue;
        }
        known = true;
        EVP_PKEY *key = X509_get_pubkey(ca);
        bool right = key != NULL && X509_CRL_verify(crl, key) == 1;
        EVP_PKEY_free(key);
        if (right) {
            return ERR_OK;
        }
    }
    if (known) {
        return load_error_set(why, "%s: the list of \"%s\" has a wrong signature", path, issuer);
    }
    log_event(LOG_WARNING, "a revocation list's issuer is not among our CAs: used unverified",
              LF_STR("file", path), LF_STR("issuer", issuer));
    return ERR_OK;
}

static void warn_if_expired(const char *path, X509_CRL *crl)
{
    int64_t next;
    char when[32];
    char issuer[256];
    const ASN1_TIME *t = X509_CRL_get0_nextUpdate(crl);
    if (t != NULL && ASN1_TIME_to_posix(t, &next) && next < time(NULL)) {
        issuer_text(crl, issuer, sizeof(issuer));
        log_event(LOG_WARNING, "a revocation list is out of date: newer revocations are unknown",
                  LF_STR("file", path), LF_STR("issuer", issuer),
                  LF_STR("next_update", pem_time_text(next, when)));
    }
}

enum err tls_revoked_add(struct tls_revoked *r, const char *path, X509_CRL *crl, X509_STORE *cas,
                         struct load_error *why)
{
    enum err err = check_signature(path, crl, cas, why);
    if (err != ERR_OK) {
        return err;
    }
    warn_if_expired(path, crl);
    STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(crl);
    for (size_t i = 0; all != NULL && i < sk_X509_REVOKED_num(all); i++) {
        add_entry(r, X509_CRL_get_issuer(crl), sk_X509_REVOKED_value(all, i));
    }
    return ERR_OK;
}

static int compare(const void *a, const void *b)
{
    return memcmp(((const struct entry *)a)->id, ((const struct entry *)b)->id, 16);
}

void tls_revoked_sort(struct tls_revoked *r)
{
    if (r->count > 0) {
        qsort(r->entries, r->count, sizeof(r->entries[0]), compare);
    }
}

bool tls_revoked_has(const struct tls_revoked *r, X509 *cert, int64_t *since)
{
    if (r->count == 0) {
        return false;
    }
    struct entry wanted;
    id_of(X509_get_issuer_name(cert), X509_get0_serialNumber(cert), wanted.id);
    const struct entry *e = bsearch(&wanted, r->entries, r->count, sizeof(wanted), compare);
    if (e != NULL) {
        *since = e->since;
    }
    return e != NULL;
}

size_t tls_revoked_count(const struct tls_revoked *r)
{
    return r->count;
}
