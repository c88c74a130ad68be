/*
 * reload: load whole, check, swap; nothing is ever edited in use.
 */
#include "reload.h"

#include "base/log.h"

void reload_now(struct reload *r)
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
    for (size_t i = 0; i < r->worker_count; i++) {
        worker_swap(r->workers[i], fresh);
    }
    tls_context_unref(r->current);
    r->current = fresh;
    tls_context_log(fresh, "reloaded");
}
