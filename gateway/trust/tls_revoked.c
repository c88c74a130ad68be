/*
 * tls_revoked: an entry is a certificate's id, which its issuer's name and its serial make, and the date;
 * so lists of any number of issuers share the set. Beside it stands, for each list, what it covers.
 */
#include "trust/tls_revoked.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/mem.h>
#include <openssl/obj.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "trust/peer.h"

struct entry {
    struct cert_id id;
    int64_t since;
};

/* A list, or after sorting the newest of those with the same scope. */
struct list {
    struct cert_id issuer;
    struct cert_id
        scope; /* of the issuer, its key and the part of its certificates that is listed */
    int64_t fresh_until; /* INT64_MAX: it does not say */
    char *path;
    char *issuer_name;
};

struct tls_revoked {
    struct entry *entries; /* sorted by id, and unique */
    size_t count;
    size_t cap;
    struct list *lists; /* sorted by issuer and scope, and unique */
    size_t list_count;
};

struct tls_revoked *tls_revoked_new(void)
{
    return mem_zalloc(sizeof(struct tls_revoked));
}

static void list_release(struct list *l)
{
    free(l->path);
    free(l->issuer_name);
}

void tls_revoked_free(struct tls_revoked *r)
{
    if (r != NULL) {
        for (size_t i = 0; i < r->list_count; i++) {
            list_release(&r->lists[i]);
        }
        free(r->lists);
        free(r->entries);
        free(r);
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

/* An extension that changes what the list says must be one that we know (RFC 5280 §5.2). */
static enum err check_extension(const char *path, const X509_EXTENSION *ext, struct load_error *why)
{
    char oid[80] = "";
    int nid = OBJ_obj2nid(X509_EXTENSION_get_object(ext));
    if (nid == NID_delta_crl) {
        return load_error_set(why, "%s: a delta list; give the complete list instead", path);
    }
    if (nid == NID_issuing_distribution_point || !X509_EXTENSION_get_critical(ext)) {
        return ERR_OK;
    }
    OBJ_obj2txt(oid, sizeof(oid), X509_EXTENSION_get_object(ext), 1);
    return load_error_set(why, "%s: the list has a critical extension that is not known: %s", path,
                          oid);
}

/* Which part of the issuer's certificates is listed. A part is fine: what it names is revoked. */
static enum err check_scope(const char *path, X509_CRL *crl, struct load_error *why)
{
    int critical = 0;
    ISSUING_DIST_POINT *idp =
        X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);
    bool broken = idp == NULL && critical != -1;
    bool indirect = idp != NULL && idp->indirectCRL > 0;
    bool attributes = idp != NULL && idp->onlyattr > 0;
    ISSUING_DIST_POINT_free(idp);
    if (broken) {
        return load_error_set(why, "%s: the list's distribution point cannot be read", path);
    }
    if (indirect) {
        return load_error_set(why, "%s: an indirect list; give each issuer's own list instead",
                              path);
    }
    return attributes ? load_error_set(why, "%s: the list is of attribute certificates", path)
                      : ERR_OK;
}

static enum err check_entry(const char *path, const X509_REVOKED *revoked, struct load_error *why)
{
    int at = X509_REVOKED_get_ext_by_critical(revoked, 1, -1);
    if (at < 0) {
        return ERR_OK;
    }
    char oid[80] = "";
    OBJ_obj2txt(oid, sizeof(oid), X509_EXTENSION_get_object(X509_REVOKED_get_ext(revoked, at)), 1);
    return load_error_set(why, "%s: an entry has a critical extension that is not known: %s", path,
                          oid);
}

static enum err check_extensions(const char *path, X509_CRL *crl, struct load_error *why)
{
    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
        enum err err = check_extension(path, X509_CRL_get_ext(crl, i), why);
        if (err != ERR_OK) {
            return err;
        }
    }
    return check_scope(path, crl, why);
}

/* The extension's bytes, whatever they are: equal bytes are the same key, or the same part. */
static void hash_extension(SHA256_CTX *sha, X509_CRL *crl, int nid)
{
    int at = X509_CRL_get_ext_by_NID(crl, nid, -1);
    uint64_t len = 0;
    if (at >= 0) {
        const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(X509_CRL_get_ext(crl, at));
        len = (uint64_t)ASN1_STRING_length(data);
        SHA256_Update(sha, ASN1_STRING_get0_data(data), len);
    }
    SHA256_Update(sha, &len, sizeof(len));
}

static struct cert_id scope_of(const struct cert_id *issuer, X509_CRL *crl)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    struct cert_id scope;
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, issuer->bytes, sizeof(issuer->bytes));
    hash_extension(&sha, crl, NID_authority_key_identifier);
    hash_extension(&sha, crl, NID_issuing_distribution_point);
    SHA256_Final(digest, &sha);
    memcpy(scope.bytes, digest, sizeof(scope.bytes));
    return scope;
}

/* read_dates finds until when the list holds; one from the future is used, since it can only refuse. */
static enum err read_dates(const char *path, X509_CRL *crl, int64_t *until, struct load_error *why)
{
    int64_t from;
    char when[32];
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    *until = INT64_MAX;
    if (!ASN1_TIME_to_posix(X509_CRL_get0_lastUpdate(crl), &from) ||
        (next != NULL && !ASN1_TIME_to_posix(next, until))) {
        return load_error_set(why, "%s: the list's dates cannot be read", path);
    }
    if (from > time(NULL)) {
        log_event(LOG_WARNING, "a revocation list is from the future: is this clock right?",
                  LF_STR("file", path), LF_STR("this_update", pem_time_text(from, when)));
    }
    return ERR_OK;
}

