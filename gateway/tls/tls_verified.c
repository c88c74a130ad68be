/*
 * tls_verified: a table of SETS × WAYS entries indexed by the chain's SHA-256, which nobody can steer
 * without a certificate that verifies. The oldest entry of a set gives way.
 */
#include "tls/tls_verified.h"

#include <stdlib.h>
#include <string.h>

enum {
    SETS = 1024,
    WAYS = 4,
};

struct entry {
    uint8_t hash[32];  /* the peer's, here to be compared without touching the peer */
    struct peer *peer; /* NULL: free */
    uint64_t generation;
};

struct tls_verified {
    struct entry sets[SETS][WAYS]; /* [set][0] is the newest */
};

struct tls_verified *tls_verified_new(void)
{
    return mem_zalloc(sizeof(struct tls_verified));
}

void tls_verified_free(struct tls_verified *v)
{
    if (v == NULL) {
        return;
    }
    for (size_t i = 0; i < SETS * WAYS; i++) {
        peer_unref(v->sets[i / WAYS][i % WAYS].peer);
    }
    free(v);
}

static struct entry *set_of(struct tls_verified *v, const uint8_t hash[32])
{
    return v->sets[(hash[0] | hash[1] << 8) % SETS];
}

struct peer *tls_verified_find(struct tls_verified *v, uint64_t generation,
                               const uint8_t chain_hash[32], int64_t now)
{
    struct entry *set = set_of(v, chain_hash);
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].peer != NULL && set[i].generation == generation &&
            memcmp(set[i].hash, chain_hash, 32) == 0) {
            return now <= set[i].peer->fresh_until ? set[i].peer : NULL;
        }
    }
    return NULL;
}

static void add(struct tls_verified *v, uint64_t generation, struct peer *peer)
{
    struct entry *set = set_of(v, peer->chain);
    peer_unref(set[WAYS - 1].peer);
    memmove(set + 1, set, (WAYS - 1) * sizeof(set[0]));
    set[0] = (struct entry){ .peer = peer_ref(peer), .generation = generation };
    memcpy(set[0].hash, peer->chain, 32);
}

struct peer *tls_verified_share(struct tls_verified *v, uint64_t generation, struct peer *peer,
                                int64_t now)
{
    struct peer *known = tls_verified_find(v, generation, peer->chain, now);
    if (known == NULL) {
        add(v, generation, peer);
        return peer;
    }
    peer_ref(known);
    peer_unref(peer);
    return known;
}
