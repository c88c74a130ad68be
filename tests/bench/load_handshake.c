/*
 * load_handshake: connections that are made, prove by one PING that the server has finished its part too (in TLS 1.3
 * the client is done first), and are closed. And connections that are made and kept.
 */
#include "load.h"

#include <string.h>

static const uint8_t ping[] = "*1\r\n$4\r\nPING\r\n";

struct handshakes {
    struct run *run;
    bool counting;
    uint64_t begun;
    uint64_t deadline;
};

static bool more(const struct handshakes *h)
{
    int64_t count = h->run->settings->count;
    return h->counting && (count == 0 || h->begun < (uint64_t)count) && now_ns() < h->deadline;
}

static void begin_one(struct handshakes *h, struct conn *c)
{
    h->begun++;
    if (conn_open(c) != ERR_OK) {
        run_fail(h->run, "cannot open a connection");
    }
}

static void on_open(struct conn *c)
{
    struct handshakes *h = pool_owner(c->pool);
    if (h->counting) {
        histogram_add(&h->run->latency, now_ns() - c->started, 1);
    }
    conn_send(c, ping, sizeof ping - 1);
}

static void on_pong(struct conn *c, unsigned count)
{
    struct handshakes *h = pool_owner(c->pool);
    (void)count;
    conn_close(c);
    if (h->counting) {
        h->run->done++;
        h->run->end_ns = now_ns();
    }
    if (more(h)) {
        begin_one(h, c);
    }
}

static void on_lost(struct conn *c, const char *why)
{
    struct handshakes *h = pool_owner(c->pool);
    h->run->lost++;
    run_fail(h->run, "handshake: %s", why);
}

static bool any_left(struct run *run)
{
    for (unsigned i = 0; i < run->settings->connections; i++) {
        if (pool_conn(run->pool, i)->state != CONN_UNUSED) {
            return true;
        }
    }
    return false;
}

static void finish(struct run *run, uint64_t deadline)
{
    while (!run_failed(run) && any_left(run)) {
        (void)pool_poll(run->pool, 10000000);
        if (now_ns() > deadline) {
            run_fail(run, "handshakes do not finish");
        }
    }
}

void run_handshakes(struct run *run)
{
    static const struct pool_events events = { on_open, on_pong, on_lost };
    struct handshakes h = { .run = run };
    unsigned slots = (unsigned)run->settings->connections;
    uint64_t span = (uint64_t)run->settings->milliseconds * 1000000;

    if (!run_pool(run, &events, &h, slots)) {
        return;
    }
    /* One full handshake each: fetches the tickets, and warms the server either way. */
    if (!run_open(run, slots)) {
        return;
    }
    finish(run, now_ns() + 10000000000);
    run_begin(run);
    h.counting = true;
    h.deadline = run->begin_ns + span;
    for (unsigned i = 0; i < slots && more(&h); i++) {
        begin_one(&h, pool_conn(run->pool, i));
    }
    finish(run, h.deadline + 10000000000);
}

/* ---- idle ---- */

static void idle_open(struct conn *c)
{
    conn_send(c, ping, sizeof ping - 1);
}

static void idle_pong(struct conn *c, unsigned count)
{
    struct run *run = pool_owner(c->pool);
    run->done += count;
}

static void idle_lost(struct conn *c, const char *why)
{
    struct run *run = pool_owner(c->pool);
    run->lost++;
    run_fail(run, "connection %u of %u: %s", c->index, (unsigned)run->settings->connections, why);
}

void run_idle(struct run *run)
{
    static const struct pool_events events = { idle_open, idle_pong, idle_lost };
    unsigned count = (unsigned)run->settings->connections;
    run->begin_ns = now_ns();
    if (!run_pool(run, &events, run, count) || !run_open(run, count)) {
        return;
    }
    while (!run_failed(run) && run->done < count &&
           now_ns() < run->begin_ns + 200 * UINT64_C(1000000000)) {
        (void)pool_poll(run->pool, 10000000);
    }
    run->end_ns = now_ns();
}
