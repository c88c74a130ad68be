/*
 * tls_pair: our own certificates, loaded with every check that can be made before a client sees them.
 */
#include "tls_pair.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/mem.h>

#include "base/log.h"
#include "peer.h"

enum { MIN_RSA_BITS = 2048 };

static enum err check_key_kind(const char *path, EVP_PKEY *key, struct load_error *why)
{
    switch (EVP_PKEY_id(key)) {
    case EVP_PKEY_EC:
    case EVP_PKEY_ED25519:
        return ERR_OK;
    case EVP_PKEY_RSA:
        return EVP_PKEY_bits(key) >= MIN_RSA_BITS
                   ? ERR_OK
                   : load_error_set(why, "%s: an RSA key of %d bits; at least %d are needed", path,
                                    EVP_PKEY_bits(key), MIN_RSA_BITS);
    default:
        return load_error_set(why, "%s: the key is neither ECDSA, Ed25519 nor RSA", path);
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
        return load_error_set(why, "%s: the certificate expired on %s", path,
                              pem_time_text(p->not_after, when));
    }
    if (now < from) {
        return load_error_set(why, "%s: the certificate is not valid before %s", path,
                              pem_time_text(from, when));
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

static enum err check_fit(const char *cert_path, const char *key_path, X509 *leaf, EVP_PKEY *key,
                          struct load_error *why)
{
    EVP_PKEY *public = X509_get_pubkey(leaf);
    bool fits = public != NULL && EVP_PKEY_cmp(public, key) == 1;
    EVP_PKEY_free(public);
    ERR_clear_error();
    return fits ? ERR_OK
                : load_error_set(why, "%s: this key does not belong to the certificate in %s",
                                 key_path, cert_path);
}

static enum err take_certificates(const struct pem_file *f, const char *key_path,
                                  struct tls_pair *p, struct load_error *why)
{
    STACK_OF(X509) *certs;
    struct peer_description d;
    enum err err = pem_certificates(f, &certs, why);
    if (err != ERR_OK) {
        return err;
    }
    X509 *leaf = sk_X509_value(certs, 0);
    peer_describe(leaf, &d);
    memcpy(p->serial, d.serial, sizeof(p->serial));
    memcpy(p->subject, d.subject, sizeof(p->subject));
    err = check_fit(f->path, key_path, leaf, p->key, why);
    if (err == ERR_OK) {
        err = check_dates(f->path, leaf, p, why);
    }
    if (err == ERR_OK) {
        err = take_chain(f->path, certs, p, why);
    }
    sk_X509_pop_free(certs, X509_free);
    return err;
}

static void warn_if_readable(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & 0007) != 0) {
        log_event(LOG_WARNING, "every user of this machine may read the private key: chmod 0600",
                  LF_STR("file", path));
    }
}

enum err tls_pair_load(const char *cert_path, const char *key_path, SHA256_CTX *digest,
                       struct tls_pair *out, struct load_error *why)
{
    struct tls_pair p = { .chain_len = 0 };
    struct pem_file cert, key;
    key_path = key_path == NULL ? cert_path : key_path;
    enum err err = pem_file_read(cert_path, &cert, why);
    if (err != ERR_OK) {
        return err;
    }
    err = pem_file_read(key_path, &key, why);
    if (err != ERR_OK) {
        goto no_key_file;
    }
    pem_file_digest(&cert, digest);
    pem_file_digest(&key, digest);
    warn_if_readable(key_path);
    err = pem_private_key(&key, &p.key, why);
    if (err == ERR_OK) {
        err = check_key_kind(key_path, p.key, why);
    }
    if (err == ERR_OK) {
        err = take_certificates(&cert, key_path, &p, why);
    }
    pem_file_release(&key);
no_key_file:
    pem_file_release(&cert);
    if (err != ERR_OK) {
        tls_pair_release(&p);
        return err;
    }
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
