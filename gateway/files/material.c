/*
 * material: reading the set of files, its digests, and its form as bytes. Whether certificates are any
 * good is not looked at here: tls_pair and tls_trust do when they load from it.
 */
#include "files/material.h"

#include <stdlib.h>

#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/mem.h>

enum {
    MAGIC = 0x314d4643, /* "CFM1" */
    READ_TRIES = 3,
};

struct file {
    struct pem_file pem;
    uint8_t sha256[SHA256_DIGEST_LENGTH];
};

struct material {
    const struct gateway_options *options;
    struct file *files[MATERIAL_KINDS]; /* as many as the option was given */
    struct material_key *keys;          /* one for each MATERIAL_CERT */
    struct key_lease *lease;            /* of their private halves, elsewhere; or NULL */
    uint8_t digest[SHA256_DIGEST_LENGTH];
    uint8_t trust_digest[SHA256_DIGEST_LENGTH];
};

/*
 * Rows by enum material_kind.
 * list    where the options have the paths
 * blocks  the kinds of PEM blocks that are kept of such a file
 */
static const struct {
    size_t list;
    enum pem_blocks blocks;
} kinds[MATERIAL_KINDS] = {
    [MATERIAL_CERT] = { offsetof(struct gateway_options, cert), PEM_CERTIFICATES },
    [MATERIAL_CLIENT_CA] = { offsetof(struct gateway_options, client_ca), PEM_CERTIFICATES },
    [MATERIAL_CLIENT_PIN] = { offsetof(struct gateway_options, client_pin), PEM_CERTIFICATES },
    [MATERIAL_CRL] = { offsetof(struct gateway_options, crl), PEM_CRLS },
};

static const struct option_list *list_of(const struct gateway_options *o, enum material_kind kind)
{
    return (const struct option_list *)((const char *)o + kinds[kind].list);
}

size_t material_count(const struct material *m, enum material_kind kind)
{
    return list_of(m->options, kind)->count;
}

const struct pem_file *material_file(const struct material *m, enum material_kind kind, size_t i)
{
    return &m->files[kind][i].pem;
}

const uint8_t *material_file_digest(const struct material *m, enum material_kind kind, size_t i)
{
    return m->files[kind][i].sha256;
}

const struct material_key *material_key(const struct material *m, size_t i)
{
    return &m->keys[i];
}

const uint8_t *material_digest(const struct material *m)
{
    return m->digest;
}

const uint8_t *material_trust_digest(const struct material *m)
{
    return m->trust_digest;
}

static const char *key_path(const struct gateway_options *o, size_t i)
{
    return o->key.count == 0 ? o->cert.items[i] : o->key.items[i];
}

static struct material *material_new(const struct gateway_options *options)
{
    struct material *m = mem_zalloc(sizeof(*m));
    m->options = options;
    for (enum material_kind kind = 0; kind < MATERIAL_KINDS; kind++) {
        const struct option_list *list = list_of(options, kind);
        m->files[kind] = mem_zalloc((list->count + 1) * sizeof(struct file));
        for (size_t i = 0; i < list->count; i++) {
            m->files[kind][i].pem.path = list->items[i];
        }
    }
    m->keys = mem_zalloc((options->cert.count + 1) * sizeof(m->keys[0]));
    for (size_t i = 0; i < options->cert.count; i++) {
        m->keys[i].path = key_path(options, i);
    }
    return m;
}

void material_free(struct material *m)
{
    if (m == NULL) {
        return;
    }
    for (enum material_kind kind = 0; kind < MATERIAL_KINDS; kind++) {
        for (size_t i = 0; i < material_count(m, kind); i++) {
            pem_file_release(&m->files[kind][i].pem);
        }
        free(m->files[kind]);
    }
    for (size_t i = 0; i < m->options->cert.count; i++) {
        EVP_PKEY_free(m->keys[i].key);
    }
    free(m->keys);
    key_lease_unref(m->lease);
    free(m);
}

void material_set_lease(struct material *m, struct key_lease *lease)
{
    key_lease_unref(m->lease);
    m->lease = key_lease_ref(lease);
}

struct key_lease *material_lease(const struct material *m)
{
    return m->lease;
}

/* Digests. */

