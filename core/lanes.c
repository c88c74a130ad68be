/*
 * Lanes and waiting sessions. A lane is a connection with a role; it is down, getting ready, idle, or runs a turn.
 */
#include "lanes.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cache.h"
#include "keyspaces.h"
#include "pause.h"
#include "turn.h"

enum {
    TICK_MS = 100,
    SLOW_TURN_MS = 3, /* a turn that is out for so long is worth another lane */
    PLANS_KEPT_MS =
        1000, /* a plan that was made while the table was small is wrong when it is large */
};

/*
 * How many waiting sessions are worth another lane beside those that run. More lanes make smaller turns, which cost more
 * CPU each; they gain the CPUs that one backend leaves idle, and a write lane works while another waits for the disk.
 */
static const size_t batch[] = { [TURN_READ] = 8, [TURN_WRITE] = 24 };

enum lane_state {
    LANE_DOWN,       /* no connection */
    LANE_CLAIMING,   /* write lane: inserting the writer's row */
    LANE_RECOVERING, /* write lane: asking what committed */
    LANE_IDLE,
    LANE_RUNNING, /* a turn */
    LANE_LENT,    /* background work */
};

struct lane {
    struct lanes *lanes;
    unsigned index; /* and the pool's slot */
    enum turn_kind kind;
    enum lane_state state;
    bool served;                /* its connection got ready */
    struct turn *turn;          /* one for each lane, used again and again */
    bool holds_turn;            /* the turn has units: running, or kept while the lane recovers */
    bool holds_cache;           /* from the loss of a turn until the lane is up again */
    bool in_doubt;              /* of the held turn, or of one that was answered UNCERTAIN */
    struct store_writer writer; /* write lanes: the row that knows what committed */
    uint64_t planned_ms;        /* when its backend last forgot its plans */
    struct store_writer recovered; /* what the database has just said of it */
};

/* Sessions that wait for a turn, first come first. */
struct waiting {
    struct session *first;
    struct session *last;
    size_t count;
};

struct lanes {
    struct core *core;
    struct lanes_events events;
    struct pg_pool *pool;
    struct store *store;       /* for the statements about writers' rows */
    struct waiting waiting[2]; /* by enum turn_kind */
    struct lane *lanes;
    unsigned count;
    bool was_ready;
    bool snapshot_next; /* the next read turn needs one snapshot */
    enum pg_loss loss;  /* why a write lane was last lost */
    uv_timer_t *tick;
    uv_timer_t *slow;
};

/* --- waiting sessions ----------------------------------------------------------------------- */

static void waiting_add(struct waiting *w, struct session *s)
{
    s->waiting.prev = w->last;
    s->waiting.next = NULL;
    if (w->last)
        w->last->waiting.next = s;
    else
        w->first = s;
    w->last = s;
    w->count++;
}

static void waiting_remove(struct waiting *w, struct session *s)
{
    if (s->waiting.prev)
        s->waiting.prev->waiting.next = s->waiting.next;
    else
        w->first = s->waiting.next;
    if (s->waiting.next)
        s->waiting.next->waiting.prev = s->waiting.prev;
    else
        w->last = s->waiting.prev;
    w->count--;
}

/* set_place is the one setter of a session's place. */
static void set_place(struct lanes *l, struct session *s, enum session_place place)
{
    if (s->place == place)
        return;
    if (s->place == SESSION_WAIT_READ || s->place == SESSION_WAIT_WRITE)
        waiting_remove(&l->waiting[s->place == SESSION_WAIT_WRITE], s);
    s->place = place;
    if (place == SESSION_WAIT_READ || place == SESSION_WAIT_WRITE)
        waiting_add(&l->waiting[place == SESSION_WAIT_WRITE], s);
}

/*
 * A client that does not take its replies starts no more commands; one that is gone gets none, so its commands run.
 * Clients that are paused wait.
 */
static bool may_start(const struct session *s)
{
    if (pauses_hold(s->core->pauses, s, s->unit_writes > 0))
        return false;
    return s->life == SESSION_GONE || (s->credit > 0 && buf_len(&s->out) == 0);
}

void lanes_place(struct lanes *l, struct session *s)
{
    if (s->place == SESSION_IN_TURN)
        return;
    if (s->units.count == 0 || !may_start(s))
        set_place(l, s, SESSION_IDLE);
    else
        set_place(l, s, s->unit_writes ? SESSION_WAIT_WRITE : SESSION_WAIT_READ);
}

void lanes_forget(struct lanes *l, struct session *s)
{
    set_place(l, s, SESSION_IDLE);
}

/* --- starting turns -------------------------------------------------------------------------- */

