/*
 * tls_context: builds an SSL_CTX with DESIGN §5.2's settings around the loaded certificates and
 * trust. It is built whole, checked, and never edited once a session uses it.
 */
#include "tls/tls_context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/log.h"
#include "tls/keylog.h"
#include "tls/tls_ca_names.h"
#include "tls/tls_choice.h"

enum { MAX_HANDSHAKE_MESSAGE = 16 * 1024 };

struct tls_context {
    atomic_uint refs;
    const struct gateway_options *options;
    struct ticket_keys *tickets;
    SSL_CTX *ssl;
    struct tls_pair *pairs;
    size_t pair_count;
    struct tls_choice *choice; /* among the pairs */
    struct key_lease *lease;   /* NULL: the private keys are here */
    struct tls_trust *trust;
    uint64_t generation;
    struct tls_file *files;
    size_t file_count;
    uint8_t digest[SHA256_DIGEST_LENGTH]; /* of all that it was made from */
    int keylog_fd;
};

/* Key exchange, best first; the post-quantum hybrid where this BoringSSL has its final form. */
static const char groups[] =
#if defined(SSL_GROUP_X25519_MLKEM768) || defined(SSL_CURVE_X25519_MLKEM768)
    "X25519MLKEM768:"
#endif
    "X25519:P-256";

/* TLS 1.2; TLS 1.3's three suites are AEAD all and not configurable in BoringSSL. */
static const char ciphers[] = "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:"
                              "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

/* What a client's CertificateVerify may be signed with; no SHA-1. */
static const uint16_t verify_schemes[] = {
    SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_ED25519,
    SSL_SIGN_RSA_PSS_RSAE_SHA256,    SSL_SIGN_RSA_PKCS1_SHA256,
    SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA384,
    SSL_SIGN_RSA_PKCS1_SHA384,       SSL_SIGN_RSA_PSS_RSAE_SHA512,
    SSL_SIGN_RSA_PKCS1_SHA512,
};

/* The session id context only has to be set; that tickets are ours is what their seal shows. */
static const uint8_t session_context[] = "cofre";

static struct tls_context *context_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* With the key holder a pair has the public half of its key only, and signs by asking. */
static EVP_PKEY *key_of(const struct tls_pair *p)
{
    return p->key_is_private ? p->key : NULL;
}

static const SSL_PRIVATE_KEY_METHOD *method_of(const struct tls_pair *p)
{
    return p->key_is_private ? NULL : tls_context_remote_key();
}

static enum ssl_select_cert_result_t select_pair(const SSL_CLIENT_HELLO *hello)
{
    const struct tls_context *c = context_of(hello->ssl);
    const char *name = SSL_get_servername(hello->ssl, TLSEXT_NAMETYPE_host_name);
    const struct tls_pair *p =
        tls_choice_find(c->choice, slice_of(name == NULL ? "" : name), hello);
    if (p == &c->pairs[0]) {
        return ssl_select_cert_success; /* the SSL_CTX has it */
    }
    tls_context_chose(hello->ssl, (size_t)(p - c->pairs));
    return SSL_set_chain_and_key(hello->ssl, p->chain, p->chain_len, key_of(p), method_of(p)) == 1
               ? ssl_select_cert_success
               : ssl_select_cert_error;
}

static void write_keylog(const SSL *ssl, const char *line)
{
    keylog_write(context_of(ssl)->keylog_fd, line);
}

static enum err load_pairs(struct tls_context *c, const struct material *m, struct load_error *why)
{
    size_t count = material_count(m, MATERIAL_CERT);
    c->pairs = mem_zalloc(count * sizeof(c->pairs[0]));
    for (size_t i = 0; i < count; i++) {
        enum err err = tls_pair_load(m, i, &c->pairs[i], why);
        if (err != ERR_OK) {
            return err;
        }
        c->pair_count++;
    }
    return ERR_OK;
}

