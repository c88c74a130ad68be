/*
 * reload: load whole, check, swap; nothing is ever edited in use. When to read, and what to say of a set
 * that stays bad, is the source's.
 */
#include "reload.h"

#include <string.h>

#include "base/log.h"

static void swap(struct reload *r, struct tls_context *fresh)
{
    for (size_t i = 0; i < r->worker_count; i++) {
        worker_swap(r->workers[i], fresh);
    }
    tls_context_unref(r->current);
    r->current = fresh;
    tls_context_log(fresh, "reloaded");
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
        material_free(m);
        return ERR_OK;
    }
    enum err err = tls_context_load(r->options, m, r->tickets, r->current, &fresh, why);
    if (err == ERR_OK) {
        swap(r, fresh);
        material_free(m);
    }
    return err;
}
