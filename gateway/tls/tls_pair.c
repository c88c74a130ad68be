/*
 * tls_pair: our own certificates, loaded with every check that can be made before a client sees them.
 */
#include "tls/tls_pair.h"

#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/mem.h>

#include "base/log.h"
#include "trust/peer.h"

enum { MIN_RSA_BITS = 2048 };

static enum err check_key_kind(const struct material_key *k, struct load_error *why)
{
    switch (EVP_PKEY_id(k->key)) {
    case EVP_PKEY_EC:
    case EVP_PKEY_ED25519:
        return ERR_OK;
    case EVP_PKEY_RSA:
        return EVP_PKEY_bits(k->key) >= MIN_RSA_BITS
                   ? ERR_OK
                   : load_error_set(why, "%s: an RSA key of %d bits; at least %d are needed",
                                    k->path, EVP_PKEY_bits(k->key), MIN_RSA_BITS);
    default:
        return load_error_set(why, "%s: the key is neither ECDSA, Ed25519 nor RSA; make such a one",
                              k->path);
    }
}

static enum err check_dates(const char *path, X509 *leaf, struct tls_pair *p,
                            struct load_error *why)
{
    int64_t from;
    int64_t now = time(NULL);
    char when[32];
    if (!ASN1_TIME_to_posix(X509_get0_notBefore(leaf), &from) ||
        !ASN1_TIME_to_posix(X509_get0_notAfter(leaf), &p->not_after)) {
        return load_error_set(why, "%s: the certificate's dates cannot be read", path);
    }
    if (now > p->not_after) {
        return load_error_set(why, "%s: the certificate expired on %s; renew it", path,
                              pem_time_text(p->not_after, when));
    }
    if (now < from) {
        return load_error_set(why,
                              "%s: the certificate is not valid before %s; is the clock right?",
                              path, pem_time_text(from, when));
    }
    return ERR_OK;
}

static enum err take_chain(const char *path, STACK_OF(X509) *certs, struct tls_pair *p,
                           struct load_error *why)
{
    if (sk_X509_num(certs) > TLS_PAIR_MAX_CHAIN) {
        return load_error_set(why, "%s: more than %d certificates", path, TLS_PAIR_MAX_CHAIN);
    }
    for (size_t i = 0; i < sk_X509_num(certs); i++) {
        uint8_t *der = NULL;
        int len = i2d_X509(sk_X509_value(certs, i), &der);
        if (len <= 0) {
            return load_error_set(why, "%s: certificate %zu cannot be encoded", path, i + 1);
        }
        p->chain[p->chain_len++] = CRYPTO_BUFFER_new(der, (size_t)len, NULL);
        OPENSSL_free(der);
    }
    return ERR_OK;
}

static enum err check_fit(const char *path, X509 *leaf, const struct material_key *k,
                          struct load_error *why)
{
    EVP_PKEY *public = X509_get_pubkey(leaf);
    bool fits = public != NULL && EVP_PKEY_cmp(public, k->key) == 1;
    EVP_PKEY_free(public);
    ERR_clear_error();
    return fits ? ERR_OK
                : load_error_set(why,
                                 "%s: this key does not belong to the certificate in %s; replace "
                                 "both files",
                                 k->path, path);
}

static enum err take_certificates(const char *path, STACK_OF(X509) *certs,
                                  const struct material_key *k, struct tls_pair *p,
                                  struct load_error *why)
{
    struct peer_description d;
    X509 *leaf = sk_X509_value(certs, 0);
    peer_describe(leaf, &d);
    memcpy(p->serial, d.serial, sizeof(p->serial));
    memcpy(p->subject, d.subject, sizeof(p->subject));
    enum err err = check_key_kind(k, why);
    if (err == ERR_OK) {
        err = check_fit(path, leaf, k, why);
    }
    if (err == ERR_OK) {
        err = check_dates(path, leaf, p, why);
    }
    if (err == ERR_OK) {
        err = take_chain(path, certs, p, why);
    }
    return err;
}

static void take_key(const struct material_key *k, struct tls_pair *p)
{
    EVP_PKEY_up_ref(k->key);
    p->key = k->key;
    p->key_is_private = k->is_private;
    if (k->exposed) {
        log_event(LOG_WARNING, "every user of this machine may read the private key: chmod 0600",
                  LF_STR("file", k->path));
    }
}

enum err tls_pair_load(const struct material *m, size_t i, struct tls_pair *out,
                       struct load_error *why)
{
    struct tls_pair p = { .chain_len = 0 };
    const struct pem_file *f = material_file(m, MATERIAL_CERT, i);
    STACK_OF(X509) *certs;
    enum err err = pem_certificates(f, &certs, why);
    if (err != ERR_OK) {
        return err;
    }
    err = take_certificates(f->path, certs, material_key(m, i), &p, why);
    sk_X509_pop_free(certs, X509_free);
    if (err != ERR_OK) {
        tls_pair_release(&p);
        return err;
    }
    take_key(material_key(m, i), &p);
    *out = p;
    return ERR_OK;
}

void tls_pair_release(struct tls_pair *p)
{
    for (size_t i = 0; i < p->chain_len; i++) {
        CRYPTO_BUFFER_free(p->chain[i]);
    }
    EVP_PKEY_free(p->key);
    *p = (struct tls_pair){ .chain_len = 0 };
}
