/*
 * evict: a walk over a worker's connections. Whether a peer is trusted is tls_trust's business, and how a
 * connection ends is conn's. Handshakes under way are not looked at: they look for themselves when they
 * are done (tls_session).
 */
#include "evict.h"

#include "conn.h"

struct walk {
    const struct tls_trust *trust;
    struct eviction found;
};

static bool is_cut(struct walk *walk, const struct conn *c, struct refusal *why)
{
    const struct peer *peer = conn_peer(c);
    bool cut = peer != NULL && !tls_trust_still(walk->trust, peer, why);
    walk->found.live += peer != NULL;
    walk->found.cut += cut;
    return cut;
}

static void count(struct conn *c, void *arg)
{
    struct refusal why;
    is_cut(arg, c, &why);
}

static void close_if_cut(struct conn *c, void *arg)
{
    struct refusal why;
    if (is_cut(arg, c, &why)) {
        conn_distrust(c, &why);
    }
}

struct eviction evict_survey(struct worker *w, const struct tls_trust *trust)
{
    struct walk walk = { .trust = trust };
    worker_each(w, count, &walk);
    return walk.found;
}

void evict_untrusted(struct worker *w, const struct tls_trust *trust)
{
    struct walk walk = { .trust = trust };
    worker_each(w, close_if_cut, &walk);
}
