/*
 * ticket: AES-256-GCM under keys that rotate, with the peer's record in front of the session.
 * A reader-writer lock guards the ring of keys; it is taken once per handshake, never per request.
 */
#include "tls/ticket.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/aead.h>
#include <openssl/mem.h>
#include <openssl/rand.h>

enum {
    KEYS = 3,
    NAME_LEN = 16,
    NONCE_LEN = 12,
    KEY_LEN = 32,
    TAG_LEN = 16,
    HEADER_LEN = 1 + NAME_LEN + NONCE_LEN,
    VERSION = 2,
};

struct ticket_key {
    uint8_t name[NAME_LEN];
    EVP_AEAD_CTX aead;
};

struct ticket_keys {
    pthread_rwlock_t lock;
    struct ticket_key *ring[KEYS]; /* [0] seals; all open; NULL where there is none yet */
};

static struct ticket_key *key_new(void)
{
    uint8_t secret[KEY_LEN];
    struct ticket_key *k = mem_zalloc(sizeof(*k));
    RAND_bytes(k->name, sizeof(k->name));
    RAND_bytes(secret, sizeof(secret));
    /* Fails only when memory is out. */
    if (!EVP_AEAD_CTX_init(&k->aead, EVP_aead_aes_256_gcm(), secret, sizeof(secret), TAG_LEN,
                           NULL)) {
        abort();
    }
    OPENSSL_cleanse(secret, sizeof(secret));
    return k;
}

static void key_free(struct ticket_key *k)
{
    if (k != NULL) {
        EVP_AEAD_CTX_cleanup(&k->aead);
        OPENSSL_cleanse(k, sizeof(*k));
        free(k);
    }
}

struct ticket_keys *ticket_keys_new(void)
{
    struct ticket_keys *keys = mem_zalloc(sizeof(*keys));
    pthread_rwlock_init(&keys->lock, NULL);
    keys->ring[0] = key_new();
    return keys;
}

void ticket_keys_free(struct ticket_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    for (size_t i = 0; i < KEYS; i++) {
        key_free(keys->ring[i]);
    }
    pthread_rwlock_destroy(&keys->lock);
    free(keys);
}

void ticket_keys_rotate(struct ticket_keys *keys)
{
    struct ticket_key *fresh = key_new();
    pthread_rwlock_wrlock(&keys->lock);
    key_free(keys->ring[KEYS - 1]);
    memmove(&keys->ring[1], &keys->ring[0], (KEYS - 1) * sizeof(keys->ring[0]));
    keys->ring[0] = fresh;
    pthread_rwlock_unlock(&keys->lock);
}

size_t ticket_overhead(const struct peer *peer)
{
    return HEADER_LEN + TAG_LEN + 8 + 2 + peer_encoded_len(peer);
}

/* What is sealed: u64 generation, u16 length of the peer's record, the record, the session. */
static void build_plain(struct buf *out, uint64_t generation, const struct peer *peer,
                        struct slice session)
{
    struct buf record;
    buf_init(&record, 64 * 1024);
    peer_encode(&record, peer);
    uint16_t len = (uint16_t)buf_len(&record);
    buf_append(out, &generation, sizeof(generation));
    buf_append(out, &len, sizeof(len));
    buf_append_slice(out, buf_slice(&record));
    buf_append_slice(out, session);
    buf_release(&record);
}

struct peer *ticket_parse(struct slice plain, uint64_t generation, int64_t now,
                          struct slice *session)
{
    uint64_t sealed_under;
    uint16_t len;
    if (plain.len < sizeof(sealed_under) + sizeof(len)) {
        return NULL;
    }
    memcpy(&sealed_under, plain.p, sizeof(sealed_under));
    memcpy(&len, plain.p + 8, sizeof(len));
    if (sealed_under != generation || plain.len - 10 < len) {
        return NULL;
    }
    struct peer *peer = peer_decode((struct slice){ plain.p + 10, len });
    if (peer != NULL && now > peer->fresh_until) {
        peer_unref(peer);
        return NULL;
    }
    if (peer != NULL) {
        *session = (struct slice){ plain.p + 10 + len, plain.len - 10 - len };
    }
    return peer;
}

bool ticket_seal(struct ticket_keys *keys, uint64_t generation, const struct peer *peer,
                 struct slice session, uint8_t *out, size_t *out_len, size_t max_out)
{
    struct buf plain;
    buf_init(&plain, 128 * 1024);
    build_plain(&plain, generation, peer, session);
    bool ok = !plain.overflow && max_out > HEADER_LEN;
    if (ok) {
        size_t sealed = 0;
        uint8_t *nonce = out + 1 + NAME_LEN;
        RAND_bytes(nonce, NONCE_LEN);
        out[0] = VERSION;
        pthread_rwlock_rdlock(&keys->lock);
        const struct ticket_key *k = keys->ring[0];
        memcpy(out + 1, k->name, NAME_LEN);
        struct slice in = buf_slice(&plain);
        ok = EVP_AEAD_CTX_seal(&k->aead, out + HEADER_LEN, &sealed, max_out - HEADER_LEN, nonce,
                               NONCE_LEN, in.p, in.len, out, 1 + NAME_LEN) == 1;
        pthread_rwlock_unlock(&keys->lock);
        *out_len = HEADER_LEN + sealed;
    }
    if (plain.p != NULL) {
        OPENSSL_cleanse(plain.p, plain.cap);
    }
    buf_release(&plain);
    return ok;
}

static bool open_with_ring(struct ticket_keys *keys, struct slice ticket, uint8_t *plain,
                           size_t *plain_len)
{
    bool ok = false;
    pthread_rwlock_rdlock(&keys->lock);
    for (size_t i = 0; i < KEYS && !ok; i++) {
        const struct ticket_key *k = keys->ring[i];
        if (k != NULL && memcmp(k->name, ticket.p + 1, NAME_LEN) == 0) {
            ok = EVP_AEAD_CTX_open(&k->aead, plain, plain_len, ticket.len, ticket.p + 1 + NAME_LEN,
                                   NONCE_LEN, ticket.p + HEADER_LEN, ticket.len - HEADER_LEN,
                                   ticket.p, 1 + NAME_LEN) == 1;
        }
    }
    pthread_rwlock_unlock(&keys->lock);
    return ok;
}

struct peer *ticket_open(struct ticket_keys *keys, uint64_t generation, int64_t now,
                         struct slice ticket, uint8_t *out, size_t *out_len, size_t max_out)
{
    if (ticket.len < HEADER_LEN + TAG_LEN || ticket.p[0] != VERSION) {
        return NULL;
    }
    uint8_t *plain = mem_alloc(ticket.len);
    size_t plain_len = 0;
    struct peer *peer = NULL;
    struct slice session;
    if (open_with_ring(keys, ticket, plain, &plain_len)) {
        peer = ticket_parse((struct slice){ plain, plain_len }, generation, now, &session);
    }
    if (peer != NULL && session.len > max_out) {
        peer_unref(peer);
        peer = NULL;
    }
    if (peer != NULL) {
        memcpy(out, session.p, session.len);
        *out_len = session.len;
    }
    OPENSSL_cleanse(plain, ticket.len);
    free(plain);
    return peer;
}
