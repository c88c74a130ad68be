/*
 * evict: a walk over a worker's connections. Whether a peer is trusted is tls_trust's business, and how a
 * connection ends is conn's. Handshakes under way are not looked at: they look for themselves when they
 * are done (tls_session).
 */
#include "evict.h"

#include <stdlib.h>

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

void evict_untrusted(struct worker *w, const struct tls_trust *trust)
{
    struct walk walk = { .trust = trust };
    struct refusal why;
    struct conn *c;
    for (size_t at = 0; (c = worker_next_conn(w, &at)) != NULL;) {
        if (is_cut(&walk, c, &why)) {
            conn_distrust(c, &why);
        }
    }
}

/* The survey: one call for each worker, the last of which to come back frees all. */

struct survey {
    const struct tls_trust *trust;
    void (*done)(void *arg, struct eviction found);
    void *arg;
    size_t count;
    size_t waiting;
    struct survey_call {
        struct worker_call call;
        struct survey *survey;
        struct eviction found;
    } calls[];
};

static void run_survey(struct worker *w, struct worker_call *call)
{
    struct survey_call *c = container_of(call, struct survey_call, call);
    struct walk walk = { .trust = c->survey->trust };
    struct refusal why;
    const struct conn *conn;
    for (size_t at = 0; (conn = worker_next_conn(w, &at)) != NULL;) {
        is_cut(&walk, conn, &why);
    }
    c->found = walk.found;
}

static void done_survey(struct worker_call *call)
{
    struct survey *s = container_of(call, struct survey_call, call)->survey;
    struct eviction sum = { 0 };
    if (--s->waiting > 0) {
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        sum.live += s->calls[i].found.live;
        sum.cut += s->calls[i].found.cut;
    }
    s->done(s->arg, sum);
    free(s);
}

void evict_survey(struct worker *const *workers, size_t worker_count,
                  const struct tls_context *context, void (*done)(void *arg, struct eviction found),
                  void *arg)
{
    struct survey *s = mem_zalloc(sizeof(*s) + worker_count * sizeof(s->calls[0]));
    *s = (struct survey){ .trust = tls_context_trust(context),
                          .done = done,
                          .arg = arg,
                          .count = worker_count,
                          .waiting = worker_count };
    for (size_t i = 0; i < worker_count; i++) {
        s->calls[i].call = (struct worker_call){ .run = run_survey, .done = done_survey };
        s->calls[i].survey = s;
        worker_call(workers[i], &s->calls[i].call);
    }
}
