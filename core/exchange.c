/*
 * The exchange: joining and leaving, who is there, and what this core wants to hear of. Sending and receiving have files
 * of their own; who the others are is in peers, how notices travel in parcel.
 */
#include "exchange_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "base/log.h"
#include "events.h"

enum {
    OUT_MAX = 64 * 1024 * 1024,
    STALE_MS =
        4000, /* a beat this old: the others may have given us up, and we do not know what they want */
    NEW_MS =
        5000, /* so long after joining all writes are sent: the others' wishes may be on their way */
    LINGER_MS = 10000, /* a wish that is over is kept so long: another one like it may come */
};

uint64_t exchange_clock_ms(void)
{
    return uv_hrtime() / 1000000;
}

struct pg_conn *exchange_conn(const struct exchange *x)
{
    return pg_pool_conn(x->pool, 0);
}

/* By this connection's own measure of the database's clock: the lanes may not be up yet. */
int64_t exchange_now_ms(const struct exchange *x)
{
    return (int64_t)exchange_clock_ms() + pg_conn_clock_offset(exchange_conn(x));
}

void exchange_query(struct exchange *x, enum sql_id id, pg_result_fn *fn)
{
    pg_conn_query(exchange_conn(x), id, &x->params, 0, fn, x);
    pg_params_clear(&x->params);
}

/* --- what is known ------------------------------------------------------------------------------- */

bool exchange_is_fresh(const struct exchange *x)
{
    return x->state == EXCHANGE_UP && exchange_clock_ms() - x->beat_ms < STALE_MS;
}

uint32_t exchange_wanted(const struct exchange *x)
{
    if (!exchange_is_fresh(x))
        return peers_want(x->peers) | PEERS_WANT_WRITES;
    const bool is_new = peers_count(x->peers) > 0 && exchange_clock_ms() - x->joined_ms < NEW_MS;
    return peers_want(x->peers) | (is_new ? PEERS_WANT_WRITES : 0);
}

bool exchange_covers(const struct exchange *x)
{
    return exchange_is_fresh(x) && peers_know(x->peers, x->writes_wish);
}

static void hear_forget(struct exchange *x)
{
    events_hear(x->core->events, &(struct notice){ .kind = NOTICE_FORGET });
}

void exchange_missed(struct exchange *x)
{
    x->figures.lost++;
    hear_forget(x);
}

void exchange_lost(struct exchange *x)
{
    x->owes_forget = true;
    hear_forget(x);
}

/* --- wishes ------------------------------------------------------------------------------------------ */

static void say_wish(struct exchange *x)
{
    if (x->state == EXCHANGE_UP && peers_count(x->peers) > 0)
        exchange_append(x, &(struct notice){ .kind = NOTICE_WANTS, .a = x->wants, .b = x->wish });
}

static void set_wish(struct exchange *x, uint32_t wants)
{
    x->wish++;
    if (wants & ~x->wants & PEERS_WANT_WRITES)
        x->writes_wish = x->wish;
    x->wants = wants;
    x->narrower_since_ms = 0;
    say_wish(x);
}

void exchange_wish(struct exchange *x, uint32_t wants)
{
    x->wanted_now = wants;
    if (wants & ~x->wants)
        set_wish(x, x->wants | wants);
}

/* Clients come and go: what is wanted no more is taken back later. */
static void narrow_wish(struct exchange *x)
{
    if (x->wanted_now == x->wants)
        x->narrower_since_ms = 0;
    else if (x->narrower_since_ms == 0)
        x->narrower_since_ms = exchange_clock_ms();
    else if (exchange_clock_ms() - x->narrower_since_ms >= LINGER_MS)
        set_wish(x, x->wanted_now);
}

/* greet tells everybody what we want and what we know of their wishes. */
static void greet(struct exchange *x)
{
    say_wish(x);
    peers_each(x->peers, exchange_say_heard, x);
}

/* --- the table of cores -------------------------------------------------------------------------------- */

enum listener_column { LISTENER_ID, LISTENER_WANTS, LISTENER_WISH, LISTENER_SEEN };

