/*
 * reload: load whole, check, swap; nothing is ever edited in use.
 */
#include "reload.h"

#include "base/log.h"

void reload_now(struct reload *r, uint32_t key_set)
{
    struct load_error why;
    struct tls_context *fresh;
    if (tls_context_load(r->options, key_set, r->tickets, r->current, &fresh, &why) != ERR_OK) {
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
