/*
 * watchdog: a round of calls to all workers in each half of the manager's period.
 */
#include "status/watchdog.h"

#include <stdlib.h>

struct ping {
    struct worker_call call;
    struct watchdog *watchdog;
    struct worker *worker;
};

struct watchdog {
    uv_timer_t timer;
    const struct systemd *manager;
    size_t unanswered;
    size_t count;
    struct ping pings[];
};

static void run_ping(struct worker *w, struct worker_call *c)
{
    (void)w;
    (void)c;
}

static void ping_done(struct worker_call *c)
{
    container_of(c, struct ping, call)->watchdog->unanswered--;
}

static void begin_round(struct watchdog *w)
{
    w->unanswered = w->count;
    for (size_t i = 0; i < w->count; i++) {
        worker_call(w->pings[i].worker, &w->pings[i].call);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct watchdog *w = timer->data;
    if (w->unanswered == 0) {
        systemd_notify(w->manager, "WATCHDOG=1");
        begin_round(w);
    }
}

struct watchdog *watchdog_new(uv_loop_t *loop, const struct systemd *manager,
                              struct worker **workers, size_t count)
{
    if (manager->watchdog_ms == 0) {
        return NULL;
    }
    struct watchdog *w = mem_zalloc(sizeof(*w) + count * sizeof(w->pings[0]));
    w->manager = manager;
    w->count = count;
    for (size_t i = 0; i < count; i++) {
        w->pings[i] = (struct ping){ .call = { .run = run_ping, .done = ping_done },
                                     .watchdog = w,
                                     .worker = workers[i] };
    }
    uv_timer_init(loop, &w->timer);
    w->timer.data = w;
    begin_round(w);
    uv_timer_start(&w->timer, on_timer, manager->watchdog_ms / 2, manager->watchdog_ms / 2);
    return w;
}

void watchdog_close(struct watchdog *w)
{
    if (w != NULL) {
        uv_close((uv_handle_t *)&w->timer, NULL);
    }
}

void watchdog_free(struct watchdog *w)
{
    free(w);
}