static void gather(struct lanes *l, struct lane *lane, enum turn_kind kind)
{
    struct waiting *w = &l->waiting[kind];
    while (w->first && turn_add(lane->turn, w->first))
        set_place(l, w->first, SESSION_IN_TURN);
    lane->holds_turn = true;
}

static void on_replanned(void *arg, enum pg_group_status status, const char *sqlstate,
                         const char *message)
{
    (void)arg;
    (void)status; /* a server that does not know the statement plans in its own way */
    (void)sqlstate;
    (void)message;
}

/* PostgreSQL keeps a prepared statement's plan until the next ANALYZE, however much the table has grown. */
static void renew_plans(struct lane *lane, struct pg_conn *conn)
{
    const uint64_t now = uv_now(lane->lanes->core->loop);
    if (now - lane->planned_ms < PLANS_KEPT_MS)
        return;
    lane->planned_ms = now;
    pg_conn_query(conn, SQL_DISCARD_PLANS, NULL, 0, NULL, NULL);
    pg_conn_end_group(conn, on_replanned, NULL);
}

static void run(struct lanes *l, struct lane *lane)
{
    const bool write = lane->kind == TURN_WRITE;
    struct pg_conn *conn = pg_pool_conn(l->pool, lane->index);
    lane->state = LANE_RUNNING;
    renew_plans(lane, conn);
    turn_run(lane->turn, conn, write ? &lane->writer : NULL, !write && l->snapshot_next);
}

static struct lane *idle_lane(struct lanes *l, enum turn_kind kind)
{
    for (unsigned i = 0; i < l->count; i++)
        if (l->lanes[i].kind == kind && l->lanes[i].state == LANE_IDLE)
            return &l->lanes[i];
    return NULL;
}

/*
 * another_lane_pays: none of the kind runs yet, what runs is slow, or many sessions wait. Behind a turn that has all it
 * needs in the cache any number may wait: it is back at once, and what it asks costs the same for all of them.
 */
static bool another_lane_pays(const struct lanes *l, enum turn_kind kind)
{
    uint64_t oldest = 0;
    bool any = false;
    bool quick = false;
    for (unsigned i = 0; i < l->count; i++) {
        if (l->lanes[i].kind != kind || l->lanes[i].state != LANE_RUNNING)
            continue;
        any = true;
        quick = quick || turn_is_cached(l->lanes[i].turn);
        const uint64_t age = turn_age_ms(l->lanes[i].turn);
        oldest = age > oldest ? age : oldest;
    }
    return !any || oldest >= SLOW_TURN_MS || (!quick && l->waiting[kind].count >= batch[kind]);
}

static void on_slow(uv_timer_t *timer)
{
    (void)timer; /* waking the loop is enough: lanes_run looks again */
}

static void run_kind(struct lanes *l, enum turn_kind kind)
{
    while (l->waiting[kind].count > 0) {
        struct lane *lane = idle_lane(l, kind);
        if (lane == NULL)
            return;
        if (!another_lane_pays(l, kind)) {
            if (!uv_is_active((uv_handle_t *)l->slow))
                uv_timer_start(l->slow, on_slow, SLOW_TURN_MS, 0);
            return;
        }
        gather(l, lane, kind);
        run(l, lane);
    }
}

void lanes_run(struct lanes *l)
{
    run_kind(l, TURN_WRITE);
    run_kind(l, TURN_READ);
}

bool lanes_busy(const struct lanes *l)
{
    for (unsigned i = 0; i < l->count; i++)
        if (l->lanes[i].holds_turn)
            return true;
    return l->waiting[TURN_READ].count > 0 || l->waiting[TURN_WRITE].count > 0;
}

/* --- the writer's row -------------------------------------------------------------------------- */

static void drop_lane(struct lane *lane, const char *why)
{
    struct pg_conn *conn = pg_pool_conn(lane->lanes->pool, lane->index);
    if (conn)
        pg_conn_drop(conn, PG_LOSS_NETWORK, why);
}

static void write_lane_idle(struct lane *lane)
{
    struct lanes *l = lane->lanes;
    lane->state = LANE_IDLE;
    lane->in_doubt = false;
    if (lane->holds_cache)
        cache_release(l->core->cache);
    lane->holds_cache = false;
    if (!l->was_ready) {
        l->was_ready = true;
        l->events.ready(l->events.arg);
    }
    if (lane->holds_turn)
        run(l, lane);
}

