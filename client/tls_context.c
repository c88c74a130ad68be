/*
 * tls_context: loads the four files and says in one sentence what is wrong with one of them. It makes no
 * connection and judges no server.
 */
#include "tls_context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "tls_inside.h"

/* What a server may sign with. BoringSSL's default leaves Ed25519 out. */
static const uint16_t verify_algorithms[] = {
    SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_ED25519,
    SSL_SIGN_RSA_PSS_RSAE_SHA256,    SSL_SIGN_ECDSA_SECP384R1_SHA384,
    SSL_SIGN_RSA_PSS_RSAE_SHA384,    SSL_SIGN_RSA_PSS_RSAE_SHA512,
    SSL_SIGN_RSA_PKCS1_SHA256,       SSL_SIGN_RSA_PKCS1_SHA384,
    SSL_SIGN_RSA_PKCS1_SHA512,
};

static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

enum err tls_fingerprint(X509 *cert, struct fingerprint *out)
{
    unsigned len = 0;
    return X509_digest(cert, EVP_sha256(), out->sha256, &len) == 1 ? ERR_OK : ERR_INVALID;
}

void tls_date(const ASN1_TIME *time, char *out, size_t size)
{
    struct tm tm = { 0 };
    time_t epoch = 0;
    int days = 0;
    int seconds = 0;
    ASN1_TIME *start = ASN1_TIME_set(NULL, 0);

    if (start != NULL && ASN1_TIME_diff(&days, &seconds, start, time) == 1) {
        epoch = (time_t)days * 86400 + seconds;
    }
    ASN1_TIME_free(start);
    if (gmtime_r(&epoch, &tm) == NULL || strftime(out, size, "%Y-%m-%d %H:%M UTC", &tm) == 0) {
        out[0] = '\0';
    }
}

/* open_file checks first that it can be read: BoringSSL's own error would not say why. */
static BIO *open_file(const char *option, const char *file, struct problem *problem)
{
    BIO *bio = BIO_new_file(file, "r");
    if (bio == NULL) {
        problem_set(problem, EXIT_USAGE, "cannot read %s (%s): %s", file, option, strerror(errno));
    }
    ERR_clear_error();
    return bio;
}

/* next_cert returns the file's next certificate, NULL at its end; *broken when there is one that cannot be read. */
static X509 *next_cert(BIO *bio, bool *broken)
{
    ERR_clear_error();
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    *broken = cert == NULL && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
    ERR_clear_error();
    return cert;
}

/* A certificate of the file, to be kept where `arg` says; the callee takes over the reference. */
typedef enum err cert_fn(X509 *cert, size_t index, void *arg);

static enum err each_cert(const char *option, const char *file, cert_fn *fn, void *arg,
                          struct problem *problem)
{
    size_t count = 0;
    bool broken = false;
    enum err err = ERR_OK;
    BIO *bio = open_file(option, file, problem);

    if (bio == NULL) {
        return ERR_SYSTEM;
    }
    for (X509 *cert; err == ERR_OK && (cert = next_cert(bio, &broken)) != NULL; count++) {
        err = fn(cert, count, arg);
    }
    BIO_free(bio);
    if (err == ERR_OK && (broken || count == 0)) {
        problem_set(problem, EXIT_USAGE,
                    "%s (%s) holds %s: it must be a PEM file with -----BEGIN CERTIFICATE-----",
                    file, option, broken ? "a certificate that cannot be read" : "no certificate");
        return ERR_INVALID;
    }
    if (err != ERR_OK) {
        problem_set(
            problem, EXIT_USAGE,
            "%s (%s) holds a certificate that TLS cannot use here: a client certificate must allow digital signatures",
            file, option);
    }
    return err;
}

/* The first is mine, those behind it complete its chain. */
static enum err add_own(X509 *cert, size_t index, void *arg)
{
    struct tls_context *c = arg;
    int ok =
        index == 0 ? SSL_CTX_use_certificate(c->ctx, cert) : SSL_CTX_add1_chain_cert(c->ctx, cert);
    X509_free(cert);
    return ok == 1 ? ERR_OK : ERR_INVALID;
}

static enum err add_ca(X509 *cert, size_t index, void *arg)
{
    struct tls_context *c = arg;
    (void)index;
    int ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(c->ctx), cert);
    X509_free(cert);
    return ok == 1 ? ERR_OK : ERR_INVALID;
}

