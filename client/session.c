/* session: commands and replies over one connection, one at a time, and what a new connection must restore. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "dial.h"
#include "tls.h"
#include "wait.h"

enum { READ_CHUNK = 64 << 10, INPUT_MAX = 256 << 10 };

struct session {
    struct session_options options;
    char where[300];
    struct tls *tls; /* NULL: not connected */
    struct reply_reader *reader;
    struct buf in; /* unread bytes: never more than a line and one chunk */
    bool answered; /* this connection has brought a reply */
    bool in_transaction;
    bool watching;     /* WATCH was used since the last EXEC */
    int64_t queued_db; /* of a SELECT inside MULTI, or -1 */
    void (*on_push)(const struct reply *push, void *arg);
    void *on_push_arg;
};

struct session *session_new(const struct session_options *options,
                            void (*on_push)(const struct reply *push, void *arg), void *arg)
{
    struct session *s = mem_zalloc(sizeof(*s));
    bool is_v6 = strchr(options->host, ':') != NULL;

    s->options = *options;
    s->on_push = on_push;
    s->on_push_arg = arg;
    buf_init(&s->in, INPUT_MAX);
    (void)snprintf(s->where, sizeof(s->where), is_v6 ? "[%s]:%d" : "%s:%d", options->host,
                   options->port);
    return s;
}

void session_disconnect(struct session *s)
{
    tls_free(s->tls);
    reply_reader_free(s->reader);
    buf_clear(&s->in);
    s->tls = NULL;
    s->reader = NULL;
    s->answered = false;
    s->in_transaction = false;
    s->watching = false;
}

void session_free(struct session *s)
{
    if (s != NULL) {
        session_disconnect(s);
        buf_release(&s->in);
        free(s);
    }
}

bool session_is_connected(const struct session *s)
{
    return s->tls != NULL;
}

bool session_has_ended(const struct session *s)
{
    return s->tls != NULL && tls_is_over(s->tls);
}

bool session_in_transaction(const struct session *s)
{
    return s->in_transaction;
}

int64_t session_db(const struct session *s)
{
    return s->options.db;
}

const char *session_where(const struct session *s)
{
    return s->where;
}

/* connecting */

static enum err open_link(struct session *s, struct problem *problem)
{
    int64_t deadline = wait_now() + s->options.timeout_ms;
    struct tls_peer peer = {
        .where = s->where,
        .name = s->options.sni != NULL ? s->options.sni : s->options.host,
    };
    struct dial_target target = {
        .host = s->options.host,
        .port = s->options.port,
        .where = s->where,
        .timeout_ms = s->options.timeout_ms,
    };
    int fd = dial(&target, deadline, problem);

    if (fd < 0) {
        return ERR_CLOSED;
    }
    s->tls = tls_open(s->options.tls, fd, &peer, deadline, problem);
    if (s->tls == NULL) {
        return ERR_CLOSED;
    }
    s->reader = reply_reader_new();
    return ERR_OK;
}

/* commands and replies */

static enum err send_command(struct session *s, const struct slice *argv, size_t argc,
                             struct problem *problem)
{
    struct buf out;

    buf_init(&out, SIZE_MAX / 2);
    buf_printf(&out, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        buf_printf(&out, "$%zu\r\n", argv[i].len);
        buf_append_slice(&out, argv[i]);
        buf_append(&out, "\r\n", 2);
    }
    enum err err = tls_write(s->tls, buf_slice(&out), problem);
    buf_release(&out);
    return err;
}

static enum err read_more(struct session *s, struct problem *problem)
{
    size_t n = 0;
    uint8_t *room = buf_reserve(&s->in, READ_CHUNK);

    if (room == NULL) { /* the reader refuses longer lines, so this is not reached */
        problem_set(problem, EXIT_CONNECTION, "the reply from %s is too large", s->where);
        return ERR_LIMIT;
    }
    enum err err = tls_read(s->tls, room, READ_CHUNK, &n, problem);
    if (err == ERR_OK) {
        buf_commit(&s->in, n);
    }
    return err;
}

