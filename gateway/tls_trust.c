/*
 * tls_trust: loading of the trust files, and the verification of a client's chain against them.
 * Pins are compared by fingerprint and never become CAs: whoever owns a self-signed CA:TRUE
 * certificate could otherwise mint identities. Revoked serials are a sorted array of our own, since
 * X509_STORE looks at one CRL per issuer only.
 */
#include "tls_trust.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "tls_revoked.h"

enum {
    MAX_DEPTH = 8,
    MIN_RSA_BITS = 2048,
};

/* RFC 8446 §6 alert numbers. */
enum {
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_UNSUPPORTED_CERTIFICATE = 43,
    ALERT_CERTIFICATE_REVOKED = 44,
    ALERT_CERTIFICATE_EXPIRED = 45,
    ALERT_CERTIFICATE_UNKNOWN = 46,
    ALERT_UNKNOWN_CA = 48,
};

struct fingerprint {
    uint8_t sha256[SHA256_DIGEST_LENGTH];
};

struct tls_trust {
    X509_STORE *cas;
    size_t ca_count;
    int64_t ends;             /* the first notAfter of a CA, INT64_MAX: there are none */
    struct fingerprint *pins; /* sorted */
    size_t pin_count;
    struct tls_revoked *revoked;
    uint8_t digest[SHA256_DIGEST_LENGTH]; /* of every file it was made from */
};

static void subject_text(X509 *cert, char *out, size_t cap)
{
    struct peer_description d;
    peer_describe(cert, &d);
    snprintf(out, cap, "%s", d.subject);
}

/* Loading. */

static enum err check_ca(const char *path, X509 *cert, int64_t *ends, struct load_error *why)
{
    char subject[256];
    char when[32];
    int64_t until;
    subject_text(cert, subject, sizeof(subject));
    if (!X509_check_ca(cert)) {
        return load_error_set(why,
                              "%s: \"%s\" is not a CA; to let in exactly this certificate, use "
                              "--client-pin",
                              path, subject);
    }
    if (!ASN1_TIME_to_posix(X509_get0_notAfter(cert), &until)) {
        return load_error_set(why, "%s: \"%s\": its dates cannot be read", path, subject);
    }
    if (until < time(NULL)) {
        log_event(LOG_WARNING, "a CA has expired: nothing that it issued is let in",
                  LF_STR("file", path), LF_STR("subject", subject),
                  LF_STR("expired", pem_time_text(until, when)));
    }
    *ends = until < *ends ? until : *ends;
    return ERR_OK;
}

static enum err add_cas(struct tls_trust *t, const struct pem_file *f, struct load_error *why)
{
    STACK_OF(X509) *certs;
    enum err err = pem_certificates(f, &certs, why);
    if (err != ERR_OK) {
        return err;
    }
    for (size_t i = 0; i < sk_X509_num(certs) && err == ERR_OK; i++) {
        X509 *cert = sk_X509_value(certs, i);
        err = check_ca(f->path, cert, &t->ends, why);
        if (err == ERR_OK) {
            X509_STORE_add_cert(t->cas, cert);
            t->ca_count++;
        }
    }
    sk_X509_pop_free(certs, X509_free);
    ERR_clear_error();
    return err;
}

static int compare_fingerprints(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct fingerprint));
}

static enum err add_pins(struct tls_trust *t, const struct pem_file *f, struct load_error *why)
{
    STACK_OF(X509) *certs;
    enum err err = pem_certificates(f, &certs, why);
    if (err != ERR_OK) {
        return err;
    }
    size_t more = sk_X509_num(certs);
    t->pins = mem_realloc(t->pins, (t->pin_count + more) * sizeof(t->pins[0]));
    for (size_t i = 0; i < more; i++) {
        unsigned len = SHA256_DIGEST_LENGTH;
        X509_digest(sk_X509_value(certs, i), EVP_sha256(), t->pins[t->pin_count++].sha256, &len);
    }
    sk_X509_pop_free(certs, X509_free);
    qsort(t->pins, t->pin_count, sizeof(t->pins[0]), compare_fingerprints);
    return ERR_OK;
}

static enum err add_crls(struct tls_trust *t, const struct pem_file *f, struct load_error *why)
{
    STACK_OF(X509_CRL) *crls;
    enum err err = pem_crls(f, &crls, why);
    if (err != ERR_OK) {
        return err;
    }
    for (size_t i = 0; i < sk_X509_CRL_num(crls) && err == ERR_OK; i++) {
        err = tls_revoked_add(t->revoked, f->path, sk_X509_CRL_value(crls, i), t->cas, why);
    }
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    return err;
}

typedef enum err add_file(struct tls_trust *t, const struct pem_file *f, struct load_error *why);