static bool on_listeners(void *arg, struct pg_result *r)
{
    struct exchange *x = arg;
    const int64_t now = exchange_now_ms(x);
    bool news = false;
    peers_list(x->peers);
    for (int row = 0; row < pg_row_count(r); row++)
        news |= peers_row(
            x->peers, pg_get_int(r, row, LISTENER_ID), (uint32_t)pg_get_int(r, row, LISTENER_WANTS),
            pg_get_int(r, row, LISTENER_WISH), pg_get_int(r, row, LISTENER_SEEN), now);
    if (peers_listed(x->peers))
        exchange_missed(x);
    if (news && x->state == EXCHANGE_UP)
        greet(x);
    return false;
}

static void put_listeners(struct exchange *x)
{
    pg_int8(&x->params, x->id);
    exchange_query(x, SQL_LISTENERS, on_listeners);
}

static bool on_beat(void *arg, struct pg_result *r)
{
    struct exchange *x = arg;
    if (pg_changed_rows(r) == 0)
        x->id = 0; /* the others have given us up */
    return false;
}

static void on_beaten(void *arg, enum pg_group_status status, const char *sqlstate,
                      const char *message)
{
    struct exchange *x = arg;
    (void)sqlstate;
    x->busy = false;
    if (status == PG_GROUP_LOST || x->state != EXCHANGE_UP)
        return;
    if (status == PG_GROUP_FAILED || x->id == 0) {
        pg_conn_drop(exchange_conn(x), PG_LOSS_NETWORK,
                     status == PG_GROUP_FAILED ? message : "its row in cofre.listener is gone");
        return;
    }
    x->beat_ms = x->beat_sent_ms;
    narrow_wish(x);
    if (!peers_know(x->peers, x->wish))
        say_wish(x); /* they may not have been there yet when it was said */
}

static void beat(struct exchange *x)
{
    x->busy = true;
    x->beat_sent_ms = exchange_clock_ms();
    pg_int8(&x->params, x->id);
    pg_int8(&x->params, x->wants);
    pg_int8(&x->params, x->wish);
    pg_int8(&x->params, exchange_now_ms(x));
    exchange_query(x, SQL_LISTENER_BEAT, on_beat);
    put_listeners(x);
    pg_conn_end_group(exchange_conn(x), on_beaten, x);
}

/* --- joining ---------------------------------------------------------------------------------------------- */

/* A server that refuses is asked again with the next beat: it may know no LISTEN, or not let us. */
static bool joining_failed(struct exchange *x, enum pg_group_status status, const char *message)
{
    if (status == PG_GROUP_FAILED && !x->complained)
        log_event(LOG_WARNING, "cannot listen to other cores; trying on", LF_STR("error", message));
    x->complained = x->complained || status == PG_GROUP_FAILED;
    x->busy = x->busy && status == PG_GROUP_OK;
    return status != PG_GROUP_OK;
}

/* Whatever was written elsewhere while nobody listened here has not been heard. */
static void on_up(void *arg, enum pg_group_status status, const char *sqlstate, const char *message)
{
    struct exchange *x = arg;
    (void)sqlstate;
    if (joining_failed(x, status, message))
        return;
    if (x->complained)
        log_event(LOG_INFO, "listening to other cores");
    x->complained = false;
    x->busy = false;
    x->state = EXCHANGE_UP;
    x->joined_ms = x->beat_ms = x->beat_sent_ms;
    hear_forget(x);
    greet(x);
}

static void on_joined(void *arg, enum pg_group_status status, const char *sqlstate,
                      const char *message)
{
    struct exchange *x = arg;
    (void)sqlstate;
    if (joining_failed(x, status, message))
        return;
    put_listeners(x); /* after our own row is there for all to see */
    pg_conn_end_group(exchange_conn(x), on_up, x);
}

static bool on_id(void *arg, struct pg_result *r)
{
    struct exchange *x = arg;
    if (pg_row_count(r) == 1)
        x->id = pg_get_int(r, 0, 0);
    return false;
}

static void join(struct exchange *x)
{
    x->busy = true;
    x->number = 0;
    x->beat_sent_ms = exchange_clock_ms();
    peers_clear(x->peers);
    exchange_query(x, SQL_NO_SYNC, NULL);
    exchange_query(x, SQL_LISTEN, NULL);
    pg_int8(&x->params, x->former_id);
    exchange_query(x, SQL_LISTENER_LEAVE, NULL);
    pg_int8(&x->params, x->wants);
    pg_int8(&x->params, x->wish);
    pg_int8(&x->params, exchange_now_ms(x));
    exchange_query(x, SQL_LISTENER_JOIN, on_id);
    pg_conn_end_group(exchange_conn(x), on_joined, x);
}

