/*
 * One PostgreSQL connection. libpq's pipeline mode keeps a queue of its own; `ops` mirrors it, so that each
 * result finds its function. https://www.postgresql.org/docs/15/libpq-pipeline-mode.html
 */
#include "pg_conn.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum conn_state {
    CONN_CLOSED,
    CONN_RESOLVING,
    CONN_CONNECTING,
    CONN_PREPARING,
    CONN_READY,
};

struct op {
    pg_result_fn *on_result;
    pg_group_fn *on_end; /* set: this op is the Sync that ends a group */
    void *arg;
    int flags;
};

/* The queue of ops: [head, tail) outstanding, indexes grow for ever and are masked. */
struct op_queue {
    struct op *ring;
    size_t cap; /* a power of two */
    size_t head;
    size_t tail;
};

struct pg_conn {
    enum conn_state state;
    uv_loop_t *loop;
    const struct pg_conn_events *events;
    void *owner;
    const struct pg_target *target;
    PGconn *pg;
    uv_poll_t *poll; /* of its own allocation: its close is asynchronous, the conn's is not */
    int poll_fd;
    int poll_events;
    uv_timer_t *timer;
    struct resolve *resolve;
    struct op_queue ops;
    char sqlstate[8]; /* first failure in the group being read */
    char message[256];
    char server_version[32];
    int64_t clock_sent_ms;
    int64_t clock_offset;
    uint64_t opened_ns;
    uint64_t setup_ns;
    enum pg_loss setup_loss;
    char setup_why[256]; /* empty: nothing was found wrong with the server */
};

struct resolve {
    uv_getaddrinfo_t request;
    struct pg_conn *conn; /* NULL: given up */
};

/* --- results ---------------------------------------------------------------------------- */

int pg_row_count(const struct pg_result *r)
{
    return PQntuples(r);
}

int64_t pg_changed_rows(struct pg_result *r)
{
    return strtoll(PQcmdTuples(r), NULL, 10);
}

void pg_result_free(struct pg_result *r)
{
    PQclear(r);
}

struct slice pg_get_bytes(const PGresult *r, int row, int column)
{
    if (PQgetisnull(r, row, column))
        return (struct slice){ NULL, 0 };
    return (struct slice){ (const uint8_t *)PQgetvalue(r, row, column),
                           (size_t)PQgetlength(r, row, column) };
}

int64_t pg_get_int(const PGresult *r, int row, int column)
{
    const uint8_t *p = (const uint8_t *)PQgetvalue(r, row, column);
    const int len = PQgetlength(r, row, column);
    uint64_t v = len > 0 && p[0] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < len && i < 8; i++)
        v = v << 8 | p[i];
    return PQgetisnull(r, row, column) ? 0 : (int64_t)v;
}

/* --- the queue of outstanding operations -------------------------------------------------- */

static bool ops_empty(const struct op_queue *q)
{
    return q->head == q->tail;
}

static struct op *ops_head(struct op_queue *q)
{
    return &q->ring[q->head & (q->cap - 1)];
}

static void ops_push(struct op_queue *q, struct op op)
{
    if (q->tail - q->head == q->cap) {
        const size_t cap = q->cap ? q->cap * 2 : 16;
        struct op *ring = mem_alloc(cap * sizeof(*ring));
        for (size_t i = q->head; i != q->tail; i++)
            ring[i & (cap - 1)] = q->ring[i & (q->cap - 1)];
        free(q->ring);
        q->ring = ring;
        q->cap = cap;
    }
    q->ring[q->tail++ & (q->cap - 1)] = op;
}

/* --- closing ---------------------------------------------------------------------------- */

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void stop_poll(struct pg_conn *c)
{
    if (c->poll == NULL)
        return;
    uv_poll_stop(c->poll);
    uv_close((uv_handle_t *)c->poll, free_handle);
    c->poll = NULL;
    c->poll_events = 0;
}

static void close_socket(struct pg_conn *c)
{
    stop_poll(c); /* before PQfinish closes the descriptor */
    uv_timer_stop(c->timer);
    if (c->resolve) {
        c->resolve->conn = NULL;
        uv_cancel((uv_req_t *)&c->resolve->request);
        c->resolve = NULL;
    }
    PQfinish(c->pg);
    c->pg = NULL;
    c->state = CONN_CLOSED;
}

