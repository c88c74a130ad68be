/*
 * reception: a check handle, which runs after the turn's events, and an idle handle, which keeps the loop
 * from waiting for events while somebody still waits to be served.
 */
#include "arrivals/reception.h"

#include <stdlib.h>

#include "base/err.h"

/*
 * What a turn spends on handshakes, at most one of them more. It bounds what a storm adds to a session's latency, per pass of
 * its command and of its reply through the loop. A turn's own cost is some microseconds, so that a shorter one would gain
 * little and cost throughput. What is short of PATIENCE is not worth a write of its own to those who wait for the turn's end.
 */
enum {
    TURN_NS = 1000 * 1000,
    PATIENCE_NS = TURN_NS / 2,
};

struct reception {
    struct arrivals *arrivals;
    const struct reception_events *events;
    void *arg;
    uv_check_t after_events;
    uv_idle_t awake;
    int handles;
};

static void stay_awake(uv_idle_t *handle)
{
    (void)handle;
}

static bool somebody_is_ready(struct reception *r)
{
    arrivals_hold_full(r->arrivals, r->events->busy(r->arg));
    return arrivals_ready(r->arrivals);
}

static void serve_some(struct reception *r)
{
    uint64_t spent = 0, began = uv_hrtime();
    bool announced = false;
    while (somebody_is_ready(r) && spent < TURN_NS) {
        if (spent > PATIENCE_NS && !announced) {
            announced = true;
            r->events->before(r->arg);
        }
        r->events->serve(arrivals_next(r->arrivals));
        spent = uv_hrtime() - began;
    }
}

static void on_check(uv_check_t *handle)
{
    struct reception *r = handle->data;
    if (somebody_is_ready(r)) {
        serve_some(r);
    }
    if (somebody_is_ready(r)) {
        uv_idle_start(&r->awake, stay_awake);
    } else {
        uv_idle_stop(&r->awake);
    }
}

struct reception *reception_new(uv_loop_t *loop, size_t max, const struct reception_events *events,
                                void *arg)
{
    struct reception *r = mem_zalloc(sizeof(*r));
    r->arrivals = arrivals_new(max);
    r->events = events;
    r->arg = arg;
    r->handles = 2;
    uv_check_init(loop, &r->after_events);
    uv_idle_init(loop, &r->awake);
    r->after_events.data = r;
    r->awake.data = r;
    uv_check_start(&r->after_events, on_check);
    return r;
}

struct arrivals *reception_arrivals(struct reception *r)
{
    return r->arrivals;
}

static void on_closed(uv_handle_t *handle)
{
    struct reception *r = handle->data;
    if (--r->handles == 0) {
        arrivals_free(r->arrivals);
        free(r);
    }
}

void reception_close(struct reception *r)
{
    uv_close((uv_handle_t *)&r->after_events, on_closed);
    uv_close((uv_handle_t *)&r->awake, on_closed);
}