static void on_claimed(void *arg, enum pg_group_status status, const char *sqlstate,
                       const char *message)
{
    struct lane *lane = arg;
    (void)sqlstate;
    if (status == PG_GROUP_LOST)
        return;
    if (status == PG_GROUP_FAILED || lane->recovered.id == 0) {
        log_event(LOG_ERROR, "cannot register with the database", LF_STR("error", message));
        drop_lane(lane, message);
        return;
    }
    lane->writer = lane->recovered;
    write_lane_idle(lane);
}

static void claim(struct lane *lane)
{
    struct lanes *l = lane->lanes;
    struct pg_conn *conn = pg_pool_conn(l->pool, lane->index);
    lane->state = LANE_CLAIMING;
    store_claim(l->store, conn, core_now_ms(l->core), &lane->recovered);
    pg_conn_end_group(conn, on_claimed, lane);
}

static void acknowledged_lost(struct lane *lane, int64_t turns)
{
    lane->lanes->core->metrics.acknowledged_lost += (uint64_t)turns;
    log_event(
        LOG_ERROR,
        "the database has lost writes that were acknowledged: it is behind what this core committed"
        " (a failover to an asynchronous standby, or a restored backup)",
        LF_INT("turns", turns), LF_INT("writer", lane->writer.id));
}

/* The row is gone: what this core committed cannot be told any more. A turn in doubt stays in doubt for ever. */
static void writer_vanished(struct lane *lane)
{
    acknowledged_lost(lane, 1);
    if (lane->holds_turn && lane->in_doubt) {
        lane->lanes->core->metrics.uncertain++;
        turn_fail(
            lane->turn,
            "UNCERTAIN the database lost this core's record: the command may have been executed");
        lane->holds_turn = false;
    }
    claim(lane);
}

static void settle_recovered(struct lane *lane)
{
    const int64_t committed = lane->recovered.turn;
    const int64_t settled = lane->writer.turn;
    if (committed < settled)
        acknowledged_lost(lane, settled - committed);
    lane->writer = lane->recovered;
    lane->lanes->core->metrics.turns_recovered++;
    const bool did = lane->in_doubt && committed == settled + 1;
    log_event(LOG_INFO, "the database is back", LF_INT("writer", lane->writer.id),
              LF_INT("epoch", lane->writer.epoch),
              LF_STR("turn", !lane->in_doubt ? "none was in doubt"
                             : did           ? "had committed"
                                             : "had not committed"));
    if (did && lane->holds_turn) {
        turn_settle(lane->turn);
        lane->holds_turn = false;
    }
    write_lane_idle(lane);
}

static void on_recovered(void *arg, enum pg_group_status status, const char *sqlstate,
                         const char *message)
{
    struct lane *lane = arg;
    (void)sqlstate;
    if (status == PG_GROUP_LOST)
        return;
    if (status == PG_GROUP_FAILED)
        drop_lane(lane, message);
    else if (lane->recovered.id == 0)
        writer_vanished(lane);
    else
        settle_recovered(lane);
}

static void recover(struct lane *lane)
{
    struct lanes *l = lane->lanes;
    struct pg_conn *conn = pg_pool_conn(l->pool, lane->index);
    lane->state = LANE_RECOVERING;
    lane->recovered = lane->writer;
    store_recover(l->store, conn, &lane->recovered);
    pg_conn_end_group(conn, on_recovered, lane);
}

/* --- what turns and connections report ---------------------------------------------------------- */

static void on_turn_ended(void *arg, struct turn *t, enum turn_end end)
{
    struct lane *lane = arg;
    struct lanes *l = lane->lanes;
    const bool write = lane->kind == TURN_WRITE;
    switch (end) {
    case TURN_SETTLED:
        if (!write)
            l->snapshot_next = turn_wants_snapshot(t);
        lane->holds_turn = false;
        lane->state = LANE_IDLE;
        break;
    case TURN_LOST: /* the pool reports the connection next */
        lane->in_doubt = lane->in_doubt || turn_in_doubt(t);
        if (write && !lane->holds_cache)
            cache_hold(l->core->cache);
        lane->holds_cache = write;
        if (!write) {
            turn_put_back(t);
            lane->holds_turn = false;
        }
        lane->state = LANE_DOWN;
        break;
    case TURN_FENCED:
        log_event(LOG_WARNING,
                  "another process has taken over this core's record; asking the database",
                  LF_INT("writer", lane->writer.id));
        recover(lane);
        break;
    case TURN_READ_ONLY:
        if (!write) {
            turn_put_back(t);
            lane->holds_turn = false;
        }
        pg_conn_drop(pg_pool_conn(l->pool, lane->index), PG_LOSS_READ_ONLY,
                     "the server takes no writes");
        break;
    }
}