static void digest_files(struct material *m, enum material_kind from, enum material_kind to,
                         SHA256_CTX *sha)
{
    for (enum material_kind kind = from; kind < to; kind++) {
        for (size_t i = 0; i < material_count(m, kind); i++) {
            struct file *f = &m->files[kind][i];
            SHA256(f->pem.p, f->pem.len, f->sha256);
            SHA256_Update(sha, f->sha256, sizeof(f->sha256));
        }
    }
}

static void put_public(CBB *out, const EVP_PKEY *key)
{
    if (!EVP_marshal_public_key(out, key)) {
        abort(); /* of a key that was just parsed */
    }
}

static void digest_key(const EVP_PKEY *key, SHA256_CTX *sha)
{
    CBB cbb;
    if (!CBB_init(&cbb, 512)) {
        abort();
    }
    put_public(&cbb, key);
    SHA256_Update(sha, CBB_data(&cbb), CBB_len(&cbb));
    CBB_cleanup(&cbb);
}

/* The numbers of files are the options' and never change, so that the order of digests says it all. */
static void digest_all(struct material *m)
{
    SHA256_CTX sha;
    SHA256_Init(&sha);
    digest_files(m, MATERIAL_CLIENT_CA, MATERIAL_KINDS, &sha);
    SHA256_Final(m->trust_digest, &sha);
    SHA256_Init(&sha);
    digest_files(m, MATERIAL_CERT, MATERIAL_CLIENT_CA, &sha);
    for (size_t i = 0; i < m->options->cert.count; i++) {
        digest_key(m->keys[i].key, &sha);
    }
    SHA256_Update(&sha, m->trust_digest, sizeof(m->trust_digest));
    SHA256_Final(m->digest, &sha);
}

/* Reading. */

static enum err take_key(struct material_key *k, const struct pem_file *f, struct load_error *why)
{
    k->is_private = true;
    k->exposed = (f->stamp.mode & 0007) != 0;
    k->stamp = f->stamp;
    return pem_private_key(f, &k->key, why);
}

static enum err read_key_file(struct material_key *k, struct load_error *why)
{
    struct pem_file f;
    enum err err = pem_file_read(k->path, &f, why);
    if (err == ERR_OK) {
        err = take_key(k, &f, why);
        pem_file_release(&f);
    }
    return err;
}

static enum err read_file(struct material *m, enum material_kind kind, size_t i,
                          struct load_error *why)
{
    struct pem_file *f = &m->files[kind][i].pem;
    bool has_key = kind == MATERIAL_CERT && m->options->key.count == 0;
    enum err err = pem_file_read(f->path, f, why);
    if (err == ERR_OK && has_key) {
        err = take_key(&m->keys[i], f, why);
    }
    if (err == ERR_OK) {
        err = pem_file_keep(f, kinds[kind].blocks, why);
    }
    if (err == ERR_OK && kind == MATERIAL_CERT && !has_key) {
        err = read_key_file(&m->keys[i], why);
    }
    return err;
}