static void add_entry(struct tls_revoked *r, const struct cert_id *issuer,
                      const X509_REVOKED *revoked)
{
    if (r->count == r->cap) {
        r->cap = r->cap == 0 ? 64 : r->cap * 2;
        r->entries = mem_realloc(r->entries, r->cap * sizeof(r->entries[0]));
    }
    struct entry *e = &r->entries[r->count++];
    e->id = cert_id_of_serial(issuer, X509_REVOKED_get0_serialNumber(revoked));
    if (!ASN1_TIME_to_posix(X509_REVOKED_get0_revocationDate(revoked), &e->since)) {
        e->since = 0;
    }
}

/* Every entry counts, removeFromCRL's too: that belongs into delta lists, and takes nothing away here. */
static enum err add_entries(struct tls_revoked *r, const char *path, X509_CRL *crl,
                            const struct cert_id *issuer, struct load_error *why)
{
    STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(crl);
    for (size_t i = 0; all != NULL && i < sk_X509_REVOKED_num(all); i++) {
        const X509_REVOKED *revoked = sk_X509_REVOKED_value(all, i);
        enum err err = check_entry(path, revoked, why);
        if (err != ERR_OK) {
            return err;
        }
        add_entry(r, issuer, revoked);
    }
    return ERR_OK;
}

enum err tls_revoked_add(struct tls_revoked *r, const char *path, X509_CRL *crl, X509_STORE *cas,
                         struct load_error *why)
{
    struct cert_id issuer = cert_id_of_name(X509_CRL_get_issuer(crl));
    int64_t until;
    enum err err = check_signature(path, crl, cas, why);
    if (err == ERR_OK) {
        err = check_extensions(path, crl, why);
    }
    if (err == ERR_OK) {
        err = read_dates(path, crl, &until, why);
    }
    if (err == ERR_OK) {
        err = add_entries(r, path, crl, &issuer, why);
    }
    if (err != ERR_OK) {
        return err;
    }
    char name[256];
    issuer_text(crl, name, sizeof(name));
    r->lists = mem_realloc(r->lists, (r->list_count + 1) * sizeof(r->lists[0]));
    r->lists[r->list_count++] = (struct list){ .issuer = issuer,
                                               .scope = scope_of(&issuer, crl),
                                               .fresh_until = until,
                                               .path = mem_strdup(path),
                                               .issuer_name = mem_strdup(name) };
    return ERR_OK;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = cert_id_compare(&x->id, &y->id);
    return order != 0 ? order : (x->since > y->since) - (x->since < y->since);
}

/* Of several lists with the same scope the newest comes first. */
static int compare_lists(const void *a, const void *b)
{
    const struct list *x = a, *y = b;
    int order = cert_id_compare(&x->issuer, &y->issuer);
    order = order != 0 ? order : cert_id_compare(&x->scope, &y->scope);
    return order != 0 ? order
                      : (x->fresh_until < y->fresh_until) - (x->fresh_until > y->fresh_until);
}

static void sort_entries(struct tls_revoked *r)
{
    size_t kept = 0;
    qsort(r->entries, r->count, sizeof(r->entries[0]), compare_entries);
    for (size_t i = 0; i < r->count; i++) {
        if (kept == 0 || cert_id_compare(&r->entries[kept - 1].id, &r->entries[i].id) != 0) {
            r->entries[kept++] = r->entries[i];
        }
    }
    r->count = kept;
}

static void sort_lists(struct tls_revoked *r)
{
    size_t kept = 0;
    qsort(r->lists, r->list_count, sizeof(r->lists[0]), compare_lists);
    for (size_t i = 0; i < r->list_count; i++) {
        if (kept > 0 && cert_id_compare(&r->lists[kept - 1].scope, &r->lists[i].scope) == 0) {
            list_release(&r->lists[i]);
        } else {
            r->lists[kept++] = r->lists[i];
        }
    }
    r->list_count = kept;
}

void tls_revoked_sort(struct tls_revoked *r)
{
    if (r->count > 0) {
        sort_entries(r);
    }
    if (r->list_count > 0) {
        sort_lists(r);
    }
}

bool tls_revoked_has(const struct tls_revoked *r, const struct cert_id *cert, int64_t *since)
{
    if (r->count == 0) {
        return false;
    }
    const struct entry *e =
        bsearch(cert, r->entries, r->count, sizeof(r->entries[0]), cert_id_compare);
    if (e != NULL) {
        *since = e->since;
    }
    return e != NULL;
}

size_t tls_revoked_count(const struct tls_revoked *r)
{
    return r->count;
}

int64_t tls_revoked_fresh_until(const struct tls_revoked *r, const struct cert_id *issuer)
{
    int64_t until = INT64_MAX;
    for (size_t i = 0; i < r->list_count; i++) {
        if (cert_id_compare(&r->lists[i].issuer, issuer) == 0 && r->lists[i].fresh_until < until) {
            until = r->lists[i].fresh_until;
        }
    }
    return until;
}

size_t tls_revoked_expired(const struct tls_revoked *r, int64_t now, int64_t *next)
{
    size_t expired = 0;
    *next = INT64_MAX;
    for (size_t i = 0; i < r->list_count; i++) {
        int64_t until = r->lists[i].fresh_until;
        if (until < now) {
            expired++;
        } else if (until < *next) {
            *next = until;
        }
    }
    return expired;
}

void tls_revoked_warn(const struct tls_revoked *r, int64_t from, int64_t to, const char *message)
{
    char when[32];
    for (size_t i = 0; i < r->list_count; i++) {
        const struct list *l = &r->lists[i];
        if (l->fresh_until >= from && l->fresh_until < to) {
            log_event(LOG_WARNING, message, LF_STR("file", l->path),
                      LF_STR("issuer", l->issuer_name),
                      LF_STR("next_update", pem_time_text(l->fresh_until, when)));
        }
    }
}
