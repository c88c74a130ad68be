/*
 * reload: load whole, check, ask, swap; nothing is ever edited in use. When to read, and what to say of a
 * set that stays bad, is the source's.
 */
#include "reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "evict.h"

/* A set that was loaded, while the workers are asked what it would cut. A newer one takes its place. */
struct reload_offer {
    struct reload *reload;
    struct tls_context *fresh;
    bool forced;
};

/* A swap under way: it is done when no worker starts a handshake under the former set any more. */
struct swap {
    struct tls_context *fresh;
    size_t left; /* workers that have not got it yet */
};

static void on_swapped(void *arg)
{
    struct swap *s = arg;
    if (--s->left == 0) {
        tls_context_log(s->fresh, "reloaded");
        tls_context_unref(s->fresh);
        free(s);
    }
}

static void swap(struct reload *r, struct tls_context *fresh)
{
    struct swap *s = mem_alloc(sizeof(*s));
    *s = (struct swap){ .fresh = tls_context_ref(fresh), .left = r->worker_count };
    tls_context_unref(r->current);
    r->current = tls_context_ref(fresh);
    for (size_t i = 0; i < r->worker_count; i++) {
        worker_swap(r->workers[i], fresh, on_swapped, s);
    }
}

static bool may_cut(const struct reload_offer *o, const struct eviction *found)
{
    int64_t most = o->reload->options->max_evict;
    const struct log_field numbers[] = { LF_INT("sessions", found->live), LF_INT("cut", found->cut),
                                         LF_INT("max_evict_percent", most) };
    if (found->cut * 100 <= found->live * (size_t)most) {
        if (found->cut > 0) {
            log_write(LOG_WARNING, "trust has changed: closing sessions", numbers, 2);
        }
        return true;
    }
    log_write(o->forced ? LOG_WARNING : LOG_ERROR,
              o->forced ? "trust has changed: closing more sessions than --max-evict, as forced"
                        : "reload refused, the former certificates and trust stay in use: it would "
                          "cut more sessions than --max-evict allows; SIGUSR1 forces it",
              numbers, ARRAY_SIZE(numbers));
    return o->forced;
}

static void on_surveyed(void *arg, struct eviction found)
{
    struct reload_offer *o = arg;
    struct reload *r = o->reload;
    if (r->offer == o) {
        r->offer = NULL;
        if (may_cut(o, &found)) {
            swap(r, o->fresh);
        }
    }
    tls_context_unref(o->fresh);
    free(o);
}

/* offer takes the reference over. */
static void offer(struct reload *r, struct tls_context *fresh, bool forced)
{
    struct reload_offer *o = mem_alloc(sizeof(*o));
    *o = (struct reload_offer){ .reload = r, .fresh = fresh, .forced = forced };
    r->offer = o;
    evict_survey(r->workers, r->worker_count, fresh, on_surveyed, o);
}

static bool is_in_use(const struct reload *r, const struct material *m)
{
    return memcmp(material_digest(m), tls_context_digest(r->current), SHA256_DIGEST_LENGTH) == 0;
}

enum err reload_take(void *reload, struct material *m, bool asked, struct load_error *why)
{
    struct reload *r = reload;
    struct tls_context *fresh;
    if (is_in_use(r, m)) {
        log_event(asked ? LOG_INFO : LOG_DEBUG, "reload: nothing has changed");
        r->offer = NULL; /* what is still asked about is not on disk any more */
        material_free(m);
        return ERR_OK;
    }
    enum err err = tls_context_load(r->options, m, r->tickets, r->current, &fresh, why);
    if (err == ERR_OK) {
        offer(r, fresh, asked && r->forced);
        material_free(m);
    }
    return err;
}

void reload_close(struct reload *r)
{
    r->offer = NULL;
}