static enum err read_files(struct material *m, struct load_error *why)
{
    for (enum material_kind kind = 0; kind < MATERIAL_KINDS; kind++) {
        for (size_t i = 0; i < material_count(m, kind); i++) {
            enum err err = read_file(m, kind, i, why);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    return ERR_OK;
}

static bool is_still(const char *path, const struct stamp *stamp)
{
    struct stamp now = stamp_take(path);
    return stamp_equal(&now, stamp);
}

/* changed_file returns the path of a file that is another one now than when it was read, or NULL. */
static const char *changed_file(const struct material *m)
{
    for (enum material_kind kind = 0; kind < MATERIAL_KINDS; kind++) {
        for (size_t i = 0; i < material_count(m, kind); i++) {
            const struct pem_file *f = material_file(m, kind, i);
            if (!is_still(f->path, &f->stamp)) {
                return f->path;
            }
        }
    }
    for (size_t i = 0; i < m->options->cert.count; i++) {
        if (!is_still(m->keys[i].path, &m->keys[i].stamp)) {
            return m->keys[i].path;
        }
    }
    return NULL;
}

enum err material_read(const struct gateway_options *options, struct material **out,
                       struct load_error *why)
{
    const char *changed = NULL;
    for (int tries = 0; tries < READ_TRIES; tries++) {
        struct material *m = material_new(options);
        enum err err = read_files(m, why);
        if (err == ERR_OK && (changed = changed_file(m)) == NULL) {
            digest_all(m);
            *out = m;
            return ERR_OK;
        }
        material_free(m);
        if (err != ERR_OK) {
            return err;
        }
    }
    return load_error_set(why, "%s: it changes while it is read; write it elsewhere and rename it",
                          changed);
}

size_t material_paths(const struct gateway_options *options, const char **out)
{
    size_t n = 0;
    for (enum material_kind kind = 0; kind < MATERIAL_KINDS; kind++) {
        const struct option_list *list = list_of(options, kind);
        for (size_t i = 0; i < list->count; i++, n++) {
            if (out != NULL) {
                out[n] = list->items[i];
            }
        }
    }
    for (size_t i = 0; i < options->key.count; i++, n++) {
        if (out != NULL) {
            out[n] = options->key.items[i];
        }
    }
    return n;
}

/* As bytes. */

static void put_u32(struct buf *out, size_t n)
{
    uint8_t bytes[4] = { (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24) };
    buf_append(out, bytes, sizeof(bytes));
}

static void put_key(struct buf *out, const struct material_key *k)
{
    uint8_t exposed = k->exposed;
    CBB cbb;
    if (!CBB_init(&cbb, 512)) {
        abort();
    }
    put_public(&cbb, k->key);
    buf_append(out, &exposed, 1);
    put_u32(out, CBB_len(&cbb));
    buf_append(out, CBB_data(&cbb), CBB_len(&cbb));
    CBB_cleanup(&cbb);
}

void material_encode(const struct material *m, struct buf *out)
{
    put_u32(out, MAGIC);
    for (enum material_kind kind = 0; kind < MATERIAL_KINDS; kind++) {
        put_u32(out, material_count(m, kind));
        for (size_t i = 0; i < material_count(m, kind); i++) {
            const struct pem_file *f = material_file(m, kind, i);
            put_u32(out, f->len);
            buf_append(out, f->p, f->len);
        }
    }
    for (size_t i = 0; i < m->options->cert.count; i++) {
        put_key(out, &m->keys[i]);
    }
}

static bool get_u32(CBS *in, uint32_t *out)
{
    return CBS_get_u32le(in, out) == 1;
}

static bool get_bytes(CBS *in, CBS *out)
{
    uint32_t len;
    return get_u32(in, &len) && CBS_get_bytes(in, out, len) == 1;
}

static bool get_files(CBS *in, struct material *m, enum material_kind kind)
{
    uint32_t count;
    if (!get_u32(in, &count) || count != material_count(m, kind)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct pem_file *f = &m->files[kind][i].pem;
        CBS bytes;
        if (!get_bytes(in, &bytes)) {
            return false;
        }
        f->len = CBS_len(&bytes);
        f->p = mem_alloc(f->len + 1);
        memcpy(f->p, CBS_data(&bytes), f->len);
    }
    return true;
}

static bool get_key(CBS *in, struct material_key *k)
{
    uint8_t exposed;
    CBS spki;
    if (!CBS_get_u8(in, &exposed) || exposed > 1 || !get_bytes(in, &spki)) {
        return false;
    }
    k->exposed = exposed == 1;
    k->key = EVP_parse_public_key(&spki);
    ERR_clear_error();
    return k->key != NULL && CBS_len(&spki) == 0;
}

static bool get_all(CBS *in, struct material *m)
{
    uint32_t magic;
    if (CBS_len(in) > MATERIAL_MAX_BYTES || !get_u32(in, &magic) || magic != MAGIC) {
        return false;
    }
    for (enum material_kind kind = 0; kind < MATERIAL_KINDS; kind++) {
        if (!get_files(in, m, kind)) {
            return false;
        }
    }
    for (size_t i = 0; i < m->options->cert.count; i++) {
        if (!get_key(in, &m->keys[i])) {
            return false;
        }
    }
    return CBS_len(in) == 0;
}

enum err material_decode(const struct gateway_options *options, struct slice bytes,
                         struct material **out)
{
    struct material *m = material_new(options);
    CBS in;
    CBS_init(&in, bytes.p, bytes.len);
    if (!get_all(&in, m)) {
        material_free(m);
        return ERR_PROTOCOL;
    }
    digest_all(m);
    *out = m;
    return ERR_OK;
}
