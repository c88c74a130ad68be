/*
 * load_request: commands on open connections. In a closed loop each connection sends `pipeline` requests and waits for
 * all their replies. At a given rate every request has a time at which it is due, whatever became of those before it,
 * and its latency counts from then: a server that stops for a second has made a second's requests late, not one
 * ("coordinated omission").
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_DIGITS 12
#define GRACE_NS   (15 * UINT64_C(1000000000))
#define FILL_BYTES 65536 /* of values in one MSET, about */
#define EX_1800    "$2\r\nEX\r\n$4\r\n1800\r\n"

/*
 * The commands.
 * head   up to and with the length of the key
 * keyed  a key follows, value: and a value
 * tail   what ends the request
 */
static const struct kind {
    const char *name;
    const char *head;
    bool keyed;
    bool value;
    const char *tail;
} kinds[] = {
    { "get", "*2\r\n$3\r\nGET\r\n$16\r\n", true, false, "" },
    { "set", "*3\r\n$3\r\nSET\r\n$16\r\n", true, true, "" },
    { "setex", "*5\r\n$3\r\nSET\r\n$16\r\n", true, true, EX_1800 },
    { "getex", "*4\r\n$5\r\nGETEX\r\n$16\r\n", true, false, EX_1800 },
    { "expire", "*3\r\n$6\r\nEXPIRE\r\n$16\r\n", true, false, "$4\r\n1800\r\n" },
    { "ping", "*1\r\n$4\r\nPING\r\n", false, false, "" },
};

struct traffic {
    struct run *run;
    const struct settings *s;
    unsigned shares[ARRAY_SIZE(kinds)]; /* of each kind, in percent */
    bool filling;
    bool running;
    uint64_t issued; /* requests */
    uint64_t limit;
    uint64_t answered;
    uint64_t deadline;
    uint64_t next_due; /* at a rate: number of the request that is due next, of all connections */
    uint64_t next_key; /* when filling */
    uint64_t dice;
    uint8_t *noise; /* 2 × size bytes that no database can compress away; values are cut from it */
    uint8_t *out;   /* requests of one connection's turn: [0, out_len) · free up to out_cap */
    size_t out_len;
    size_t out_cap;
};

/* xorshift64* */
static uint64_t roll(struct traffic *t)
{
    t->dice ^= t->dice >> 12;
    t->dice ^= t->dice << 25;
    t->dice ^= t->dice >> 27;
    return t->dice * UINT64_C(2685821657736338717);
}

/* ---- writing requests ---- */

static void put(struct traffic *t, const void *bytes, size_t len)
{
    if (t->out_len + len > t->out_cap) {
        t->out_cap = (t->out_len + len) * 2;
        t->out = mem_realloc(t->out, t->out_cap);
    }
    memcpy(t->out + t->out_len, bytes, len);
    t->out_len += len;
}

static void put_text(struct traffic *t, const char *text)
{
    put(t, text, strlen(text));
}

static void put_key(struct traffic *t, uint64_t number)
{
    char key[] = "key:000000000000\r\n";
    for (int i = 3 + KEY_DIGITS; number > 0; i--) {
        key[i] = (char)('0' + number % 10);
        number /= 10;
    }
    put(t, key, sizeof key - 1);
}

static void put_value(struct traffic *t)
{
    char length[32];
    int n = snprintf(length, sizeof length, "$%lld\r\n", (long long)t->s->size);
    put(t, length, (size_t)n);
    put(t, t->noise + roll(t) % (uint64_t)t->s->size, (size_t)t->s->size);
    put_text(t, "\r\n");
}

