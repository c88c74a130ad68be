/*
 * tls_trust: loading of the trust files, and the verification of a client's chain against them.
 * Pins are compared by fingerprint and never become CAs: whoever owns a self-signed CA:TRUE
 * certificate could otherwise mint identities. Revoked serials are a sorted array of our own, since
 * X509_STORE looks at one CRL per issuer only. What a verified chain rests on is kept with its peer
 * (trust_path), so that a live session can be judged again under another set.
 */
#include "trust/tls_trust.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "trust/tls_revoked.h"

enum {
    MAX_DEPTH = 8,
    MIN_RSA_BITS = 2048,
};

struct fingerprint {
    uint8_t sha256[SHA256_DIGEST_LENGTH];
};

struct ca {
    struct cert_id id;
    char *subject;
};

struct ca_list {
    struct ca *all;
    size_t count;
};

struct tls_trust {
    X509_STORE *cas;
    int64_t ends;             /* the first notAfter of a CA, INT64_MAX: there are none */
    struct ca_list trusted;   /* sorted */
    struct ca_list removed;   /* only to name them */
    struct fingerprint *pins; /* sorted */
    size_t pin_count;
    struct tls_revoked *revoked;
    bool reject_expired_crls;
    uint8_t digest[SHA256_DIGEST_LENGTH]; /* of every file it was made from */
};

static void ca_list_add(struct ca_list *l, const struct cert_id *id, const char *subject)
{
    l->all = mem_realloc(l->all, (l->count + 1) * sizeof(l->all[0]));
    l->all[l->count++] = (struct ca){ *id, mem_strdup(subject) };
}

static const struct ca *ca_list_find(const struct ca_list *l, const struct cert_id *id)
{
    return l->count == 0 ? NULL : bsearch(id, l->all, l->count, sizeof(l->all[0]), cert_id_compare);
}

static void ca_list_sort(struct ca_list *l)
{
    if (l->count > 0) {
        qsort(l->all, l->count, sizeof(l->all[0]), cert_id_compare);
    }
}

static void ca_list_release(struct ca_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->all[i].subject);
    }
    free(l->all);
}

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

