/*
 * The pool: which host to try, when to try again. Everything about one connection is in pg_conn.
 */
#include "pg_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BACKOFF_FIRST_MS = 50, BACKOFF_MAX_MS = 2000, DEFAULT_TIMEOUT_MS = 5000, MAX_HOSTS = 16 };

struct slot {
    struct pg_pool *pool;
    struct pg_conn *conn;
    uv_timer_t *timer;
    unsigned index;
    unsigned host;     /* of the attempt under way */
    unsigned failures; /* since it was last ready */
};

struct pg_pool {
    uv_loop_t *loop;
    const struct pg_pool_events *events;
    void *owner;
    PQconninfoOption *options;
    struct pg_target targets[MAX_HOSTS];
    unsigned target_count;
    struct slot *slots;
    unsigned size;
    bool stopped;
};

/* --- targets out of the connection string -------------------------------------------------- */

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val && options->val[0] ? options->val : NULL;
    return NULL;
}

/* list_item copies the nth item of a comma-separated list; a list of one item serves for every n. NULL: none. */
static char *list_item(const char *list, unsigned n)
{
    if (list == NULL)
        return NULL;
    const bool single = strchr(list, ',') == NULL;
    for (unsigned i = 0; i < n && !single; i++) {
        list = strchr(list, ',');
        if (list == NULL)
            return NULL;
        list++;
    }
    const size_t len = strcspn(list, ",");
    return len ? (char *)slice_dup((struct slice){ (const uint8_t *)list, len }).p : NULL;
}

static unsigned list_length(const char *list)
{
    unsigned n = 1;
    for (; list && *list; list++)
        n += *list == ',';
    return n;
}

struct pairs {
    const char **keywords;
    const char **values;
    size_t n;
};

static void add_pair(struct pairs *p, const char *keyword, const char *value)
{
    if (value == NULL)
        return;
    p->keywords[p->n] = keyword;
    p->values[p->n++] = value;
}

static bool is_per_host(const char *keyword)
{
    return strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 ||
           strcmp(keyword, "port") == 0;
}

static void add_default(struct pairs *p, const PQconninfoOption *options, const char *keyword,
                        const char *value)
{
    if (option_value(options, keyword) == NULL)
        add_pair(p, keyword, value);
}

static void build_target(struct pg_pool *pool, unsigned n)
{
    enum { MAX_PAIRS = 60 };
    struct pairs p = { mem_zalloc(MAX_PAIRS * sizeof(char *)),
                       mem_zalloc(MAX_PAIRS * sizeof(char *)), 0 };
    char *host = list_item(option_value(pool->options, "host"), n);
    char *hostaddr = list_item(option_value(pool->options, "hostaddr"), n);
    char *port = list_item(option_value(pool->options, "port"), n);
    add_pair(&p, "host", host);
    add_pair(&p, "hostaddr", hostaddr);
    add_pair(&p, "port", port);
    for (const PQconninfoOption *o = pool->options; o->keyword && p.n < MAX_PAIRS - 8; o++)
        if (o->val && o->val[0] && !is_per_host(o->keyword))
            add_pair(&p, o->keyword, o->val);
    add_default(&p, pool->options, "target_session_attrs", "read-write");
    add_default(&p, pool->options, "gssencmode", "disable");
    add_default(&p, pool->options, "fallback_application_name", "cofre-core");
    /* A server that is gone without a word is noticed in seconds, not hours (no effect on a Unix socket). */
    add_default(&p, pool->options, "tcp_user_timeout", "8000");
    add_default(&p, pool->options, "keepalives_idle", "5");
    add_default(&p, pool->options, "keepalives_interval", "2");
    add_default(&p, pool->options, "keepalives_count", "3");
    const char *timeout = option_value(pool->options, "connect_timeout");
    const long seconds = timeout ? strtol(timeout, NULL, 10) : 0;
    pool->targets[n] = (struct pg_target){
        .keywords = p.keywords,
        .values = p.values,
        .host = host && host[0] != '/' && host[0] != '@' && hostaddr == NULL ? host : NULL,
        .port = port,
        .timeout_ms = seconds > 0 ? (uint64_t)seconds * 1000 : DEFAULT_TIMEOUT_MS,
    };
}

static void free_target(struct pg_target *t)
{
    for (size_t i = 0; t->keywords[i]; i++)
        if (is_per_host(t->keywords[i]))
            free((void *)t->values[i]);
    free((void *)t->keywords);
    free((void *)t->values);
}

/* --- slots ------------------------------------------------------------------------------- */