/* A reload goes on with the file that is open: by now we may be a user who could not open it. */
static enum err open_keylog(struct tls_context *c, const struct tls_context *previous,
                            struct load_error *why)
{
    const char *path = c->options->keylog;
    enum err err = ERR_OK;
    if (path == NULL || c->options->check) {
        return ERR_OK;
    }
    if (previous == NULL) {
        err = keylog_open(path, &c->keylog_fd, why);
    } else if ((c->keylog_fd = fcntl(previous->keylog_fd, F_DUPFD_CLOEXEC, 0)) < 0) {
        err = load_error_set(why, "--keylog %s: %s", path, strerror(errno));
    }
    if (err == ERR_OK) {
        keylog_warn(path);
        SSL_CTX_set_keylog_callback(c->ssl, write_keylog);
    }
    return err;
}

static bool set_protocol(SSL_CTX *ssl)
{
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_strict_cipher_list(ssl, ciphers) == 1 &&
           SSL_CTX_set1_curves_list(ssl, groups) == 1 &&
           SSL_CTX_set_verify_algorithm_prefs(ssl, verify_schemes, ARRAY_SIZE(verify_schemes)) ==
               1 &&
           tls_choice_install(ssl) == ERR_OK &&
           SSL_CTX_set_session_id_context(ssl, session_context, sizeof(session_context)) == 1;
}

static void set_sessions(SSL_CTX *ssl)
{
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF); /* tickets only */
    SSL_CTX_set_timeout(ssl, TICKET_LIFETIME_S);
    SSL_CTX_set_session_psk_dhe_timeout(ssl, TICKET_LIFETIME_S);
    SSL_CTX_set_num_tickets(ssl, 1);
    SSL_CTX_set_early_data_enabled(ssl, 0); /* it can be replayed */
}

static enum err build_ssl(struct tls_context *c, const struct tls_context *previous,
                          struct load_error *why)
{
    c->ssl = SSL_CTX_new(TLS_with_buffers_method());
    if (c->ssl == NULL || !set_protocol(c->ssl)) {
        return load_error_set(why, "this BoringSSL does not take our TLS settings");
    }
    set_sessions(c->ssl);
    SSL_CTX_set_app_data(c->ssl, c);
    SSL_CTX_set_max_cert_list(c->ssl, MAX_HANDSHAKE_MESSAGE);
    /* A client's chain is dropped after its handshake: so no CRYPTO_BUFFER_POOL, whose lock and hash
     * would be paid for sharing what nobody keeps. */
    SSL_CTX_set_retain_only_sha256_of_client_certs(c->ssl, 1);
    const struct tls_pair *p = &c->pairs[0];
    if (!SSL_CTX_set_chain_and_key(c->ssl, p->chain, p->chain_len, key_of(p), method_of(p))) {
        ERR_clear_error();
        return load_error_set(why, "%s: BoringSSL does not take this certificate",
                              c->options->cert.items[0]);
    }
    if (c->pair_count > 1) {
        c->choice = tls_choice_new(c->pairs, c->pair_count);
        SSL_CTX_set_select_certificate_cb(c->ssl, select_pair);
    }
    tls_context_install(c->ssl);
    return open_keylog(c, previous, why);
}

static uint64_t next_generation(const struct tls_context *c, const struct tls_context *previous)
{
    if (previous == NULL) {
        return 1;
    }
    return previous->generation + (tls_trust_same(c->trust, previous->trust) ? 0 : 1);
}

static void note_files(struct tls_context *c, const struct material *m)
{
    static const char *const names[MATERIAL_KINDS] = { [MATERIAL_CERT] = "cert",
                                                       [MATERIAL_CLIENT_CA] = "client_ca",
                                                       [MATERIAL_CLIENT_PIN] = "client_pin",
                                                       [MATERIAL_CRL] = "crl" };
    for (enum material_kind kind = 0; kind < MATERIAL_KINDS; kind++) {
        size_t count = material_count(m, kind);
        c->files = mem_realloc(c->files, (c->file_count + count + 1) * sizeof(c->files[0]));
        for (size_t i = 0; i < count; i++) {
            struct tls_file *f = &c->files[c->file_count++];
            snprintf(f->name, sizeof(f->name), "%s_%u", names[kind], (unsigned)(uint16_t)(i + 1));
            f->path = material_file(m, kind, i)->path;
            memcpy(f->sha256, material_file_digest(m, kind, i), sizeof(f->sha256));
        }
    }
}

