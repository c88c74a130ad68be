/*
 * reload: load whole, check, swap; nothing is ever edited in use.
 */
#include "reload.h"

#include "base/log.h"

static void refuse(const struct load_error *why)
{
    log_event(LOG_ERROR, "reload refused, the former certificates and trust stay in use",
              LF_STR("reason", why->text));
}

void reload_take(struct reload *r, const struct material *material, struct key_lease *lease)
{
    struct load_error why;
    struct tls_context *fresh;
    if (tls_context_load(r->options, material, r->tickets, r->current, &fresh, &why) != ERR_OK) {
        refuse(&why);
        return;
    }
    if (tls_context_same(fresh, r->current)) {
        log_event(LOG_INFO, "reload: nothing has changed");
        tls_context_unref(fresh);
        return;
    }
    tls_context_take_lease(fresh, lease);
    for (size_t i = 0; i < r->worker_count; i++) {
        worker_swap(r->workers[i], fresh);
    }
    tls_context_unref(r->current);
    r->current = fresh;
    tls_context_log(fresh, "reloaded");
}

void reload_now(struct reload *r)
{
    struct load_error why;
    struct material *material;
    if (material_read(r->options, &material, &why) != ERR_OK) {
        refuse(&why);
        return;
    }
    reload_take(r, material, NULL);
    material_free(material);
}