static void fail_outstanding(struct pg_conn *c, const char *why)
{
    while (!ops_empty(&c->ops)) {
        const struct op op = *ops_head(&c->ops);
        c->ops.head++;
        if (op.on_end)
            op.on_end(op.arg, PG_GROUP_LOST, "", why);
    }
}

void pg_conn_drop(struct pg_conn *c, enum pg_loss loss, const char *why)
{
    if (c->state == CONN_CLOSED)
        return;
    char reason[256];
    snprintf(reason, sizeof(reason), "%s", why);
    reason[strcspn(reason, "\n")] = '\0';
    close_socket(c);
    fail_outstanding(c, reason);
    c->events->lost(c, loss, reason, c->owner);
}

static void drop_with_pq_error(struct pg_conn *c)
{
    const char *why = PQerrorMessage(c->pg);
    const bool read_only = strstr(why, "read-only") != NULL;
    pg_conn_drop(c, read_only ? PG_LOSS_READ_ONLY : PG_LOSS_NETWORK, why);
}

/* --- reading and writing ------------------------------------------------------------------ */

static void on_socket(uv_poll_t *poll, int status, int events);
static void on_timeout(uv_timer_t *timer);

/* watch polls the connection's present socket; libpq may have changed it while connecting. */
static void watch(struct pg_conn *c, int events)
{
    if (c->poll && c->poll_events == events)
        return;
    const int fd = PQsocket(c->pg);
    if (c->poll && c->poll_fd != fd)
        stop_poll(c);
    if (c->poll == NULL) {
        c->poll = mem_alloc(sizeof(*c->poll));
        c->poll_fd = fd;
        c->poll->data = c;
        uv_poll_init(c->loop, c->poll, fd);
    }
    c->poll_events = events;
    uv_poll_start(c->poll, events, on_socket);
}