static void put_mset(struct traffic *t)
{
    uint64_t batch = FILL_BYTES / (uint64_t)t->s->size + 1;
    uint64_t left = (uint64_t)t->s->keys - t->next_key;
    char head[48];
    batch = batch > 500 ? 500 : batch;
    batch = batch > left ? left : batch;
    int n =
        snprintf(head, sizeof head, "*%llu\r\n$4\r\nMSET\r\n", (unsigned long long)(2 * batch + 1));
    put(t, head, (size_t)n);
    for (uint64_t i = 0; i < batch; i++) {
        put_text(t, "$16\r\n");
        put_key(t, (uint64_t)t->s->first + t->next_key++);
        put_value(t);
    }
}

static const struct kind *choose(struct traffic *t)
{
    unsigned at = (unsigned)(roll(t) % 100);
    size_t i = 0;
    while (at >= t->shares[i]) {
        at -= t->shares[i++];
    }
    return &kinds[i];
}

static void put_request(struct traffic *t)
{
    if (t->filling) {
        put_mset(t);
        return;
    }
    const struct kind *kind = choose(t);
    put_text(t, kind->head);
    if (kind->keyed) {
        put_key(t, (uint64_t)t->s->first + roll(t) % (uint64_t)t->s->keys);
    }
    if (kind->value) {
        put_value(t);
    }
    put_text(t, kind->tail);
}

/* ---- when to send ---- */

static bool exhausted(const struct traffic *t)
{
    return !t->running || t->issued >= t->limit ||
           (t->filling && t->next_key >= (uint64_t)t->s->keys);
}

static void send_put(struct traffic *t, struct conn *c)
{
    if (t->out_len > 0) {
        conn_send(c, t->out, t->out_len);
        t->out_len = 0;
    }
}

static void send_batch(struct traffic *t, struct conn *c)
{
    for (int64_t i = 0; i < t->s->pipeline && !exhausted(t); i++) {
        put_request(t);
        c->sent++;
        t->issued++;
    }
    c->sent_at = now_ns();
    send_put(t, c);
}

/* due_at: when this connection's request number n is due. */
static uint64_t due_at(const struct traffic *t, const struct conn *c, uint64_t n)
{
    double number = (double)c->index + (double)n * (double)t->s->connections;
    return t->run->begin_ns + (uint64_t)(number * 1e9 / (double)t->s->rate);
}

static void send_due(struct traffic *t, struct conn *c, uint64_t now)
{
    while (c->sent - c->answered < (uint64_t)t->s->pipeline && !exhausted(t) &&
           due_at(t, c, c->sent) <= now) {
        put_request(t);
        c->sent++;
        t->issued++;
    }
    send_put(t, c);
}

static void count_latency(struct traffic *t, struct conn *c, unsigned count, uint64_t now)
{
    if (t->s->rate == 0) {
        histogram_add(&t->run->latency, now - c->sent_at, count);
        return;
    }
    for (uint64_t n = c->answered - count; n < c->answered; n++) {
        histogram_add(&t->run->latency, now - due_at(t, c, n), 1);
    }
}

static void on_open(struct conn *c)
{
    (void)c;
}

static void on_replies(struct conn *c, unsigned count)
{
    struct traffic *t = pool_owner(c->pool);
    uint64_t now = now_ns();
    count_latency(t, c, count, now);
    t->answered += count;
    t->run->end_ns = now;
    if (now > t->deadline) {
        t->running = false;
    }
    if (t->s->rate > 0) {
        send_due(t, c, now);
    } else if (c->answered == c->sent) {
        send_batch(t, c);
    }
}

static void on_lost(struct conn *c, const char *why)
{
    struct traffic *t = pool_owner(c->pool);
    t->run->lost++;
    run_fail(t->run, "connection %u: %s", c->index, why);
}

/* ---- the run ---- */

static bool read_mix(struct traffic *t, const char *mix)
{
    unsigned sum = 0;
    while (*mix != '\0') {
        size_t name = strcspn(mix, "=,");
        char *end = (char *)mix + name;
        unsigned long share = mix[name] == '=' ? strtoul(mix + name + 1, &end, 10) : 100;
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
            if (strlen(kinds[i].name) == name && memcmp(kinds[i].name, mix, name) == 0) {
                t->shares[i] = (unsigned)share;
                sum += (unsigned)share;
            }
        }
        mix = *end == ',' ? end + 1 : end;
        if (*end != ',' && *end != '\0') {
            return false;
        }
    }
    return sum == 100;
}