static void open_slot(struct slot *s)
{
    pg_conn_open(s->conn, &s->pool->targets[s->host]);
}

static void on_retry(uv_timer_t *timer)
{
    open_slot(timer->data);
}

/* Full jitter: anywhere up to a bound that doubles with each round through the hosts. */
static uint64_t backoff_ms(const struct slot *s)
{
    const unsigned rounds = s->failures / s->pool->target_count;
    uint64_t bound = BACKOFF_FIRST_MS;
    for (unsigned i = 0; i < rounds && bound < BACKOFF_MAX_MS; i++)
        bound *= 2;
    if (bound > BACKOFF_MAX_MS)
        bound = BACKOFF_MAX_MS;
    return bound / 2 + (uint64_t)random() % (bound / 2 + 1);
}

static void on_ready(struct pg_conn *c, void *owner)
{
    struct slot *s = owner;
    (void)c;
    s->failures = 0;
    s->pool->events->ready(s->pool->owner, s->index);
}

static void on_lost(struct pg_conn *c, enum pg_loss loss, const char *why, void *owner)
{
    struct slot *s = owner;
    struct pg_pool *pool = s->pool;
    (void)c;
    if (pool->stopped)
        return;
    s->failures++;
    s->host = (s->host + 1) % pool->target_count;
    uv_timer_start(s->timer, on_retry, backoff_ms(s), 0);
    pool->events->lost(pool->owner, s->index, loss, why, s->failures == 1);
}

static void on_notified(struct pg_conn *c, struct slice payload, void *owner)
{
    struct slot *s = owner;
    (void)c;
    s->pool->events->notified(s->pool->owner, s->index, payload);
}

static const struct pg_conn_events turn_events = { .ready = on_ready, .lost = on_lost };
static const struct pg_conn_events listening_events = { .ready = on_ready,
                                                        .lost = on_lost,
                                                        .notified = on_notified };

static void init_slot(struct pg_pool *pool, unsigned index)
{
    struct slot *s = &pool->slots[index];
    s->pool = pool;
    s->index = index;
    s->conn = pg_conn_new(pool->loop, pool->events->notified ? &listening_events : &turn_events, s);
    s->timer = mem_alloc(sizeof(*s->timer));
    s->timer->data = s;
    uv_timer_init(pool->loop, s->timer);
}

enum err pg_pool_new(uv_loop_t *loop, const char *conninfo, unsigned size,
                     const struct pg_pool_events *events, void *owner, char *why, size_t why_size,
                     struct pg_pool **out)
{
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &error);
    if (options == NULL) {
        snprintf(why, why_size, "%s", error ? error : "out of memory");
        why[strcspn(why, "\n")] = '\0';
        PQfreemem(error);
        return ERR_INVALID;
    }
    struct pg_pool *pool = mem_zalloc(sizeof(*pool));
    pool->loop = loop;
    pool->events = events;
    pool->owner = owner;
    pool->options = options;
    pool->size = size;
    const unsigned hosts = list_length(option_value(options, "host"));
    const unsigned addresses = list_length(option_value(options, "hostaddr"));
    pool->target_count = hosts > addresses ? hosts : addresses;
    if (pool->target_count > MAX_HOSTS)
        pool->target_count = MAX_HOSTS;
    for (unsigned i = 0; i < pool->target_count; i++)
        build_target(pool, i);
    pool->slots = mem_zalloc(size * sizeof(*pool->slots));
    for (unsigned i = 0; i < size; i++)
        init_slot(pool, i);
    *out = pool;
    return ERR_OK;
}

void pg_pool_start(struct pg_pool *pool)
{
    for (unsigned i = 0; i < pool->size; i++)
        open_slot(&pool->slots[i]);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void pg_pool_stop(struct pg_pool *pool)
{
    pool->stopped = true;
    for (unsigned i = 0; i < pool->size; i++) {
        struct slot *s = &pool->slots[i];
        if (s->conn == NULL)
            continue;
        pg_conn_free(s->conn);
        s->conn = NULL;
        uv_close((uv_handle_t *)s->timer, free_handle);
    }
}

void pg_pool_free(struct pg_pool *pool)
{
    if (pool == NULL)
        return;
    pg_pool_stop(pool);
    for (unsigned i = 0; i < pool->target_count; i++)
        free_target(&pool->targets[i]);
    PQconninfoFree(pool->options);
    free(pool->slots);
    free(pool);
}

struct pg_conn *pg_pool_conn(struct pg_pool *pool, unsigned slot)
{
    struct pg_conn *c = pool->slots[slot].conn;
    return c && pg_conn_is_ready(c) ? c : NULL;
}
