/* The figures of a turn and of its commands. */
#include "turn_telemetry.h"

#include <uv.h>

static struct telemetry *telemetry_of(const struct turn *t)
{
    return &t->core->telemetry;
}

/* --- while it runs --------------------------------------------------------------------------- */

void turn_telemetry_gather(struct turn *t)
{
    t->times = (struct turn_times){ .began = uv_hrtime() };
}

void turn_telemetry_send(struct turn *t)
{
    t->times.sent = uv_hrtime();
    t->core->metrics.round_trips++;
}

struct turn_mark turn_telemetry_apply(struct turn *t)
{
    const uint64_t now = uv_hrtime();
    if (t->times.stopped)
        t->times.waited += now - t->times.lap;
    t->times.stopped = false;
    t->times.lap = now;
    return (struct turn_mark){ t->core->metrics.keyspace_hits, t->core->metrics.keyspace_misses };
}

/* What the commands have counted belongs to the turn, until it is settled. A RESETSTAT among them begins anew. */
static uint64_t take_back(uint64_t *total, uint64_t before)
{
    const uint64_t more = *total >= before ? *total - before : *total;
    *total -= more;
    return more;
}

void turn_telemetry_applied(struct turn *t, const struct turn_mark *mark, bool stopped)
{
    t->times.hits += take_back(&t->core->metrics.keyspace_hits, mark->hits);
    t->times.misses += take_back(&t->core->metrics.keyspace_misses, mark->misses);
    t->times.stopped = stopped;
}

static uint16_t error_at(struct turn *t, size_t reply_at)
{
    const struct slice replies = buf_slice(&t->replies);
    if (replies.p == NULL || reply_at >= replies.len || replies.p[reply_at] != '-')
        return 0;
    return command_stats_code(telemetry_of(t)->commands,
                              (struct slice){ replies.p + reply_at, replies.len - reply_at });
}

void turn_telemetry_ran(struct turn *t, struct request *r, size_t reply_at)
{
    const uint64_t now = uv_hrtime();
    r->ran = true;
    r->error = error_at(t, reply_at);
    r->own_ns = now - t->times.lap + t->times.waited;
    t->times.lap = now;
    t->times.waited = 0;
    t->times.own += r->own_ns;
    t->times.commands++;
}

void turn_telemetry_exec(struct request *r)
{
    r->ran = true;
    r->error = 0;
    r->own_ns = 0;
    for (struct request *b = r->body; b; b = b->next) {
        b->ran = false;
        b->error = 0;
    }
}

void turn_telemetry_refused(struct turn *t, struct request *r, size_t reply_at)
{
    r->ran = false;
    r->error = error_at(t, reply_at);
}

void turn_telemetry_rewind(struct turn *t)
{
    t->times = (struct turn_times){ .began = t->times.began, .sent = t->times.sent };
}

/* --- once it is settled ---------------------------------------------------------------------- */

static void count_work(struct turn *t)
{
    struct core_metrics *m = &t->core->metrics;
    const struct store_figures work = store_take_figures(t->store);
    m->loads += work.loads;
    m->rows_loaded += work.rows_loaded;
    m->rows_saved += work.rows_saved;
    m->keyspace_hits += t->times.hits;
    m->keyspace_misses += t->times.misses;
}

void turn_telemetry_settled(struct turn *t)
{
    struct telemetry *w = telemetry_of(t);
    const uint64_t now = uv_hrtime();
    const uint64_t took = now - t->times.began;
    t->times.now = now;
    t->times.now_ms = (int64_t)(now / 1000000) + t->core->clock_offset;
    const int64_t now_s = t->times.now_ms / 1000;
    t->times.share = 0;
    if (t->times.commands && took > t->times.own)
        t->times.share = (took - t->times.own) / t->times.commands;
    histogram_add(t->kind == TURN_WRITE ? &w->write_turns : &w->read_turns, took);
    latency_note(&w->latency, LATENCY_TURN, took, now_s);
    if (t->times.committed) {
        histogram_add(&w->stores, now - t->times.sent);
        latency_note(&w->latency, LATENCY_STORE, now - t->times.sent, now_s);
    }
    count_work(t);
}

void turn_telemetry_later(struct turn *t, struct request *r, uint64_t began_ns, struct slice reply)
{
    r->ran = true;
    r->error = command_stats_code(telemetry_of(t)->commands, reply);
    r->own_ns = uv_hrtime() - began_ns;
}

static void count_call(struct turn *t, struct session *s, const struct request *r, uint64_t cost,
                       uint64_t latency)
{
    const struct telemetry_call call = {
        .command = r->command,
        .argv = r->argv,
        .argc = r->argc,
        .error = r->error,
        .cost_ns = cost,
        .latency_ns = latency,
        .now_ms = t->times.now_ms,
    };
    telemetry_call(telemetry_of(t), s, &call);
}

void turn_telemetry_unit(struct turn *t, struct session *s, const struct request *r)
{
    const uint64_t latency = t->times.now > r->arrived_ns ? t->times.now - r->arrived_ns : 0;
    uint64_t cost = r->command->flags & CMD_EXEC ? 0 : r->own_ns + t->times.share;
    if (!r->ran) {
        command_stats_reject(telemetry_of(t)->commands, r->command, r->error);
        return;
    }
    for (const struct request *b = r->body; b; b = b->next) {
        if (!b->ran && b->error)
            command_stats_reject(telemetry_of(t)->commands, b->command, b->error);
        if (!b->ran)
            continue;
        count_call(t, s, b, b->own_ns + t->times.share, latency);
        cost += b->own_ns + t->times.share; /* EXEC's is that of what it ran */
    }
    count_call(t, s, r, cost, latency);
}