static void add_ca(struct tls_trust *t, X509 *cert)
{
    char subject[256];
    struct cert_id id = cert_id_of_ca(cert);
    subject_text(cert, subject, sizeof(subject));
    X509_STORE_add_cert(t->cas, cert);
    ca_list_add(&t->trusted, &id, subject);
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
            add_ca(t, cert);
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

/* What becomes of each kind of file; lists come last, for their signatures are checked by the CAs. */
static const struct {
    enum material_kind kind;
    enum err (*add)(struct tls_trust *t, const struct pem_file *f, struct load_error *why);
} sources[] = {
    { MATERIAL_CLIENT_CA, add_cas },
    { MATERIAL_CLIENT_PIN, add_pins },
    { MATERIAL_CRL, add_crls },
};

static enum err add_files(struct tls_trust *t, const struct material *m, struct load_error *why)
{
    for (size_t s = 0; s < ARRAY_SIZE(sources); s++) {
        for (size_t i = 0; i < material_count(m, sources[s].kind); i++) {
            enum err err = sources[s].add(t, material_file(m, sources[s].kind, i), why);
            if (err != ERR_OK) {
                return err;
            }
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

enum err tls_trust_load(const struct gateway_options *o, const struct material *m,
                        struct tls_trust **out, struct load_error *why)
{
    struct tls_trust *t = mem_zalloc(sizeof(*t));
    t->ends = INT64_MAX;
    t->reject_expired_crls = o->crl_expired == CRL_EXPIRED_REJECT;
    t->cas = X509_STORE_new();
    t->revoked = tls_revoked_new();
    if (t->cas == NULL) {
        abort();
    }
    prepare_store(t->cas);
    enum err err = add_files(t, m, why);
    if (err != ERR_OK) {
        tls_trust_free(t);
        return err;
    }
    ca_list_sort(&t->trusted);
    tls_revoked_sort(t->revoked);
    tls_trust_warn_crls(t, INT64_MIN, time(NULL));
    memcpy(t->digest, material_trust_digest(m), sizeof(t->digest));
    *out = t;
    return ERR_OK;
}

void tls_trust_free(struct tls_trust *t)
{
    if (t != NULL) {
        X509_STORE_free(t->cas);
        tls_revoked_free(t->revoked);
        ca_list_release(&t->trusted);
        ca_list_release(&t->removed);
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
    return (struct tls_trust_size){ .cas = t->trusted.count,
                                    .pins = t->pin_count,
                                    .revoked = tls_revoked_count(t->revoked) };
}

void tls_trust_remember(struct tls_trust *t, const struct tls_trust *former)
{
    for (size_t i = 0; i < former->trusted.count; i++) {
        const struct ca *ca = &former->trusted.all[i];
        if (ca_list_find(&t->trusted, &ca->id) == NULL) {
            ca_list_add(&t->removed, &ca->id, ca->subject);
        }
    }
    ca_list_sort(&t->removed);
}

size_t tls_trust_crls_expired(const struct tls_trust *t, int64_t now, int64_t *next)
{
    return tls_revoked_expired(t->revoked, now, next);
}

void tls_trust_warn_crls(const struct tls_trust *t, int64_t from, int64_t to)
{
    tls_revoked_warn(t->revoked, from, to,
                     t->reject_expired_crls
                         ? "a revocation list is out of date: its issuer's clients are refused"
                         : "a revocation list is out of date: newer revocations are unknown");
}

/* Verifying. */

/*
 * What X509_verify_cert says, as a kind of refusal and a reason.
 * error   X509_V_ERR_*; any other is REFUSAL_OTHER, with the library's own words
 */
static const struct {
    int error;
    enum refusal_kind kind;
    const char *reason;
} verdicts[] = {
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, REFUSAL_UNKNOWN_ISSUER, "unknown issuer" },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, REFUSAL_UNKNOWN_ISSUER, "unknown issuer" },
    { X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, REFUSAL_UNKNOWN_ISSUER, "unknown issuer" },
    { X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, REFUSAL_UNKNOWN_ISSUER,
      "self-signed, and neither pinned nor a CA of ours" },
    { X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, REFUSAL_UNKNOWN_ISSUER,
      "unknown issuer: not a CA of ours" },
    { X509_V_ERR_CERT_CHAIN_TOO_LONG, REFUSAL_UNKNOWN_ISSUER, "the chain is too long" },
    { X509_V_ERR_PATH_LENGTH_EXCEEDED, REFUSAL_UNKNOWN_ISSUER,
      "it allows fewer CAs below it than there are" },
    { X509_V_ERR_INVALID_CA, REFUSAL_UNKNOWN_ISSUER, "it may not issue certificates" },
    { X509_V_ERR_KEYUSAGE_NO_CERTSIGN, REFUSAL_UNKNOWN_ISSUER, "it may not issue certificates" },
    { X509_V_ERR_INVALID_PURPOSE, REFUSAL_PURPOSE,
      "wrong purpose: not for TLS client authentication" },
    { X509_V_ERR_CERT_SIGNATURE_FAILURE, REFUSAL_BROKEN, "its signature is wrong" },
    { X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, REFUSAL_BROKEN,
      "its issuer's public key cannot be read" },
    { X509_V_ERR_INVALID_EXTENSION, REFUSAL_BROKEN, "an extension of it cannot be read" },
    { X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, REFUSAL_BROKEN,
      "it has a critical extension that is not known" },
    { X509_V_ERR_PERMITTED_VIOLATION, REFUSAL_NAME, "name refused: its issuer may not give it" },
    { X509_V_ERR_EXCLUDED_VIOLATION, REFUSAL_NAME, "name refused: its issuer may not give it" },
    { X509_V_ERR_NAME_CONSTRAINTS_WITHOUT_SANS, REFUSAL_NAME,
      "name refused: its issuer may not give it" },
};

/* whose names a certificate above the leaf, as the beginning of a reason; "" for the leaf. */
struct whose {
    char text[280];
};

static struct whose whose(X509 *cert, X509 *leaf)
{
    struct whose w = { "" };
    char subject[256];
    if (cert != NULL && X509_cmp(cert, leaf) != 0) {
        subject_text(cert, subject, sizeof(subject));
        snprintf(w.text, sizeof(w.text), "its issuer \"%s\": ", subject);
    }
    return w;
}

static const char *age_text(int64_t seconds, char out[32])
{
    static const struct {
        int64_t seconds;
        const char *plural;
    } units[] = { { 86400, "days" }, { 3600, "hours" }, { 60, "minutes" }, { 1, "seconds" } };
    size_t i = 0;
    while (i + 1 < ARRAY_SIZE(units) && seconds < 2 * units[i].seconds) {
        i++;
    }
    snprintf(out, 32, "%lld %s", (long long)(seconds / units[i].seconds), units[i].plural);
    return out;
}

/* dates_refuse says when a certificate is outside its validity, with the dates. */
static bool dates_refuse(X509 *cert, X509 *leaf, int64_t now, struct refusal *why)
{
    int64_t from, until;
    char when[32];
    struct whose w = whose(cert, leaf);
    if (!ASN1_TIME_to_posix(X509_get0_notBefore(cert), &from) ||
        !ASN1_TIME_to_posix(X509_get0_notAfter(cert), &until)) {
        refusal_set(why, REFUSAL_BROKEN, "%sits dates cannot be read", w.text);
        return true;
    }
    if (now < from) {
        refusal_set(why, REFUSAL_NOT_YET_VALID, "%snot yet valid until %s", w.text,
                    pem_time_text(from, when));
        return true;
    }
    if (now >= until) { /* as the library has it */
        char ago[32];
        refusal_set(why, REFUSAL_EXPIRED, "%sexpired %s ago on %s", w.text,
                    age_text(now - until, ago), pem_time_text(until, when));
        return true;
    }
    return false;
}

static void explain(X509_STORE_CTX *ctx, X509 *leaf, int64_t now, struct refusal *why)
{
    int error = X509_STORE_CTX_get_error(ctx);
    X509 *at = X509_STORE_CTX_get_current_cert(ctx);
    struct whose w = whose(at, leaf);
    if ((error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID) &&
        dates_refuse(at == NULL ? leaf : at, leaf, now, why)) {
        return;
    }
    if (X509_STORE_CTX_get_error_depth(ctx) >= MAX_DEPTH) {
        error = X509_V_ERR_CERT_CHAIN_TOO_LONG; /* it stopped to look for issuers */
    }
    for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
        if (verdicts[i].error == error) {
            refusal_set(why, verdicts[i].kind, "%s%s", w.text, verdicts[i].reason);
            return;
        }
    }
    refusal_set(why, REFUSAL_OTHER, "%s%s", w.text, X509_verify_cert_error_string(error));
}

static bool key_refuse(X509 *cert, X509 *leaf, struct refusal *why)
{
    EVP_PKEY *key = X509_get_pubkey(cert);
    int bits = key != NULL && EVP_PKEY_id(key) == EVP_PKEY_RSA ? EVP_PKEY_bits(key) : 0;
    EVP_PKEY_free(key);
    if (key == NULL) {
        refusal_set(why, REFUSAL_WEAK_KEY, "%sits public key is of a kind we do not know",
                    whose(cert, leaf).text);
        return true;
    }
    if (bits != 0 && bits < MIN_RSA_BITS) {
        refusal_set(why, REFUSAL_WEAK_KEY, "%sits RSA key has %d bits, less than %d",
                    whose(cert, leaf).text, bits, MIN_RSA_BITS);
        return true;
    }
    return false;
}

static bool revoked_refuse(const struct tls_trust *t, const struct cert_id *cert,
                           const char *whose_text, struct refusal *why)
{
    int64_t since;
    char when[32];
    if (!tls_revoked_has(t->revoked, cert, &since)) {
        return false;
    }
    refusal_set(why, REFUSAL_REVOKED, "%srevoked on %s", whose_text, pem_time_text(since, when));
    return true;
}

/* What verification found, on its way into the peer. */
struct verified {
    struct trust_step steps[TRUST_PATH_MAX];
    struct trust_path path;
    int64_t until;
    int64_t fresh_until;
};

/* list_refuse: whether the issuer's revocation list is too old to say that a certificate is good. */
static bool list_refuse(const struct tls_trust *t, const struct cert_id *issuer, int64_t now,
                        const char *whose_text, struct verified *v, struct refusal *why)
{
    char when[32];
    if (!t->reject_expired_crls) {
        return false;
    }
    int64_t until = tls_revoked_fresh_until(t->revoked, issuer);
    v->fresh_until = until < v->fresh_until ? until : v->fresh_until;
    if (now <= until) {
        return false;
    }
    refusal_set(why, REFUSAL_CRL_EXPIRED,
                "%sthe revocation list of its issuer is out of date since %s", whose_text,
                pem_time_text(until, when));
    return true;
}

/*
 * step_accept looks at what the library leaves to us: key sizes, revocation, and until when all of it
 * holds. `ca` is how the path names the certificate.
 */
static bool step_accept(const struct tls_trust *t, X509 *cert, X509 *leaf, const struct cert_id *ca,
                        int64_t now, struct verified *v, struct refusal *why)
{
    struct cert_id issuer = cert_id_of_name(X509_get_issuer_name(cert));
    struct cert_id id = cert_id_of_serial(&issuer, X509_get0_serialNumber(cert));
    struct whose w = whose(cert, leaf);
    int64_t end;
    if (key_refuse(cert, leaf, why) || revoked_refuse(t, &id, w.text, why) ||
        list_refuse(t, &issuer, now, w.text, v, why)) {
        return false;
    }
    if (v->path.count == TRUST_PATH_MAX) {
        refusal_set(why, REFUSAL_UNKNOWN_ISSUER, "the chain is too long");
        return false;
    }
    if (ASN1_TIME_to_posix(X509_get0_notAfter(cert), &end) && end < v->until) {
        v->until = end;
    }
    v->steps[v->path.count++] = (struct trust_step){ .ca = *ca, .cert = id };
    return true;
}

/* The leaf is named as a pin would name it: it may become one. Unless it is itself the anchor. */
static bool chain_accept(const struct tls_trust *t, const STACK_OF(X509) *chain,
                         const struct cert_id *pin, int64_t now, struct verified *v,
                         struct refusal *why)
{
    size_t count = sk_X509_num(chain);
    for (size_t i = 0; i < count; i++) {
        X509 *cert = sk_X509_value(chain, i);
        struct cert_id ca = i == 0 && count > 1 ? *pin : cert_id_of_ca(cert);
        if (!step_accept(t, cert, sk_X509_value(chain, 0), &ca, now, v, why)) {
            return false;
        }
    }
    return true;
}

/*
 * Of several certificates of one issuer the library tries the first alone. Those that CAs of ours have
 * signed go first, so that a cross-signed issuer counts whichever way round its certificates were sent.
 */
static void ours_first(X509_STORE_CTX *ctx, STACK_OF(X509) *sent)
{
    size_t next = 1; /* behind the leaf */
    for (size_t i = 1; i < sk_X509_num(sent) && sk_X509_num(sent) > 2; i++) {
        X509 *issuer;
        if (X509_STORE_CTX_get1_issuer(&issuer, ctx, sk_X509_value(sent, i)) == 1) {
            X509_free(issuer);
            sk_X509_insert(sent, sk_X509_delete(sent, i), next++);
        }
    }
}

static bool verify_by_ca(const struct tls_trust *t, STACK_OF(X509) *sent, const struct cert_id *pin,
                         int64_t now, struct verified *v, struct refusal *why)
{
    X509 *leaf = sk_X509_value(sent, 0);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool ok = false;
    if (ctx == NULL || !X509_STORE_CTX_init(ctx, t->cas, leaf, sent)) {
        abort();
    }
    X509_STORE_CTX_set_time_posix(ctx, 0, now);
    ours_first(ctx, sent);
    if (X509_verify_cert(ctx) == 1) {
        ok = chain_accept(t, X509_STORE_CTX_get0_chain(ctx), pin, now, v, why);
    } else {
        explain(ctx, leaf, now, why);
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static bool has_pin(const struct tls_trust *t, const struct fingerprint *f)
{
    return t->pin_count > 0 &&
           bsearch(f, t->pins, t->pin_count, sizeof(*f), compare_fingerprints) != NULL;
}

static struct fingerprint fingerprint_of(const CRYPTO_BUFFER *der)
{
    struct fingerprint f;
    SHA256(CRYPTO_BUFFER_data(der), CRYPTO_BUFFER_len(der), f.sha256);
    return f;
}

static struct cert_id id_of_pin(const struct fingerprint *f)
{
    struct cert_id id;
    memcpy(id.bytes, f->sha256, sizeof(id.bytes));
    return id;
}

static bool verify_pinned(const struct tls_trust *t, X509 *leaf, const struct cert_id *pin,
                          int64_t now, struct verified *v, struct refusal *why)
{
    v->path.pinned = true;
    return !dates_refuse(leaf, leaf, now, why) && step_accept(t, leaf, leaf, pin, now, v, why);
}

static struct peer *verify_parsed(const struct tls_trust *t, const struct identity_order *order,
                                  const CRYPTO_BUFFER *leaf_der, STACK_OF(X509) *sent, int64_t now,
                                  struct refusal *why)
{
    X509 *leaf = sk_X509_value(sent, 0);
    struct fingerprint f = fingerprint_of(leaf_der);
    struct cert_id pin = id_of_pin(&f);
    struct verified v = { .until = INT64_MAX, .fresh_until = INT64_MAX };
    v.path.steps = v.steps;
    peer_describe(leaf, &why->cert);
    if (key_refuse(leaf, leaf, why)) {
        return NULL;
    }
    if (has_pin(t, &f) ? !verify_pinned(t, leaf, &pin, now, &v, why)
                       : !verify_by_ca(t, sent, &pin, now, &v, why)) {
        return NULL;
    }
    const char *fault = NULL;
    struct peer *peer = peer_from_certificate(leaf, order, &v.path, &fault);
    if (peer == NULL) {
        refusal_set(why, REFUSAL_NAME, "%s", fault);
        return NULL;
    }
    peer->trusted_until = v.until < peer->not_after ? v.until : peer->not_after;
    peer->fresh_until = v.fresh_until < peer->trusted_until ? v.fresh_until : peer->trusted_until;
    return peer;
}

struct peer *tls_trust_verify(const struct tls_trust *t, const struct identity_order *order,
                              const STACK_OF(CRYPTO_BUFFER) *chain, int64_t now,
                              struct refusal *why)
{
    STACK_OF(X509) *sent = sk_X509_new_null();
    struct peer *peer = NULL;
    *why = (struct refusal){ .kind = REFUSAL_NO_CERTIFICATE, .reason = "no certificate sent" };
    for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(chain); i++) {
        X509 *cert = X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, i));
        if (cert == NULL) {
            refusal_set(why, REFUSAL_BROKEN, "certificate %zu of the chain cannot be read", i + 1);
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

/* Judging again. */

/* Half a fingerprint is the beginning of the whole, and the pins are sorted. */
static bool is_pin(const struct tls_trust *t, const struct cert_id *id)
{
    return t->pin_count > 0 &&
           bsearch(id, t->pins, t->pin_count, sizeof(t->pins[0]), cert_id_compare) != NULL;
}

static bool path_holds(const struct tls_trust *t, const struct trust_path *path)
{
    for (size_t i = 0; i < path->count; i++) {
        const struct cert_id *id = &path->steps[i].ca;
        if (ca_list_find(&t->trusted, id) != NULL || is_pin(t, id)) {
            return true;
        }
    }
    return false;
}

/* The CA that is gone: the uppermost of the path that the former set had. */
static struct slice removed_ca(const struct tls_trust *t, const struct trust_path *path,
                               struct slice issuer)
{
    for (size_t i = path->count; i > 0; i--) {
        const struct ca *ca = ca_list_find(&t->removed, &path->steps[i - 1].ca);
        if (ca != NULL) {
            return slice_of(ca->subject);
        }
    }
    return issuer;
}

bool tls_trust_still_path(const struct tls_trust *t, const struct trust_path *path,
                          struct slice issuer, struct refusal *why)
{
    for (size_t i = 0; i < path->count; i++) {
        if (revoked_refuse(t, &path->steps[i].cert, i == 0 ? "" : "its issuer: ", why)) {
            return false;
        }
    }
    if (path_holds(t, path)) {
        return true;
    }
    if (path->pinned) {
        refusal_set(why, REFUSAL_PIN_REMOVED, "its pin was removed");
    } else {
        struct slice ca = removed_ca(t, path, issuer);
        refusal_set(why, REFUSAL_CA_REMOVED, "its CA \"%.*s\" was removed", (int)ca.len,
                    (const char *)ca.p);
    }
    return false;
}

bool tls_trust_still(const struct tls_trust *t, const struct peer *peer, struct refusal *why)
{
    return tls_trust_still_path(t, &peer->path, peer->issuer, why);
}