static void on_timer(uv_timer_t *timer)
{
    struct exchange *x = timer->data;
    if (x->busy)
        return;
    if (x->state == EXCHANGE_UP)
        beat(x);
    else if (x->state == EXCHANGE_JOINING)
        join(x);
}

static void on_ready(void *owner, unsigned slot)
{
    struct exchange *x = owner;
    (void)slot;
    x->state = EXCHANGE_JOINING;
    join(x);
}

static void on_lost(void *owner, unsigned slot, enum pg_loss loss, const char *why,
                    bool first_failure)
{
    struct exchange *x = owner;
    const bool was_up = x->state == EXCHANGE_UP;
    (void)slot;
    (void)loss;
    (void)first_failure;
    x->state = x->state >= EXCHANGE_LEAVING ? EXCHANGE_LEFT : EXCHANGE_DOWN;
    x->busy = x->sending = false;
    if (x->id)
        x->former_id = x->id;
    x->id = 0;
    exchange_drop_out(x);
    exchange_empty_inbox(x);
    if (!was_up)
        return;
    x->owes_forget = true;
    exchange_missed(x);
    x->complained = true;
    log_event(LOG_WARNING, "no connection to other cores; what they say is missed until it is back",
              LF_STR("error", why));
}

static void on_notified(void *owner, unsigned slot, struct slice payload)
{
    (void)slot;
    exchange_receive(owner, payload);
}

/* --- leaving ------------------------------------------------------------------------------------------------ */

/* The row goes and the goodbye comes in one transaction, so that nobody sees one without the other. */
bool exchange_left(struct exchange *x)
{
    if (x->state == EXCHANGE_UP && !x->sending) {
        x->state = EXCHANGE_LEAVING;
        pg_int8(&x->params, x->id);
        exchange_query(x, SQL_LISTENER_LEAVE, NULL);
        if (peers_count(x->peers) > 0)
            exchange_append(x, &(struct notice){ .kind = NOTICE_BYE });
        exchange_send_all(x);
    }
    if (x->state == EXCHANGE_LEAVING && !x->sending)
        x->state = EXCHANGE_LEFT;
    return x->state != EXCHANGE_UP && x->state != EXCHANGE_LEAVING;
}

/* --- lifetime ------------------------------------------------------------------------------------------------ */

static const struct pg_pool_events pool_events = { .ready = on_ready,
                                                   .lost = on_lost,
                                                   .notified = on_notified };

enum err exchange_new(struct core *core, const char *conninfo, char *why, size_t why_size,
                      struct exchange **out)
{
    struct exchange *x = mem_zalloc(sizeof(*x));
    x->core = core;
    const enum err err =
        pg_pool_new(core->loop, conninfo, 1, &pool_events, x, why, why_size, &x->pool);
    if (err != ERR_OK) {
        free(x);
        return err;
    }
    x->peers = peers_new();
    exchange_empty_inbox(x);
    pg_params_init(&x->params);
    buf_init(&x->out, OUT_MAX);
    buf_init(&x->texts, 2 * (size_t)OUT_MAX);
    buf_init(&x->records, RECORDS_MAX);
    x->timer = mem_alloc(sizeof(*x->timer));
    x->timer->data = x;
    uv_timer_init(core->loop, x->timer);
    *out = x;
    return ERR_OK;
}

void exchange_start(struct exchange *x)
{
    uv_timer_start(x->timer, on_timer, PEERS_BEAT_MS, PEERS_BEAT_MS);
    pg_pool_start(x->pool);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void exchange_free(struct exchange *x)
{
    if (x == NULL)
        return;
    pg_pool_free(x->pool);
    uv_close((uv_handle_t *)x->timer, free_handle);
    exchange_empty_inbox(x);
    peers_free(x->peers);
    pg_params_release(&x->params);
    buf_release(&x->out);
    buf_release(&x->texts);
    buf_release(&x->records);
    free(x);
}

struct exchange_figures exchange_figures(const struct exchange *x)
{
    struct exchange_figures figures = x->figures;
    figures.peers = peers_count(x->peers);
    return figures;
}