const struct tls_file *tls_context_files(const struct tls_context *c, size_t *count)
{
    *count = c->file_count;
    return c->files;
}

enum err tls_context_load(const struct gateway_options *options, const struct material *material,
                          struct ticket_keys *tickets, const struct tls_context *previous,
                          struct tls_context **out, struct load_error *why)
{
    struct tls_context *c = mem_zalloc(sizeof(*c));
    atomic_init(&c->refs, 1);
    c->options = options;
    c->tickets = tickets;
    c->keylog_fd = -1;
    c->lease = key_lease_ref(material_lease(material));
    memcpy(c->digest, material_digest(material), sizeof(c->digest));
    note_files(c, material);
    enum err err = load_pairs(c, material, why);
    if (err == ERR_OK) {
        err = tls_trust_load(options, material, &c->trust, why);
    }
    if (err == ERR_OK) {
        err = build_ssl(c, previous, why);
    }
    if (err == ERR_OK && options->send_ca_names == SWITCH_ON) {
        err = tls_ca_names_set(c->ssl, material, why);
    }
    if (err != ERR_OK) {
        tls_context_unref(c);
        return err;
    }
    c->generation = next_generation(c, previous);
    if (previous != NULL) {
        tls_trust_remember(c->trust, previous->trust);
    }
    *out = c;
    return ERR_OK;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void tls_context_unref(struct tls_context *c)
{
    if (c == NULL || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    tls_choice_free(c->choice);
    for (size_t i = 0; i < c->pair_count; i++) {
        tls_pair_release(&c->pairs[i]);
    }
    free(c->pairs);
    free(c->files);
    tls_trust_free(c->trust);
    SSL_CTX_free(c->ssl);
    key_lease_unref(c->lease);
    if (c->keylog_fd >= 0) {
        close(c->keylog_fd);
    }
    free(c);
}

SSL_CTX *tls_context_ssl(const struct tls_context *c)
{
    return c->ssl;
}

const struct tls_trust *tls_context_trust(const struct tls_context *c)
{
    return c->trust;
}

const struct identity_order *tls_context_order(const struct tls_context *c)
{
    return &c->options->identity_order;
}

struct ticket_keys *tls_context_tickets(const struct tls_context *c)
{
    return c->tickets;
}

uint64_t tls_context_generation(const struct tls_context *c)
{
    return c->generation;
}

int64_t tls_context_ends(const struct tls_context *c)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < c->pair_count; i++) {
        first = c->pairs[i].not_after < first ? c->pairs[i].not_after : first;
    }
    return first;
}

uint32_t tls_context_key_set(const struct tls_context *c)
{
    return c->lease == NULL ? 0 : key_lease_set(c->lease);
}

const uint8_t *tls_context_digest(const struct tls_context *c)
{
    return c->digest;
}

void tls_context_log(const struct tls_context *c, const char *message)
{
    char until[32];
    struct tls_trust_size size = tls_trust_size(c->trust);
    for (size_t i = 0; i < c->pair_count; i++) {
        log_event(LOG_INFO, message, LF_STR("cert", c->options->cert.items[i]),
                  LF_STR("subject", c->pairs[i].subject), LF_STR("serial", c->pairs[i].serial),
                  LF_STR("valid_until", pem_time_text(c->pairs[i].not_after, until)),
                  LF_INT("cas", size.cas), LF_INT("pins", size.pins),
                  LF_INT("revoked", size.revoked), LF_INT("trust", c->generation));
    }
}