static void note_connected(struct lanes *l, const struct pg_conn *conn)
{
    const uint64_t took = pg_conn_setup_ns(conn);
    histogram_add(&l->core->telemetry.connects, took);
    latency_note(&l->core->telemetry.latency, LATENCY_CONNECT, took, core_now_ms(l->core) / 1000);
}

static void on_ready(void *owner, unsigned slot)
{
    struct lanes *l = owner;
    struct lane *lane = &l->lanes[slot];
    const struct pg_conn *conn = pg_pool_conn(l->pool, slot);
    l->core->clock_offset = pg_conn_clock_offset(conn);
    snprintf(l->core->server_version, sizeof(l->core->server_version), "%s",
             pg_conn_server_version(conn));
    note_connected(l, conn);
    lane->served = true;
    if (lane->kind == TURN_READ)
        lane->state = LANE_IDLE;
    else if (lane->writer.id == 0)
        claim(lane);
    else
        recover(lane);
}

static void on_lost(void *owner, unsigned slot, enum pg_loss loss, const char *why,
                    bool first_failure)
{
    struct lanes *l = owner;
    struct lane *lane = &l->lanes[slot];
    const bool was_up = lane->state != LANE_DOWN || lane->holds_turn;
    l->core->metrics.connections_lost += lane->served;
    l->core->metrics.connections_failed += !lane->served;
    lane->served = false;
    lane->state = LANE_DOWN;
    cache_clear(l->core->cache); /* the next server may be another one, and behind */
    keyspaces_forget(l->core->keyspaces);
    if (lane->kind == TURN_WRITE) {
        l->loss = loss;
        if (!l->was_ready && (loss == PG_LOSS_SCHEMA || loss == PG_LOSS_SETTINGS)) {
            l->events.fatal(l->events.arg, why);
            return;
        }
    }
    const bool news = first_failure || was_up;
    if (news && (slot == 0 || l->was_ready)) /* at the start one speaks for all */
        log_event(lane->kind == TURN_WRITE ? LOG_WARNING : LOG_INFO,
                  "no connection to the database; retrying",
                  LF_STR("lane", lane->kind == TURN_WRITE ? "write" : "read"),
                  LF_STR("error", why));
}

/* --- timeouts ------------------------------------------------------------------------------------ */

static bool write_lane_up(const struct lanes *l)
{
    for (unsigned i = 0; i < l->count; i++)
        if (l->lanes[i].kind == TURN_WRITE &&
            (l->lanes[i].state == LANE_IDLE || l->lanes[i].state == LANE_RUNNING))
            return true;
    return false;
}

static const char *unavailable(const struct lanes *l)
{
    if (!write_lane_up(l) && l->loss == PG_LOSS_READ_ONLY)
        return "READONLY the database takes no writes now; nothing was executed";
    return "TRYAGAIN the database did not answer in time; nothing was executed, try again";
}

/* The loop's time may be a little behind the one that requests are stamped with. */
static bool waited_too_long(const struct lanes *l, const struct waiting *w)
{
    const uint64_t now = uv_now(l->core->loop);
    const uint64_t arrived = w->first->units.first->arrived_ns / 1000000;
    return now > arrived && now - arrived >= (uint64_t)l->core->options.store_timeout_ms;
}

/* Sessions that have waited too long are answered through a turn that fails at once. */
static void fail_waiting(struct lanes *l, enum turn_kind kind)
{
    struct waiting *w = &l->waiting[kind];
    if (w->first == NULL || !waited_too_long(l, w))
        return;
    struct turn *t = turn_new(l->core, kind, &(struct turn_owner){ NULL, NULL });
    while (w->first && waited_too_long(l, w) && turn_add(t, w->first))
        set_place(l, w->first, SESSION_IN_TURN);
    turn_fail(t, unavailable(l));
    turn_free(t);
}

static void fail_held_turn(struct lanes *l, struct lane *lane)
{
    if (lane->in_doubt) {
        l->core->metrics.uncertain++;
        turn_fail(
            lane->turn,
            "UNCERTAIN the database did not answer in time; the command may have been executed");
    } else {
        turn_fail(lane->turn, unavailable(l));
    }
    lane->holds_turn = false;
}

static void check_lane(struct lanes *l, struct lane *lane)
{
    if (!lane->holds_turn || turn_age_ms(lane->turn) < (uint64_t)l->core->options.store_timeout_ms)
        return;
    if (lane->state == LANE_RUNNING) /* comes back through on_turn_ended as lost */
        pg_conn_drop(pg_pool_conn(l->pool, lane->index), PG_LOSS_NETWORK,
                     "no answer within --store-timeout");
    if (lane->holds_turn)
        fail_held_turn(l, lane);
}

