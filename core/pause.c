/* Pauses: one for each keyspace at most, an alarm for the one that ends first. */
#include "pause.h"

#include <stdlib.h>
#include <uv.h>

#include "core_private.h"
#include "dispatch.h"
#include "lanes.h"

enum { COMMON = 0 }; /* the keyspace whose pauses are about everybody */

struct pause {
    uint32_t keyspace;
    bool writes_only;
    uint64_t until_ms; /* monotonic */
};

struct pauses {
    struct core *core;
    uv_timer_t *alarm;
    struct pause *list;
    size_t count, cap;
    bool ended; /* one was ended: look who may go on */
    bool stopped;
};

static void on_alarm(uv_timer_t *timer)
{
    (void)timer; /* waking the loop is enough: pauses_run looks at the time */
}

struct pauses *pauses_new(struct core *core)
{
    struct pauses *p = mem_zalloc(sizeof(*p));
    p->core = core;
    p->alarm = mem_alloc(sizeof(*p->alarm));
    uv_timer_init(core->loop, p->alarm);
    return p;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void pauses_free(struct pauses *p)
{
    if (p == NULL)
        return;
    uv_close((uv_handle_t *)p->alarm, free_handle);
    free(p->list);
    free(p);
}

static void set_alarm(struct pauses *p)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < p->count; i++)
        first = p->list[i].until_ms < first ? p->list[i].until_ms : first;
    const uint64_t now = uv_now(p->core->loop);
    if (p->count == 0)
        uv_timer_stop(p->alarm);
    else
        uv_timer_start(p->alarm, on_alarm, first > now ? first - now : 0, 0);
}

/* --- who waits ------------------------------------------------------------------------------ */

bool pauses_hold(const struct pauses *p, const struct session *s, bool writes)
{
    for (size_t i = 0; p && i < p->count; i++) {
        const struct pause *pause = &p->list[i];
        if ((pause->keyspace == COMMON || pause->keyspace == s->vars.keyspace) &&
            (writes || !pause->writes_only))
            return true;
    }
    return false;
}

bool pauses_keep_keys(const struct pauses *p)
{
    for (size_t i = 0; p && i < p->count; i++)
        if (p->list[i].keyspace == COMMON)
            return true;
    return false;
}

bool pauses_hold_units(const struct session *s)
{
    return s->units.count > 0 && s->place != SESSION_IN_TURN &&
           pauses_hold(s->core->pauses, s, s->unit_writes > 0);
}

void pause_session(struct session *s, bool held)
{
    if (s->paused == held)
        return;
    s->paused = held;
    if (held)
        s->core->metrics.sessions_paused++;
    else
        s->core->metrics.sessions_paused--;
}

/* What is past the gates but in no turn yet: lanes_place takes it off the lists of those that wait for one. */
static void hold_units(struct session *s, void *arg)
{
    struct pauses *p = arg;
    if (!pauses_hold_units(s))
        return;
    pause_session(s, true);
    lanes_place(p->core->lanes, s);
}

static void restart_clocks(struct request_list *list, uint64_t now)
{
    for (struct request *r = list->first; r; r = r->next)
        r->arrived_ns = now * 1000000; /* --store-timeout begins when they may run */
}

/* Whom another pause holds is held again by the gates. */
static void let_go(struct session *s, void *arg)
{
    (void)arg;
    if (!s->paused && s->units.count == 0)
        return;
    pause_session(s, false);
    restart_clocks(&s->units, uv_now(s->core->loop));
    restart_clocks(&s->queue, uv_now(s->core->loop));
    if (s->place != SESSION_IN_TURN)
        dispatch_resume(s);
}

/* --- beginning and ending ------------------------------------------------------------------- */

static struct pause *pause_of(struct pauses *p, uint32_t keyspace)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].keyspace == keyspace)
            return &p->list[i];
    if (p->count == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 4;
        p->list = mem_realloc(p->list, p->cap * sizeof(*p->list));
    }
    p->list[p->count] = (struct pause){ .keyspace = keyspace, .writes_only = true };
    return &p->list[p->count++];
}

void pauses_begin(struct pauses *p, uint32_t keyspace, bool writes_only, int64_t ms)
{
    if (p->stopped)
        return;
    struct pause *pause = pause_of(p, keyspace);
    uv_update_time(p->core->loop); /* the loop's idea of now may be a long turn old */
    const uint64_t until = uv_now(p->core->loop) + (uint64_t)ms;
    pause->writes_only = pause->writes_only && writes_only;
    pause->until_ms = until > pause->until_ms ? until : pause->until_ms;
    set_alarm(p);
    core_each_session(p->core, hold_units, p);
}

static void drop(struct pauses *p, size_t i)
{
    p->list[i] = p->list[--p->count];
    p->ended = true;
}

void pauses_end(struct pauses *p, uint32_t keyspace)
{
    for (size_t i = p->count; i-- > 0;)
        if (keyspace == COMMON || p->list[i].keyspace == keyspace)
            drop(p, i);
    set_alarm(p);
}

void pauses_stop(struct pauses *p)
{
    p->stopped = true;
    pauses_end(p, COMMON);
}

void pauses_run(struct pauses *p)
{
    const uint64_t now = uv_now(p->core->loop);
    for (size_t i = p->count; i-- > 0;)
        if (p->list[i].until_ms <= now)
            drop(p, i);
    if (!p->ended)
        return;
    p->ended = false;
    set_alarm(p);
    core_each_session(p->core, let_go, NULL);
}