static void flush(struct pg_conn *c)
{
    const int left = PQflush(c->pg);
    if (left < 0)
        drop_with_pq_error(c);
    else
        watch(c, left ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void note_failure(struct pg_conn *c, const PGresult *result)
{
    if (c->sqlstate[0])
        return;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    snprintf(c->sqlstate, sizeof(c->sqlstate), "%s", state ? state : "XX000");
    snprintf(c->message, sizeof(c->message), "%s", text ? text : "unknown error");
}

static void choose_row_mode(struct pg_conn *c)
{
    if (!ops_empty(&c->ops) && ops_head(&c->ops)->flags & PG_ROW_BY_ROW)
        PQsetSingleRowMode(c->pg); /* when refused, the rows come in one result: the same to us */
}

static void end_group(struct pg_conn *c)
{
    const struct op op = *ops_head(&c->ops);
    c->ops.head++;
    char state[sizeof(c->sqlstate)];
    char message[sizeof(c->message)];
    memcpy(state, c->sqlstate, sizeof(state));
    memcpy(message, c->message, sizeof(message));
    c->sqlstate[0] = '\0';
    c->message[0] = '\0';
    op.on_end(op.arg, state[0] ? PG_GROUP_FAILED : PG_GROUP_OK, state, message);
}

static void take_result(struct pg_conn *c, PGresult *result)
{
    bool kept = false;
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
    case PGRES_COMMAND_OK: {
        const struct op *op = ops_head(&c->ops);
        if (op->on_result && c->sqlstate[0] == '\0')
            kept = op->on_result(op->arg, result);
        break;
    }
    case PGRES_PIPELINE_SYNC:
        end_group(c);
        if (c->state >= CONN_PREPARING)
            choose_row_mode(c);
        break;
    case PGRES_PIPELINE_ABORTED:
        break;
    default:
        note_failure(c, result);
    }
    if (!kept)
        PQclear(result);
}

static void read_results(struct pg_conn *c)
{
    while (c->state >= CONN_PREPARING && !ops_empty(&c->ops) && !PQisBusy(c->pg)) {
        PGresult *result = PQgetResult(c->pg);
        if (result) {
            take_result(c, result);
            continue;
        }
        if (ops_head(&c->ops)->on_end) /* libpq has nothing, though a Sync is due */
            return;
        c->ops.head++; /* NULL ends one statement's results */
        choose_row_mode(c);
    }
}

/* Notifications come between results, when the server is in no transaction. */
static void read_notifications(struct pg_conn *c)
{
    PGnotify *n;
    while (c->events->notified && c->state == CONN_READY && (n = PQnotifies(c->pg))) {
        c->events->notified(c, slice_of(n->extra), c->owner);
        PQfreemem(n);
    }
}

static void on_ready_socket(struct pg_conn *c, int events)
{
    if (events & UV_READABLE) {
        if (!PQconsumeInput(c->pg)) {
            /* What arrived before the break may hold answers, or the server's reason for closing. */
            read_results(c);
            read_notifications(c);
            if (c->state >= CONN_PREPARING)
                drop_with_pq_error(c);
            return;
        }
        read_results(c);
        read_notifications(c);
    }
    if (c->state >= CONN_PREPARING && PQstatus(c->pg) == CONNECTION_BAD)
        drop_with_pq_error(c);
    else if (c->state >= CONN_PREPARING && events & UV_WRITABLE)
        flush(c);
}

/* --- queries ---------------------------------------------------------------------------- */

static void collect(const struct pg_params *p, const char **values, int *lengths, int *formats)
{
    for (int i = 0; i < p->count; i++) {
        const bool null = p->param[i].length < 0;
        values[i] = null ? NULL : (const char *)p->bytes.p + p->bytes.start + p->param[i].offset;
        lengths[i] = null ? 0 : p->param[i].length;
        formats[i] = 1;
    }
}

void pg_conn_query(struct pg_conn *c, enum sql_id id, const struct pg_params *params, int flags,
                   pg_result_fn *fn, void *arg)
{
    static const struct pg_params none = { .count = 0, .open_array = -1 };
    const char *values[SQL_MAX_PARAMS];
    int lengths[SQL_MAX_PARAMS];
    int formats[SQL_MAX_PARAMS];
    if (params)
        pg_params_finish((struct pg_params *)params);
    else
        params = &none;
    collect(params, values, lengths, formats);
    const bool first = ops_empty(&c->ops);
    ops_push(&c->ops, (struct op){ .on_result = fn, .arg = arg, .flags = flags });
    /* A failure to queue shows as a bad connection; the group's end reports it. */
    if (c->pg &&
        !PQsendQueryPrepared(c->pg, sql_rows[id].name, params->count, values, lengths, formats, 1))
        log_event(LOG_ERROR, "cannot queue a statement", LF_STR("statement", sql_rows[id].name),
                  LF_STR("error", PQerrorMessage(c->pg)));
    if (first && c->pg)
        choose_row_mode(c);
}

/*
 * Sends what the group holds. libpq may find here that the connection is gone, and close its socket; that is told by the
 * timer: a call never calls back.
 */
void pg_conn_end_group(struct pg_conn *c, pg_group_fn *fn, void *arg)
{
    ops_push(&c->ops, (struct op){ .on_end = fn, .arg = arg });
    const int left = PQpipelineSync(c->pg) ? PQflush(c->pg) : -1;
    if (left < 0 || PQsocket(c->pg) < 0)
        uv_timer_start(c->timer, on_timeout, 0, 0);
    else
        watch(c, left ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

/* --- connecting --------------------------------------------------------------------------- */

static int64_t monotonic_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

/* setup_refuse notes the first thing that is wrong with the server; told when the last answer is in. */
static void setup_refuse(struct pg_conn *c, enum pg_loss loss, const char *why)
{
    if (c->setup_why[0])
        return;
    c->setup_loss = loss;
    snprintf(c->setup_why, sizeof(c->setup_why), "%s", why);
}

static bool check_settings(void *arg, PGresult *r)
{
    struct pg_conn *c = arg;
    snprintf(c->server_version, sizeof(c->server_version), "%s", PQgetvalue(r, 0, 0));
    c->clock_offset = pg_get_int(r, 0, 3) - (c->clock_sent_ms + monotonic_ms()) / 2;
    if (strcmp(PQgetvalue(r, 0, 1), "off") == 0)
        setup_refuse(c, PG_LOSS_SETTINGS,
                     "synchronous_commit is off and cannot be turned on: writes could be lost");
    if (strcmp(PQgetvalue(r, 0, 2), "UTF8") != 0)
        setup_refuse(c, PG_LOSS_SETTINGS, "the database's encoding must be UTF8");
    return false;
}

static bool check_schema(void *arg, PGresult *r)
{
    struct pg_conn *c = arg;
    const int64_t version = PQntuples(r) == 1 ? pg_get_int(r, 0, 0) : 0;
    if (version == SQL_SCHEMA_VERSION)
        return false;
    char why[128];
    snprintf(
        why, sizeof(why),
        "the cofre schema has version %d, this core needs version %d: run cofre-core --create-schema",
        (int)version, SQL_SCHEMA_VERSION);
    setup_refuse(c, PG_LOSS_SCHEMA, why);
    return false;
}

static void on_ignored(void *arg, enum pg_group_status status, const char *sqlstate,
                       const char *message)
{
    (void)arg;
    (void)status;
    (void)sqlstate;
    (void)message;
}

static void on_schema_checked(void *arg, enum pg_group_status status, const char *sqlstate,
                              const char *message)
{
    struct pg_conn *c = arg;
    if (status != PG_GROUP_FAILED)
        return;
    if (strcmp(sqlstate, "42P01") == 0 || strcmp(sqlstate, "3F000") == 0)
        setup_refuse(c, PG_LOSS_SCHEMA,
                     "the database has no cofre schema: run cofre-core --create-schema");
    else
        setup_refuse(c, PG_LOSS_NETWORK, message);
}

static void on_prepared(void *arg, enum pg_group_status status, const char *sqlstate,
                        const char *message)
{
    struct pg_conn *c = arg;
    (void)sqlstate;
    if (status == PG_GROUP_LOST)
        return;
    if (status == PG_GROUP_FAILED)
        setup_refuse(c, PG_LOSS_NETWORK, message);
    if (c->setup_why[0]) {
        pg_conn_drop(c, c->setup_loss, c->setup_why);
        return;
    }
    uv_timer_stop(c->timer);
    c->setup_ns = uv_hrtime() - c->opened_ns;
    c->state = CONN_READY;
    c->events->ready(c, c->owner);
}

static void send_text(struct pg_conn *c, const char *sql, pg_result_fn *fn)
{
    PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 1);
    ops_push(&c->ops, (struct op){ .on_result = fn, .arg = c });
}

/* Each in a group of its own: a server that does not know the setting goes without. */
static const char *const session_settings[] = {
    /* Statements reach rows through indexes whatever the statistics say; a plan is made once. */
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_bitmapscan = off",
    "SET jit = off",
    /* A backend whose core is gone lets go of its locks. */
    "SET client_connection_check_interval = '1s'",
    "SET idle_in_transaction_session_timeout = '3s'",
    /* Asked for, not assumed; remote_apply and the like stay. */
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN"
    " ('off', 'local')",
};

static void prepare_all(struct pg_conn *c)
{
    c->state = CONN_PREPARING;
    PQsetnonblocking(c->pg, 1);
    PQenterPipelineMode(c->pg);
    for (size_t i = 0; i < ARRAY_SIZE(session_settings); i++) {
        send_text(c, session_settings[i], NULL);
        pg_conn_end_group(c, on_ignored, c);
    }
    c->clock_sent_ms = monotonic_ms();
    send_text(
        c,
        "SELECT current_setting('server_version'), current_setting('synchronous_commit'),"
        " current_setting('server_encoding'), (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
        check_settings);
    send_text(c, "SELECT version FROM cofre.schema", check_schema);
    pg_conn_end_group(c, on_schema_checked, c);
    const bool listens = c->events->notified != NULL;
    const int end = listens ? SQL_ID_COUNT : SQL_TURNS_END;
    for (int i = listens ? SQL_TURNS_END : 0; i < end; i++) {
        const struct sql_row *row = &sql_rows[i];
        int n = 0;
        while (row->types[n])
            n++;
        PQsendPrepare(c->pg, row->name, row->text, n, row->types);
        ops_push(&c->ops, (struct op){ .arg = c });
    }
    pg_conn_end_group(c, on_prepared, c);
}

static void connect_step(struct pg_conn *c)
{
    switch (PQconnectPoll(c->pg)) {
    case PGRES_POLLING_READING:
        watch(c, UV_READABLE);
        break;
    case PGRES_POLLING_WRITING:
        watch(c, UV_WRITABLE);
        break;
    case PGRES_POLLING_OK:
        prepare_all(c);
        break;
    default:
        drop_with_pq_error(c);
    }
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct pg_conn *c = poll->data;
    if (c->state == CONN_CONNECTING) {
        uv_poll_stop(
            poll); /* libpq may close this descriptor and open another with the same number */
        c->poll_events = 0;
        connect_step(c);
        return;
    }
    if (status == 0) {
        on_ready_socket(c, events);
        return;
    }
    /* libuv has stopped the poll, as the socket has an error; the server's last words may come before its end. */
    c->poll_events = 0;
    on_ready_socket(c, UV_READABLE);
    if (c->poll == poll && c->state >= CONN_PREPARING)
        watch(c, UV_READABLE);
}

static void on_timeout(uv_timer_t *timer)
{
    struct pg_conn *c = timer->data;
    if (c->pg && PQstatus(c->pg) == CONNECTION_BAD)
        drop_with_pq_error(c);
    else
        pg_conn_drop(c, PG_LOSS_NETWORK,
                     c->state == CONN_READY       ? "cannot send to the server"
                     : c->state == CONN_PREPARING ? "timeout while preparing statements"
                                                  : "timeout while connecting");
}

/* start hands libpq the target, with the address that the name resolved to, so that it resolves nothing itself. */
static void start(struct pg_conn *c, const char *hostaddr)
{
    const char *keywords[64];
    const char *values[64];
    size_t n = 0;
    for (; n < ARRAY_SIZE(keywords) - 2 && c->target->keywords[n]; n++) {
        keywords[n] = c->target->keywords[n];
        values[n] = c->target->values[n];
    }
    if (hostaddr) {
        keywords[n] = "hostaddr";
        values[n++] = hostaddr;
    }
    keywords[n] = NULL;
    values[n] = NULL;
    c->state = CONN_CONNECTING;
    c->pg = PQconnectStartParams(keywords, values, 0);
    if (c->pg == NULL)
        abort(); /* libpq: out of memory */
    if (PQstatus(c->pg) == CONNECTION_BAD)
        drop_with_pq_error(c);
    else
        watch(c, UV_WRITABLE);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct resolve *resolve = container_of(request, struct resolve, request);
    struct pg_conn *c = resolve->conn;
    char address[64] = "";
    if (c && status == 0)
        uv_ip_name(found->ai_addr, address, sizeof(address));
    uv_freeaddrinfo(found);
    free(resolve);
    if (c == NULL)
        return;
    c->resolve = NULL;
    if (address[0])
        start(c, address);
    else
        pg_conn_drop(c, PG_LOSS_NETWORK,
                     status ? uv_strerror(status) : "the host name has no address");
}

static void resolve_then_start(struct pg_conn *c)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    c->state = CONN_RESOLVING;
    c->resolve = mem_zalloc(sizeof(*c->resolve));
    c->resolve->conn = c;
    const int rc = uv_getaddrinfo(c->loop, &c->resolve->request, on_resolved, c->target->host,
                                  c->target->port, &hints);
    if (rc == 0)
        return;
    free(c->resolve);
    c->resolve = NULL;
    pg_conn_drop(c, PG_LOSS_NETWORK, uv_strerror(rc));
}

void pg_conn_open(struct pg_conn *c, const struct pg_target *target)
{
    c->target = target;
    c->opened_ns = uv_hrtime();
    c->setup_why[0] = '\0';
    c->sqlstate[0] = '\0';
    uv_timer_start(c->timer, on_timeout, target->timeout_ms, 0);
    if (target->host)
        resolve_then_start(c);
    else
        start(c, NULL);
}

struct pg_conn *pg_conn_new(uv_loop_t *loop, const struct pg_conn_events *events, void *owner)
{
    struct pg_conn *c = mem_zalloc(sizeof(*c));
    c->loop = loop;
    c->events = events;
    c->owner = owner;
    c->timer = mem_alloc(sizeof(*c->timer));
    c->timer->data = c;
    uv_timer_init(loop, c->timer);
    return c;
}

void pg_conn_free(struct pg_conn *c)
{
    if (c == NULL)
        return;
    close_socket(c);
    uv_close((uv_handle_t *)c->timer, free_handle);
    free(c->ops.ring);
    free(c);
}

bool pg_conn_is_ready(const struct pg_conn *c)
{
    return c->state == CONN_READY;
}

const char *pg_conn_server_version(const struct pg_conn *c)
{
    return c->server_version;
}

int64_t pg_conn_clock_offset(const struct pg_conn *c)
{
    return c->clock_offset;
}

uint64_t pg_conn_setup_ns(const struct pg_conn *c)
{
    return c->setup_ns;
}