static enum err add_pin(X509 *cert, size_t index, void *arg)
{
    struct tls_context *c = arg;
    c->pins = mem_realloc(c->pins, (index + 1) * sizeof(*c->pins));
    enum err err = tls_fingerprint(cert, &c->pins[index]);
    X509_free(cert);
    c->pin_count = index + 1;
    return err;
}

static enum err check_own_dates(const struct tls_context *c, struct problem *problem)
{
    const X509 *cert = SSL_CTX_get0_certificate(c->ctx);
    char date[32];

    if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0) {
        tls_date(X509_get0_notAfter(cert), date, sizeof(date));
        problem_set(
            problem, EXIT_CONNECTION,
            "my certificate %s (--cert) expired on %s: get a new one from whoever issued it",
            c->files.cert, date);
        return ERR_INVALID;
    }
    if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0) {
        tls_date(X509_get0_notBefore(cert), date, sizeof(date));
        problem_set(
            problem, EXIT_CONNECTION,
            "my certificate %s (--cert) is valid only from %s on: check this machine's clock",
            c->files.cert, date);
        return ERR_INVALID;
    }
    return ERR_OK;
}

/* Asking for a passphrase would break scripts; noticing that one is needed makes the sentence right. */
static int no_passphrase(char *buf, int size, int writing, void *asked)
{
    (void)buf;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static enum err load_key(struct tls_context *c, struct problem *problem)
{
    const char *file = c->files.key;
    bool encrypted = false;
    BIO *bio = open_file("--key", file, problem);

    if (bio == NULL) {
        return ERR_SYSTEM;
    }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted);
    BIO_free(bio);
    ERR_clear_error();
    if (encrypted) {
        problem_set(
            problem, EXIT_USAGE,
            "the private key in %s (--key) is protected by a passphrase, which cofre does "
            "not ask for: write it unprotected, mode 0600, with openssl pkey -in %s -out FILE",
            file, file);
        return ERR_INVALID;
    }
    if (key == NULL) {
        problem_set(problem, EXIT_USAGE,
                    "%s (--key) holds no private key that can be read: it must be a PEM file with "
                    "-----BEGIN PRIVATE KEY----- or the like",
                    file);
        return ERR_INVALID;
    }
    int ok = SSL_CTX_use_PrivateKey(c->ctx, key);
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (ok != 1) {
        problem_set(
            problem, EXIT_USAGE,
            "the private key in %s (--key) does not belong to the certificate in %s (--cert): "
            "give the two that were made together",
            file, c->files.cert);
        return ERR_INVALID;
    }
    return ERR_OK;
}

static enum err load_trust(struct tls_context *c, struct problem *problem)
{
    if (c->files.pin != NULL) {
        return each_cert("--pin", c->files.pin, add_pin, c, problem);
    }
    return each_cert("--cacert", c->files.cacert, add_ca, c, problem);
}

static enum err set_up(struct tls_context *c)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    if (c->ctx == NULL || SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_strict_cipher_list(c->ctx, ciphers) != 1 ||
        SSL_CTX_set_verify_algorithm_prefs(c->ctx, verify_algorithms,
                                           ARRAY_SIZE(verify_algorithms)) != 1) {
        return ERR_INVALID;
    }
    SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(c->ctx, tls_verify_server, c);
    return ERR_OK;
}

struct tls_context *tls_context_new(const struct tls_files *files, struct problem *problem)
{
    struct tls_context *c = mem_zalloc(sizeof(*c));

    c->files = *files;
    if (set_up(c) != ERR_OK) {
        problem_set(problem, EXIT_USAGE, "this build's TLS library cannot be set up");
        goto fail;
    }
    if (each_cert("--cert", files->cert, add_own, c, problem) != ERR_OK ||
        load_key(c, problem) != ERR_OK || check_own_dates(c, problem) != ERR_OK ||
        load_trust(c, problem) != ERR_OK) {
        goto fail;
    }
    return c;
fail:
    tls_context_free(c);
    return NULL;
}

void tls_context_free(struct tls_context *c)
{
    if (c != NULL) {
        SSL_CTX_free(c->ctx);
        free(c->pins);
        free(c);
    }
}