static void on_tick(uv_timer_t *timer)
{
    struct lanes *l = timer->data;
    for (unsigned i = 0; i < l->count; i++)
        check_lane(l, &l->lanes[i]);
    fail_waiting(l, TURN_READ);
    fail_waiting(l, TURN_WRITE);
    core_tick(l->core);
}

/* --- background work -------------------------------------------------------------------------------- */

struct pg_conn *lanes_borrow(struct lanes *l, unsigned *lane)
{
    unsigned i = l->count - 1; /* the last read lane: turns take the first that is idle */
    while (i > 0 && !(l->lanes[i].kind == TURN_READ && l->lanes[i].state == LANE_IDLE))
        i--;
    if (i == 0)
        return NULL;
    l->lanes[i].state = LANE_LENT;
    *lane = i;
    return pg_pool_conn(l->pool, i);
}

void lanes_give_back(struct lanes *l, unsigned lane)
{
    l->lanes[lane].state = LANE_IDLE;
}

/* --- lifetime ---------------------------------------------------------------------------------------- */

static const struct pg_pool_events pool_events = { .ready = on_ready, .lost = on_lost };

static uv_timer_t *new_timer(struct lanes *l)
{
    uv_timer_t *timer = mem_alloc(sizeof(*timer));
    timer->data = l;
    uv_timer_init(l->core->loop, timer);
    return timer;
}

enum err lanes_new(struct core *core, const char *conninfo, const struct lanes_events *events,
                   char *why, size_t why_size, struct lanes **out)
{
    struct lanes *l = mem_zalloc(sizeof(*l));
    l->core = core;
    l->events = *events;
    l->count = (unsigned)core->options.pool_size;
    const enum err err =
        pg_pool_new(core->loop, conninfo, l->count, &pool_events, l, why, why_size, &l->pool);
    if (err != ERR_OK) {
        free(l);
        return err;
    }
    l->store = store_new(core->keyspaces);
    l->lanes = mem_zalloc(l->count * sizeof(*l->lanes));
    for (unsigned i = 0; i < l->count; i++) {
        struct lane *lane = &l->lanes[i];
        *lane = (struct lane){ .lanes = l,
                               .index = i,
                               .kind = i < l->count / 2 ? TURN_WRITE : TURN_READ };
        lane->turn = turn_new(core, lane->kind, &(struct turn_owner){ on_turn_ended, lane });
    }
    l->tick = new_timer(l);
    l->slow = new_timer(l);
    *out = l;
    return ERR_OK;
}

void lanes_start(struct lanes *l)
{
    uv_timer_start(l->tick, on_tick, TICK_MS, TICK_MS);
    pg_pool_start(l->pool);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void lanes_free(struct lanes *l)
{
    if (l == NULL)
        return;
    pg_pool_free(l->pool);
    uv_close((uv_handle_t *)l->tick, free_handle);
    uv_close((uv_handle_t *)l->slow, free_handle);
    for (unsigned i = 0; i < l->count; i++)
        turn_free(l->lanes[i].turn);
    store_free(l->store);
    free(l->lanes);
    free(l);
}

const char *lanes_state(const struct lanes *l)
{
    if (write_lane_up(l))
        return "up";
    return l->loss == PG_LOSS_READ_ONLY ? "read-only"
           : l->loss == PG_LOSS_SCHEMA  ? "wrong schema"
                                        : "connecting";
}

struct core_lanes lanes_figures(const struct lanes *l)
{
    static const enum core_lane_state shown[] = {
        [LANE_DOWN] = LANES_DOWN,       [LANE_CLAIMING] = LANES_RECOVERING,
        [LANE_IDLE] = LANES_IDLE,       [LANE_RECOVERING] = LANES_RECOVERING,
        [LANE_RUNNING] = LANES_RUNNING, [LANE_LENT] = LANES_LENT,
    };
    struct core_lanes out = { .waiting_write = l->waiting[TURN_WRITE].count,
                              .waiting_read = l->waiting[TURN_READ].count };
    for (unsigned i = 0; i < l->count; i++) {
        unsigned *counts = l->lanes[i].kind == TURN_WRITE ? out.write : out.read;
        counts[shown[l->lanes[i].state]]++;
    }
    return out;
}

size_t lanes_writers(const struct lanes *l, int64_t *ids, size_t max)
{
    size_t n = 0;
    for (unsigned i = 0; i < l->count && n < max; i++)
        if (l->lanes[i].writer.id)
            ids[n++] = l->lanes[i].writer.id;
    return n;
}
