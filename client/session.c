/* session: TCP, then TLS, then commands and replies, one at a time. It prints nothing. */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
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

static void disconnect(struct session *s)
{
    tls_free(s->tls);
    reply_reader_free(s->reader);
    buf_clear(&s->in);
    s->tls = NULL;
    s->reader = NULL;
    s->answered = false;
    s->in_transaction = false;
}

void session_free(struct session *s)
{
    if (s != NULL) {
        disconnect(s);
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

static void explain_connect(const struct session *s, int error, struct problem *problem)
{
    switch (error) {
    case ECONNREFUSED:
        problem_set(problem, EXIT_CONNECTION,
                    "nothing listens at %s: is cofre-gateway running, and are host and port right?",
                    s->where);
        return;
    case ETIMEDOUT:
        problem_set(
            problem, EXIT_CONNECTION,
            "no answer from %s within %.1f seconds: check host, port and firewalls, or allow more with --timeout",
            s->where, (double)s->options.timeout_ms / 1000);
        return;
    case ENETUNREACH:
    case EHOSTUNREACH:
        problem_set(problem, EXIT_CONNECTION,
                    "there is no way to %s from here: check host and network", s->where);
        return;
    default:
        problem_set(problem, EXIT_CONNECTION, "cannot connect to %s: %s", s->where,
                    strerror(error));
        return;
    }
}

/* connect_one returns a connected, nonblocking socket, or -1 with errno. */
static int connect_one(const struct addrinfo *address, int64_t deadline)
{
    int one = 1;
    int error = 0;
    socklen_t len = sizeof(error);
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        error = errno;
    }
    if (error == EINPROGRESS) {
        error = ETIMEDOUT;
        if (wait_until(fd, POLLOUT, deadline) == ERR_OK) {
            (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
        }
    }
    if (error != 0) {
        (void)close(fd);
        errno = error;
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    return fd;
}

static int connect_any(const struct session *s, int64_t deadline, struct problem *problem)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC };
    struct addrinfo *list = NULL;
    char port[8];
    int fd = -1;

    (void)snprintf(port, sizeof(port), "%d", s->options.port);
    int rc = getaddrinfo(s->options.host, port, &hints, &list);
    if (rc != 0) {
        problem_set(problem, EXIT_CONNECTION, "the host '%s' is not known (%s): check -h",
                    s->options.host, rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
        return -1;
    }
    errno = ECONNREFUSED;
    for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = connect_one(a, deadline);
    }
    int error = errno;
    freeaddrinfo(list);
    if (fd < 0) {
        explain_connect(s, error, problem);
    }
    return fd;
}

static enum err open_link(struct session *s, struct problem *problem)
{
    int64_t deadline = wait_now() + s->options.timeout_ms;
    struct tls_peer peer = {
        .where = s->where,
        .name = s->options.sni != NULL ? s->options.sni : s->options.host,
    };
    int fd = connect_any(s, deadline, problem);

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

static enum err read_reply(struct session *s, struct reply **out, struct problem *problem)
{
    for (;;) {
        size_t used = 0;
        struct reply *reply = NULL;
        enum reply_status status = reply_read(s->reader, buf_slice(&s->in), &used, &reply);
        buf_consume(&s->in, used);
        if (status == REPLY_BROKEN) {
            problem_set(problem, EXIT_CONNECTION,
                        "what answers at %s does not speak the Redis protocol: check host and port",
                        s->where);
            return ERR_PROTOCOL;
        }
        if (status == REPLY_NEED_MORE) {
            enum err err = read_more(s, problem);
            if (err != ERR_OK) {
                return err;
            }
        } else if (reply->type == REPLY_PUSH) {
            if (s->on_push != NULL) {
                s->on_push(reply, s->on_push_arg);
            }
            reply_free(reply);
        } else {
            *out = reply;
            return ERR_OK;
        }
    }
}

static enum err exchange(struct session *s, const struct slice *argv, size_t argc,
                         struct reply **out, struct problem *problem)
{
    enum err err = send_command(s, argv, argc, problem);
    if (err == ERR_OK) {
        err = read_reply(s, out, problem);
    }
    if (err == ERR_OK) {
        s->answered = true;
        return ERR_OK;
    }
    if (s->answered) {
        problem_set(problem, EXIT_CONNECTION,
                    "%s; whether the last command was carried out is not known", problem->text);
    }
    disconnect(s);
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
        disconnect(s);
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

enum err session_connect(struct session *s, struct problem *problem)
{
    if (s->tls != NULL && tls_is_over(s->tls)) {
        disconnect(s);
    }
    if (s->tls != NULL) {
        return ERR_OK;
    }
    enum err err = open_link(s, problem);
    return err != ERR_OK ? err : introduce(s, problem);
}

/* follow keeps track of what a successful command changes: a new connection must be the same again. */
static void follow(struct session *s, const struct slice *argv, size_t argc)
{
    int64_t number = 0;

    if (slice_eq_nocase(argv[0], SLICE("SELECT")) && argc == 2) {
        if (slice_to_i64(argv[1], &number) == ERR_OK && !s->in_transaction) {
            s->options.db = number;
        }
    } else if (slice_eq_nocase(argv[0], SLICE("HELLO")) && argc > 1) {
        if (slice_to_i64(argv[1], &number) == ERR_OK) {
            s->options.protocol = (int)number;
        }
    } else if (slice_eq_nocase(argv[0], SLICE("MULTI"))) {
        s->in_transaction = true;
    } else if (slice_eq_nocase(argv[0], SLICE("DISCARD"))) {
        s->in_transaction = false;
    } else if (slice_eq_nocase(argv[0], SLICE("RESET"))) {
        s->in_transaction = false;
        s->options.db = 0;
        s->options.protocol = 2;
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
    if (slice_eq_nocase(argv[0], SLICE("EXEC"))) {
        s->in_transaction = false; /* also when it failed */
    }
    if (reply->type != REPLY_ERROR) {
        follow(s, argv, argc);
    }
    *out = reply;
    return ERR_OK;
}