enum err session_next(struct session *s, struct reply **out, struct problem *problem)
{
    for (;;) {
        size_t used = 0;
        enum reply_status status = reply_read(s->reader, buf_slice(&s->in), &used, out);
        buf_consume(&s->in, used);
        if (status == REPLY_READY) {
            return ERR_OK;
        }
        if (status == REPLY_BROKEN) {
            problem_set(problem, EXIT_CONNECTION,
                        "what answers at %s does not speak the Redis protocol: check host and port",
                        s->where);
            return ERR_PROTOCOL;
        }
        enum err err = read_more(s, problem);
        if (err != ERR_OK) {
            return err;
        }
    }
}

/* In RESP3 these have no reply but the pushes that say so. */
static bool answers_by_push(const struct slice *argv)
{
    static const char *const names[] = { "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE",
                                         "SUBSCRIBE",   "PSUBSCRIBE",   "SSUBSCRIBE" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (slice_eq_nocase(argv[0], slice_of(names[i]))) {
            return true;
        }
    }
    return false;
}

static enum err read_reply(struct session *s, bool by_push, struct reply **out,
                           struct problem *problem)
{
    for (;;) {
        struct reply *reply = NULL;
        enum err err = session_next(s, &reply, problem);
        if (err != ERR_OK) {
            return err;
        }
        if (reply->type != REPLY_PUSH || by_push) {
            *out = reply;
            return ERR_OK;
        }
        if (s->on_push != NULL) {
            s->on_push(reply, s->on_push_arg);
        }
        reply_free(reply);
    }
}

static enum err exchange(struct session *s, const struct slice *argv, size_t argc,
                         struct reply **out, struct problem *problem)
{
    enum err err = send_command(s, argv, argc, problem);
    if (err == ERR_OK) {
        err = read_reply(s, answers_by_push(argv), out, problem);
    }
    if (err == ERR_OK) {
        s->answered = true;
        return ERR_OK;
    }
    if (s->answered) {
        problem_set(problem, EXIT_CONNECTION,
                    "%s; whether the last command was carried out is not known", problem->text);
    }
    session_disconnect(s);
    return ERR_CLOSED;
}

/* What the server said to a command that a new connection begins with. */
static enum err expect_done(struct session *s, const struct slice *argv, size_t argc,
                            const char *what, struct problem *problem)
{
    struct reply *reply = NULL;
    enum err err = exchange(s, argv, argc, &reply, problem);

    if (err == ERR_OK && reply->type == REPLY_ERROR) {
        problem_set(problem, EXIT_ERROR_REPLY, "the server at %s refuses %s: %s", s->where, what,
                    (char *)reply->text);
        session_disconnect(s);
        err = ERR_REFUSED;
    }
    reply_free(reply);
    return err;
}

static enum err introduce(struct session *s, struct problem *problem)
{
    char db[24];
    char what[48];
    enum err err = ERR_OK;

    if (s->options.protocol == 3) {
        struct slice hello[] = { SLICE("HELLO"), SLICE("3") };
        err = expect_done(s, hello, ARRAY_SIZE(hello), "RESP3 (-3)", problem);
    }
    if (err == ERR_OK && s->options.db != 0) {
        (void)snprintf(db, sizeof(db), "%lld", (long long)s->options.db);
        (void)snprintf(what, sizeof(what), "database %s (-n)", db);
        struct slice select[] = { SLICE("SELECT"), slice_of(db) };
        err = expect_done(s, select, ARRAY_SIZE(select), what, problem);
    }
    return err;
}

/* What a transaction would do on another connection is not what was meant: it must be begun again. */
static enum err drop_ended(struct session *s, struct problem *problem)
{
    bool lost = s->in_transaction || s->watching;

