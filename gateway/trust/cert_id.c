/*
 * cert_id: the canonical form, and what is hashed of it. X509_NAME_hash has only 32 bits and BoringSSL
 * shows no more of its own canonical form.
 */
#include "trust/cert_id.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/mem.h>
#include <openssl/obj.h>
#include <openssl/sha.h>

#include "base/buf.h"

static struct cert_id id_of_digest(SHA256_CTX *sha)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    struct cert_id id;
    SHA256_Final(digest, sha);
    memcpy(id.bytes, digest, sizeof(id.bytes));
    return id;
}

static void update(SHA256_CTX *sha, const void *p, size_t len)
{
    uint64_t framed = len; /* so that no two sequences of parts are the same bytes */
    SHA256_Update(sha, &framed, sizeof(framed));
    SHA256_Update(sha, p, len);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* fold lowers ASCII letters, drops space at both ends and makes one of several within; in place. */
static size_t fold(uint8_t *p, size_t len)
{
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        if (!is_space(p[i])) {
            p[out++] = p[i] >= 'A' && p[i] <= 'Z' ? p[i] | 0x20 : p[i];
        } else if (out > 0 && p[out - 1] != ' ') {
            p[out++] = ' ';
        }
    }
    return out > 0 && p[out - 1] == ' ' ? out - 1 : out;
}

static bool is_text(int type)
{
    switch (type) {
    case V_ASN1_UTF8STRING:
    case V_ASN1_BMPSTRING:
    case V_ASN1_UNIVERSALSTRING:
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_T61STRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_VISIBLESTRING:
        return true;
    default:
        return false;
    }
}

/* One attribute of a name. Several may share an RDN; their order in it says nothing. */
struct attribute {
    uint32_t rdn;
    uint8_t digest[SHA256_DIGEST_LENGTH];
};

static struct attribute attribute_of(const X509_NAME_ENTRY *entry)
{
    struct attribute a = { .rdn = (uint32_t)X509_NAME_ENTRY_set(entry) };
    const ASN1_OBJECT *kind = X509_NAME_ENTRY_get_object(entry);
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
    int type = ASN1_STRING_type(value);
    uint8_t *text = NULL;
    int len = is_text(type) ? ASN1_STRING_to_UTF8(&text, value) : -1;
    SHA256_CTX sha;
    SHA256_Init(&sha);
    update(&sha, OBJ_get0_data(kind), OBJ_length(kind));
    if (len >= 0) {
        update(&sha, text, fold(text, (size_t)len));
        OPENSSL_free(text);
    } else {
        update(&sha, &type, sizeof(type));
        update(&sha, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    }
    SHA256_Final(a.digest, &sha);
    return a;
}

static int compare_attributes(const void *a, const void *b)
{
    const struct attribute *x = a, *y = b;
    if (x->rdn != y->rdn) {
        return x->rdn < y->rdn ? -1 : 1;
    }
    return memcmp(x->digest, y->digest, sizeof(x->digest));
}

struct cert_id cert_id_of_name(const X509_NAME *name)
{
    size_t count = (size_t)X509_NAME_entry_count(name);
    struct attribute *all = mem_zalloc((count + 1) * sizeof(all[0]));
    SHA256_CTX sha;
    SHA256_Init(&sha);
    for (size_t i = 0; i < count; i++) {
        all[i] = attribute_of(X509_NAME_get_entry(name, (int)i));
    }
    qsort(all, count, sizeof(all[0]), compare_attributes);
    for (size_t i = 0; i < count; i++) {
        SHA256_Update(&sha, &all[i].rdn, sizeof(all[i].rdn));
        SHA256_Update(&sha, all[i].digest, sizeof(all[i].digest));
    }
    free(all);
    return id_of_digest(&sha);
}

struct cert_id cert_id_of_ca(X509 *cert)
{
    struct cert_id name = cert_id_of_name(X509_get_subject_name(cert));
    uint8_t *key = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &key);
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, name.bytes, sizeof(name.bytes));
    update(&sha, key, len < 0 ? 0 : (size_t)len);
    OPENSSL_free(key);
    return id_of_digest(&sha);
}

struct cert_id cert_id_of_serial(const struct cert_id *issuer, const ASN1_INTEGER *serial)
{
    uint8_t negative = ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER;
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, issuer->bytes, sizeof(issuer->bytes));
    SHA256_Update(&sha, &negative, sizeof(negative));
    SHA256_Update(&sha, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
    return id_of_digest(&sha);
}

int cert_id_compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct cert_id));
}