static enum err load_list(struct tls_trust *t, const struct option_list *list, add_file *add,
                          SHA256_CTX *sha, struct load_error *why)
{
    SHA256_Update(sha, &list->count, sizeof(list->count));
    for (size_t i = 0; i < list->count; i++) {
        struct pem_file f;
        enum err err = pem_file_read(list->items[i], &f, why);
        if (err != ERR_OK) {
            return err;
        }
        pem_file_digest(&f, sha);
        err = add(t, &f, why);
        pem_file_release(&f);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static void prepare_store(X509_STORE *store)
{
    /* An intermediate given as CA is an anchor of its own; only CAs get in here (check_ca). */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    X509_STORE_set_purpose(store, X509_PURPOSE_SSL_CLIENT);
    X509_STORE_set_depth(store, MAX_DEPTH);
}

enum err tls_trust_load(const struct gateway_options *o, struct tls_trust **out,
                        struct load_error *why)
{
    struct tls_trust *t = mem_zalloc(sizeof(*t));
    SHA256_CTX sha;
    SHA256_Init(&sha);
    t->ends = INT64_MAX;
    t->cas = X509_STORE_new();
    t->revoked = tls_revoked_new();
    if (t->cas == NULL) {
        abort();
    }
    prepare_store(t->cas);
    enum err err = load_list(t, &o->client_ca, add_cas, &sha, why);
    if (err == ERR_OK) {
        err = load_list(t, &o->client_pin, add_pins, &sha, why);
    }
    if (err == ERR_OK) {
        err = load_list(t, &o->crl, add_crls, &sha, why);
    }
    if (err != ERR_OK) {
        tls_trust_free(t);
        return err;
    }
    tls_revoked_sort(t->revoked);
    SHA256_Final(t->digest, &sha);
    *out = t;
    return ERR_OK;
}

void tls_trust_free(struct tls_trust *t)
{
    if (t != NULL) {
        X509_STORE_free(t->cas);
        tls_revoked_free(t->revoked);
        free(t->pins);
        free(t);
    }
}

int64_t tls_trust_ends(const struct tls_trust *t)
{
    return t->ends;
}

bool tls_trust_same(const struct tls_trust *a, const struct tls_trust *b)
{
    return memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

struct tls_trust_size tls_trust_size(const struct tls_trust *t)
{
    return (struct tls_trust_size){ .cas = t->ca_count,
                                    .pins = t->pin_count,
                                    .revoked = tls_revoked_count(t->revoked) };
}

/* Verifying. */

static void refuse(struct refusal *why, uint8_t alert, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void refuse(struct refusal *why, uint8_t alert, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    why->alert = alert;
    vsnprintf(why->reason, sizeof(why->reason), fmt, args);
    va_end(args);
}

/*
 * What X509_verify_cert says, as an alert and a reason.
 * error   X509_V_ERR_*
 * alert   what the peer gets
 * reason  what the log gets; NULL: the library's own words
 */
static const struct {
    int error;
    uint8_t alert;
    const char *reason;
} verdicts[] = {
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, ALERT_UNKNOWN_CA, "unknown issuer" },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, ALERT_UNKNOWN_CA, "unknown issuer" },
    { X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, ALERT_UNKNOWN_CA, "unknown issuer" },
    { X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, ALERT_UNKNOWN_CA,
      "self-signed, and neither pinned nor a CA of ours" },
    { X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, ALERT_UNKNOWN_CA, "its root is not a CA of ours" },
    { X509_V_ERR_CERT_CHAIN_TOO_LONG, ALERT_UNKNOWN_CA, "the chain is too long" },
    { X509_V_ERR_INVALID_PURPOSE, ALERT_UNSUPPORTED_CERTIFICATE,
      "wrong purpose: not for TLS client authentication" },
    { X509_V_ERR_INVALID_CA, ALERT_UNKNOWN_CA, "its issuer may not issue certificates" },
    { X509_V_ERR_CERT_SIGNATURE_FAILURE, ALERT_BAD_CERTIFICATE, "its signature is wrong" },
};

/* dates_refuse says when a certificate is outside its validity, with the dates. */
static bool dates_refuse(X509 *cert, int64_t now, const char *whose, struct refusal *why)
{
    int64_t from, until;
    char when[32];
    if (!ASN1_TIME_to_posix(X509_get0_notBefore(cert), &from) ||
        !ASN1_TIME_to_posix(X509_get0_notAfter(cert), &until)) {
        refuse(why, ALERT_BAD_CERTIFICATE, "%sits dates cannot be read", whose);
        return true;
    }
    if (now < from) {
        refuse(why, ALERT_BAD_CERTIFICATE, "%snot yet valid, from %s", whose,
               pem_time_text(from, when));
        return true;
    }
    if (now > until) {
        refuse(why, ALERT_CERTIFICATE_EXPIRED, "%sexpired since %s (%lld days)", whose,
               pem_time_text(until, when), (long long)((now - until) / 86400));
        return true;
    }
    return false;
}

static void explain(X509_STORE_CTX *ctx, X509 *leaf, int64_t now, struct refusal *why)
{
    int error = X509_STORE_CTX_get_error(ctx);
    X509 *at = X509_STORE_CTX_get_current_cert(ctx);
    const char *whose = at == NULL || X509_cmp(at, leaf) == 0 ? "" : "its issuer: ";
    if ((error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID) &&
        dates_refuse(at == NULL ? leaf : at, now, whose, why)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
        if (verdicts[i].error == error) {
            refuse(why, verdicts[i].alert, "%s%s", whose, verdicts[i].reason);
            return;
        }
    }
    refuse(why, ALERT_CERTIFICATE_UNKNOWN, "%s%s", whose, X509_verify_cert_error_string(error));
}

static bool revoked_refuse(const struct tls_trust *t, X509 *cert, const char *whose,
                           struct refusal *why)
{
    int64_t since;
    char when[32];
    if (!tls_revoked_has(t->revoked, cert, &since)) {
        return false;
    }
    refuse(why, ALERT_CERTIFICATE_REVOKED, "%srevoked since %s", whose, pem_time_text(since, when));
    return true;
}

/* chain_accept looks at what the library leaves to us: revocation, and until when all of it holds. */
static bool chain_accept(const struct tls_trust *t, const STACK_OF(X509) *chain, int64_t *until,
                         struct refusal *why)
{
    for (size_t i = 0; i < sk_X509_num(chain); i++) {
        X509 *cert = sk_X509_value(chain, i);
        int64_t end;
        if (revoked_refuse(t, cert, i == 0 ? "" : "its issuer: ", why)) {
            return false;
        }
        if (ASN1_TIME_to_posix(X509_get0_notAfter(cert), &end) && end < *until) {
            *until = end;
        }
    }
    return true;
}

static bool verify_by_ca(const struct tls_trust *t, STACK_OF(X509) *sent, int64_t now,
                         int64_t *until, struct refusal *why)
{
    X509 *leaf = sk_X509_value(sent, 0);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool ok = false;
    if (ctx == NULL || !X509_STORE_CTX_init(ctx, t->cas, leaf, sent)) {
        abort();
    }
    X509_STORE_CTX_set_time_posix(ctx, 0, now);
    if (X509_verify_cert(ctx) == 1) {
        ok = chain_accept(t, X509_STORE_CTX_get0_chain(ctx), until, why);
    } else {
        explain(ctx, leaf, now, why);
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static bool is_pinned(const struct tls_trust *t, const CRYPTO_BUFFER *der)
{
    struct fingerprint f;
    SHA256(CRYPTO_BUFFER_data(der), CRYPTO_BUFFER_len(der), f.sha256);
    return t->pin_count > 0 &&
           bsearch(&f, t->pins, t->pin_count, sizeof(f), compare_fingerprints) != NULL;
}

static bool key_refuse(X509 *leaf, struct refusal *why)
{
    EVP_PKEY *key = X509_get_pubkey(leaf);
    int bits = key != NULL && EVP_PKEY_id(key) == EVP_PKEY_RSA ? EVP_PKEY_bits(key) : 0;
    EVP_PKEY_free(key);
    if (key == NULL) {
        refuse(why, ALERT_UNSUPPORTED_CERTIFICATE, "its public key is of a kind we do not know");
        return true;
    }
    if (bits != 0 && bits < MIN_RSA_BITS) {
        refuse(why, ALERT_BAD_CERTIFICATE, "its RSA key has %d bits, less than %d", bits,
               MIN_RSA_BITS);
        return true;
    }
    return false;
}

static struct peer *verify_parsed(const struct tls_trust *t, const struct identity_order *order,
                                  const CRYPTO_BUFFER *leaf_der, STACK_OF(X509) *sent, int64_t now,
                                  struct refusal *why)
{
    X509 *leaf = sk_X509_value(sent, 0);
    int64_t until = INT64_MAX;
    peer_describe(leaf, &why->cert);
    if (key_refuse(leaf, why)) {
        return NULL;
    }
    if (is_pinned(t, leaf_der)) {
        if (dates_refuse(leaf, now, "", why) || revoked_refuse(t, leaf, "", why)) {
            return NULL;
        }
    } else if (!verify_by_ca(t, sent, now, &until, why)) {
        return NULL;
    }
    const char *fault = NULL;
    struct peer *peer = peer_from_certificate(leaf, order, &fault);
    if (peer == NULL) {
        refuse(why, ALERT_BAD_CERTIFICATE, "%s", fault);
        return NULL;
    }
    peer->trusted_until = until < peer->not_after ? until : peer->not_after;
    return peer;
}

struct peer *tls_trust_verify(const struct tls_trust *t, const struct identity_order *order,
                              const STACK_OF(CRYPTO_BUFFER) *chain, int64_t now,
                              struct refusal *why)
{
    STACK_OF(X509) *sent = sk_X509_new_null();
    struct peer *peer = NULL;
    *why = (struct refusal){ .alert = ALERT_BAD_CERTIFICATE };
    for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(chain); i++) {
        X509 *cert = X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, i));
        if (cert == NULL) {
            refuse(why, ALERT_BAD_CERTIFICATE, "certificate %zu of the chain cannot be read",
                   i + 1);
            goto done;
        }
        sk_X509_push(sent, cert);
    }
    if (sk_X509_num(sent) > 0) {
        peer = verify_parsed(t, order, sk_CRYPTO_BUFFER_value(chain, 0), sent, now, why);
    }
done:
    ERR_clear_error();
    sk_X509_pop_free(sent, X509_free);
    return peer;
}