    if (s->tls == NULL || !tls_is_over(s->tls)) {
        return ERR_OK;
    }
    session_disconnect(s);
    if (lost) {
        problem_set(
            problem, EXIT_CONNECTION,
            "the server at %s ended the connection, and with it the transaction: nothing of it was carried out, begin it again",
            s->where);
        return ERR_CLOSED;
    }
    return ERR_OK;
}

enum err session_connect(struct session *s, struct problem *problem)
{
    if (drop_ended(s, problem) != ERR_OK) {
        return ERR_CLOSED;
    }
    if (s->tls != NULL) {
        return ERR_OK;
    }
    enum err err = open_link(s, problem);
    return err != ERR_OK ? err : introduce(s, problem);
}

static void follow_select(struct session *s, const struct slice *argv, size_t argc)
{
    int64_t number = 0;
    if (argc == 2 && slice_to_i64(argv[1], &number) == ERR_OK) {
        *(s->in_transaction ? &s->queued_db : &s->options.db) = number;
    }
}

static void follow_hello(struct session *s, const struct slice *argv, size_t argc)
{
    int64_t number = 0;
    if (argc > 1 && slice_to_i64(argv[1], &number) == ERR_OK) {
        s->options.protocol = (int)number;
    }
}

static void follow_multi(struct session *s, const struct slice *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    s->in_transaction = true;
    s->queued_db = -1;
}

static void follow_watch(struct session *s, const struct slice *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    s->watching = true;
}

static void follow_end(struct session *s, const struct slice *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    s->in_transaction = false;
    s->watching = false;
}

static void follow_exec(struct session *s, const struct slice *argv, size_t argc)
{
    s->options.db = s->queued_db >= 0 ? s->queued_db : s->options.db;
    follow_end(s, argv, argc);
}

static void follow_unwatch(struct session *s, const struct slice *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    s->watching = s->watching && s->in_transaction; /* queued, it happens at EXEC */
}

static void follow_reset(struct session *s, const struct slice *argv, size_t argc)
{
    follow_end(s, argv, argc);
    s->options.db = 0;
    s->options.protocol = 2;
}

/*
 * What a command changes in the session: a new connection must be the same again.
 * done    the change, when it succeeded
 * failed  the change, when it answered an error or nil
 */
typedef void follow_fn(struct session *s, const struct slice *argv, size_t argc);
struct follow_row {
    const char *command;
    follow_fn *done;
    follow_fn *failed;
};
static const struct follow_row follow_rows[] = {
    { "SELECT", follow_select, NULL },   { "HELLO", follow_hello, NULL },
    { "MULTI", follow_multi, NULL },     { "EXEC", follow_exec, follow_end },
    { "DISCARD", follow_end, NULL },     { "WATCH", follow_watch, NULL },
    { "UNWATCH", follow_unwatch, NULL }, { "RESET", follow_reset, NULL },
};

static void follow(struct session *s, const struct slice *argv, size_t argc,
                   const struct reply *reply)
{
    bool failed = reply->type == REPLY_ERROR || reply->type == REPLY_NIL;

    for (size_t i = 0; i < ARRAY_SIZE(follow_rows); i++) {
        const struct follow_row *row = &follow_rows[i];
        follow_fn *fn = failed ? row->failed : row->done;
        if (fn != NULL && slice_eq_nocase(argv[0], slice_of(row->command))) {
            fn(s, argv, argc);
        }
    }
}

enum err session_command(struct session *s, const struct slice *argv, size_t argc,
                         struct reply **out, struct problem *problem)
{
    struct reply *reply = NULL;
    enum err err = exchange(s, argv, argc, &reply, problem);

    if (err != ERR_OK) {
        return err;
    }
    follow(s, argv, argc, reply);
    *out = reply;
    return ERR_OK;
}

enum err session_follow(struct session *s, const struct slice *argv, size_t argc,
                        struct problem *problem)
{
    enum err err = send_command(s, argv, argc, problem);

    if (err != ERR_OK) {
        session_disconnect(s);
        return ERR_CLOSED;
    }
    return ERR_OK;
}
