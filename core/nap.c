/* Naps: one timer for each, freed when it has been closed. */
#include "nap.h"

#include <stdlib.h>
#include <uv.h>

#include "core_private.h"
#include "dispatch.h"
#include "link.h"

struct nap {
    uv_timer_t timer;
    struct session *session;
    struct slice reply; /* owned */
};

static void on_closed(uv_handle_t *handle)
{
    struct nap *nap = handle->data;
    free((void *)nap->reply.p);
    free(nap);
}

static void on_over(uv_timer_t *timer)
{
    struct nap *nap = timer->data;
    struct session *s = nap->session;
    s->nap = NULL;
    link_reply(s, nap->reply, 1);
    uv_close((uv_handle_t *)timer, on_closed);
    dispatch_resume(s);
}

void nap_begin(struct session *s, struct slice reply, int64_t ms)
{
    struct nap *nap = mem_alloc(sizeof(*nap));
    *nap = (struct nap){ .session = s, .reply = slice_dup(reply) };
    uv_timer_init(s->core->loop, &nap->timer);
    nap->timer.data = nap;
    uv_update_time(s->core->loop); /* the loop's idea of now may be a long turn old */
    uv_timer_start(&nap->timer, on_over, (uint64_t)ms, 0);
    s->nap = nap;
}

void nap_cancel(struct session *s)
{
    if (s->nap == NULL)
        return;
    uv_close((uv_handle_t *)&s->nap->timer, on_closed);
    s->nap = NULL;
}
