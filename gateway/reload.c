/*
 * reload: load whole, check, ask, swap; nothing is ever edited in use.
 */
#include "reload.h"

#include <stdlib.h>

#include "base/log.h"
#include "evict.h"

/* A set that was loaded, while the workers are asked what it would cut. A newer one takes its place. */
struct reload_offer {
    struct reload *reload; /* NULL: it closed */
    struct tls_context *fresh;
    bool forced;
};

static void swap(struct reload *r, struct tls_context *fresh)
{
    for (size_t i = 0; i < r->worker_count; i++) {
        worker_swap(r->workers[i], fresh);
    }
    tls_context_unref(r->current);
    r->current = tls_context_ref(fresh);
    tls_context_log(fresh, "reloaded");
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
    if (r != NULL && r->offer == o) {
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

void reload_now(struct reload *r, bool forced)
{
    struct load_error why;
    struct material *material;
    struct tls_context *fresh;
    enum err err = material_read(r->options, &material, &why);
    if (err == ERR_OK) {
        err = tls_context_load(r->options, material, r->tickets, r->current, &fresh, &why);
        material_free(material);
    }
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "reload refused, the former certificates and trust stay in use",
                  LF_STR("reason", why.text));
        return;
    }
    if (tls_context_same(fresh, r->current)) {
        log_event(LOG_INFO, "reload: nothing has changed");
        tls_context_unref(fresh);
        return;
    }
    offer(r, fresh, forced);
}

void reload_close(struct reload *r)
{
    if (r->offer != NULL) {
        r->offer->reload = NULL;
        r->offer = NULL;
    }
}
