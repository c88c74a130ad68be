/* A handful of cores: an array. */
#include "peers.h"

#include <stdlib.h>

struct peer {
    int64_t id;
    int64_t wish;   /* the last one of theirs that we know */
    int64_t heard;  /* the last one of ours that they know */
    int64_t number; /* of their last payload; 0: none yet */
    uint32_t wants;
    bool listed; /* in the table that is being read */
    bool in_table;
    unsigned unlisted; /* tables in a row that it was not in, before it was in any */
};

/* A core that was heard of before its row was seen has just come, and the table was read a moment too early. */
enum { UNLISTED_MAX = 3 };

struct peers {
    struct peer *list;
    size_t count, cap;
    bool lost;
};

struct peers *peers_new(void)
{
    return mem_zalloc(sizeof(struct peers));
}

void peers_free(struct peers *p)
{
    if (p)
        free(p->list);
    free(p);
}

void peers_clear(struct peers *p)
{
    p->count = 0;
}

static struct peer *find(const struct peers *p, int64_t id)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].id == id)
            return &p->list[i];
    return NULL;
}

static struct peer *find_or_add(struct peers *p, int64_t id)
{
    struct peer *peer = find(p, id);
    if (peer)
        return peer;
    if (p->count == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 4;
        p->list = mem_realloc(p->list, p->cap * sizeof(*p->list));
    }
    peer = &p->list[p->count++];
    *peer = (struct peer){ .id = id };
    return peer;
}

static void drop(struct peers *p, struct peer *peer)
{
    *peer = p->list[--p->count];
}

void peers_list(struct peers *p)
{
    p->lost = false;
    for (size_t i = 0; i < p->count; i++)
        p->list[i].listed = false;
}

bool peers_row(struct peers *p, int64_t id, uint32_t wants, int64_t wish, int64_t seen_at,
               int64_t now_ms)
{
    if (seen_at < now_ms - PEERS_DEAD_MS)
        return false; /* like no row */
    const bool news = find(p, id) == NULL;
    struct peer *peer = find_or_add(p, id);
    peer->listed = true;
    peer->in_table = true;
    peer->unlisted = 0;
    peers_wish(p, id, wants, wish);
    return news;
}

bool peers_listed(struct peers *p)
{
    for (size_t i = p->count; i-- > 0;) {
        struct peer *peer = &p->list[i];
        if (peer->listed || (!peer->in_table && ++peer->unlisted < UNLISTED_MAX))
            continue;
        p->lost = true;
        drop(p, peer);
    }
    return p->lost;
}

bool peers_payload(struct peers *p, int64_t id, int64_t number)
{
    struct peer *peer = find_or_add(p, id);
    const bool missed = peer->number && number != peer->number + 1;
    peer->number = number;
    return missed;
}

void peers_wish(struct peers *p, int64_t id, uint32_t wants, int64_t wish)
{
    struct peer *peer = find_or_add(p, id);
    if (wish < peer->wish)
        return; /* the row is older than what it said */
    peer->wish = wish;
    peer->wants = wants;
}

void peers_heard(struct peers *p, int64_t id, int64_t our_wish)
{
    struct peer *peer = find_or_add(p, id);
    if (our_wish > peer->heard)
        peer->heard = our_wish;
}

void peers_bye(struct peers *p, int64_t id)
{
    struct peer *peer = find(p, id);
    if (peer)
        drop(p, peer);
}

size_t peers_count(const struct peers *p)
{
    return p->count;
}

uint32_t peers_want(const struct peers *p)
{
    uint32_t wants = 0;
    for (size_t i = 0; i < p->count; i++)
        wants |= p->list[i].wants;
    return wants;
}

bool peers_know(const struct peers *p, int64_t our_wish)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].heard < our_wish)
            return false;
    return true;
}

void peers_each(const struct peers *p, void (*fn)(void *arg, int64_t id, int64_t wish), void *arg)
{
    for (size_t i = 0; i < p->count; i++)
        fn(arg, p->list[i].id, p->list[i].wish);
}