static void make_noise(struct traffic *t)
{
    size_t len = 2 * (size_t)t->s->size;
    t->noise = mem_alloc(len);
    for (size_t i = 0; i < len; i++) {
        t->noise[i] =
            (uint8_t)("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"[roll(t) >>
                                                                                         58]);
    }
}

/* step_rate sends what is due on connections that are not waiting, and returns how long nothing will be. */
static uint64_t step_rate(struct traffic *t)
{
    uint64_t connections = (uint64_t)t->s->connections;
    uint64_t now = now_ns();
    for (;;) {
        struct conn *c = pool_conn(t->run->pool, (unsigned)(t->next_due % connections));
        uint64_t due = due_at(t, c, t->next_due / connections);
        if (due > now) {
            return due - now;
        }
        send_due(t, c, now);
        t->next_due++;
    }
}

/* count_missed: what was due before the deadline and was never sent is as late as it is by now. */
static void count_missed(struct traffic *t)
{
    uint64_t now = now_ns();
    for (unsigned i = 0; t->s->rate > 0 && t->issued < t->limit && i < t->s->connections; i++) {
        const struct conn *c = pool_conn(t->run->pool, i);
        for (uint64_t n = c->sent; due_at(t, c, n) < t->deadline; n++) {
            histogram_add(&t->run->latency, now - due_at(t, c, n), 1);
            t->run->missed++;
        }
    }
}

static void run_until_over(struct traffic *t)
{
    uint64_t wait = 100000000;
    while (!run_failed(t->run) && (!exhausted(t) || t->answered < t->issued)) {
        if (t->s->rate > 0 && !exhausted(t)) {
            wait = step_rate(t);
        }
        (void)pool_poll(t->run->pool, wait < 100000000 ? wait : 100000000);
        uint64_t now = now_ns();
        t->running = t->running && now < t->deadline;
        if (now > t->deadline + GRACE_NS) {
            run_fail(t->run, "%llu requests were not answered",
                     (unsigned long long)(t->issued - t->answered));
        }
    }
}

static void run_traffic(struct run *run, bool filling)
{
    static const struct pool_events events = { on_open, on_replies, on_lost };
    const struct settings *s = run->settings;
    struct traffic *t = mem_zalloc(sizeof *t);
    run->state = t;
    t->run = run;
    t->s = s;
    t->filling = filling;
    t->limit = s->count > 0 && !filling ? (uint64_t)s->count : UINT64_MAX;
    t->dice = now_ns() | 1;
    make_noise(t);

    if (!filling && !read_mix(t, s->mix)) {
        run_fail(run, "--mix %s: not 100 %% of get set setex getex expire ping", s->mix);
    } else if (run_pool(run, &events, t, (unsigned)s->connections) &&
               run_open(run, (unsigned)s->connections)) {
        run_begin(run);
        t->running = true;
        t->deadline = run->begin_ns + (uint64_t)s->milliseconds * 1000000;
        for (unsigned i = 0; s->rate == 0 && i < s->connections; i++) {
            send_batch(t, pool_conn(run->pool, i));
        }
        run_until_over(t);
        count_missed(t);
        run->done = filling ? t->next_key : t->answered;
    }
    t->running = false;
    free(t->noise);
    free(t->out);
    t->noise = t->out = NULL;
}

void run_requests(struct run *run)
{
    run_traffic(run, false);
}

void run_fill(struct run *run)
{
    run_traffic(run, true);
    if (!run_failed(run) && run->done < (uint64_t)run->settings->keys) {
        run_fail(run, "time was up after %llu keys", (unsigned long long)run->done);
    }
}
