/*
 * link: the Unix socket to the core, nonblocking, driven by uv_poll. Frames are decoded in place in
 * one read buffer; what is appended to the output leaves in one write per loop turn.
 */
#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "base/log.h"

enum {
    IN_CAP = 512 * 1024,         /* several whole frames */
    OUT_MAX = 512 * 1024 * 1024, /* OPEN of a million sessions after a restart of the core */
    OUT_KEEP = 256 * 1024,       /* memory kept when it has run empty */
    GREETING_MS = 3000,
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 1000,
    BACKOFF_STRANGER_MS = 5000, /* it speaks another version: somebody has to act */
};

enum link_state { LINK_DOWN, LINK_GREETING, LINK_UP, LINK_CLOSED };

struct link {
    uv_loop_t *loop;
    const char *path;
    const struct link_events *events;
    void *arg;
    enum link_state state;
    int fd;
    uv_poll_t *poll;  /* of this connection; frees itself when closed, a new one may live already */
    uv_timer_t timer; /* backoff while down, patience while greeting */
    uint64_t backoff_ms;
    bool outage_logged;
    bool writing;      /* poll for room in the socket */
    bool draining;     /* the core stops: no request is begun any more */
    bool said_drained; /* and we have told it that none comes */
    uint8_t *in;       /* [0, filled): at most one incomplete frame between reads */
    size_t filled;
    struct buf out;
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void on_timer(uv_timer_t *timer);

struct link *link_new(uv_loop_t *loop, const char *path, const struct link_events *events,
                      void *arg)
{
    struct link *l = mem_zalloc(sizeof(*l));
    *l = (struct link){ .loop = loop,
                        .path = path,
                        .events = events,
                        .arg = arg,
                        .state = LINK_DOWN,
                        .fd = -1,
                        .backoff_ms = BACKOFF_FIRST_MS };
    l->in = mem_alloc(IN_CAP);
    buf_init(&l->out, OUT_MAX);
    uv_timer_init(loop, &l->timer);
    l->timer.data = l;
    uv_timer_start(&l->timer, on_timer, 0, 0);
    return l;
}

bool link_is_up(const struct link *l)
{
    return l->state == LINK_UP;
}

bool link_is_draining(const struct link *l)
{
    return l->draining;
}

/* The core answers what it was sent, then ends the link; our CLOSE tells it where that ends. */
void link_say_drained(struct link *l)
{
    if (l->draining && !l->said_drained) {
        l->said_drained = true;
        frame_write(&l->out, &(struct frame){ .type = FRAME_CLOSE });
    }
}

struct buf *link_out(struct link *l)
{
    return &l->out;
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void drop_socket(struct link *l)
{
    if (l->poll != NULL) {
        uv_close((uv_handle_t *)l->poll, on_poll_closed);
        l->poll = NULL;
    }
    if (l->fd >= 0) {
        close(l->fd);
        l->fd = -1;
    }
    buf_release(&l->out);
    l->filled = 0;
    l->writing = false;
    l->draining = false;
    l->said_drained = false;
}

/* Half of the backoff is random, so that workers and gateways do not come back in step. */
static void retry_later(struct link *l, uint64_t backoff_ms)
{
    uint16_t random;
    RAND_bytes((uint8_t *)&random, sizeof(random));
    uv_timer_start(&l->timer, on_timer, backoff_ms / 2 + random % (backoff_ms / 2 + 1), 0);
}

/* link_lost is the only way down: from a failed connect, a broken link or a stranger. */
static void link_lost(struct link *l, const char *why, bool stranger)
{
    bool was_up = l->state == LINK_UP;
    drop_socket(l);
    l->state = LINK_DOWN;
    if (!l->outage_logged) {
        log_event(stranger ? LOG_ERROR : LOG_WARNING,
                  "no link to the core: clients stay connected and get TRYAGAIN",
                  LF_STR("socket", l->path), LF_STR("reason", why));
        l->outage_logged = true;
    }
    retry_later(l, stranger ? BACKOFF_STRANGER_MS : l->backoff_ms);
    l->backoff_ms = l->backoff_ms * 2 < BACKOFF_MAX_MS ? l->backoff_ms * 2 : BACKOFF_MAX_MS;
    if (was_up) {
        l->events->on_down(l->arg);
    }
}

static int connect_to(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(addr.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(addr.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static void update_poll(struct link *l)
{
    uv_poll_start(l->poll, UV_READABLE | (l->writing ? UV_WRITABLE : 0), on_poll);
}

static void greet(struct link *l)
{
    l->state = LINK_GREETING;
    l->poll = mem_zalloc(sizeof(*l->poll));
    uv_poll_init(l->loop, l->poll, l->fd);
    l->poll->data = l;
    update_poll(l);
    frame_write_hello(&l->out,
                      &(struct frame_hello){ .version = FRAME_VERSION,
                                             .build = SLICE("cofre-gateway " COFRE_VERSION) });
    uv_timer_start(&l->timer, on_timer, GREETING_MS, 0);
    link_flush(l);
}

static void on_timer(uv_timer_t *timer)
{
    struct link *l = timer->data;
    if (l->state == LINK_GREETING) {
        link_lost(l, "it accepted the connection but sends no HELLO", false);
        return;
    }
    l->fd = connect_to(l->path);
    if (l->fd < 0) {
        link_lost(l, strerror(errno), false);
        return;
    }
    greet(l);
}

static void came_up(struct link *l, const struct frame_hello *hello)
{
    uv_timer_stop(&l->timer);
    l->state = LINK_UP;
    l->backoff_ms = BACKOFF_FIRST_MS;
    log_event(l->outage_logged ? LOG_INFO : LOG_DEBUG, "linked to the core",
              LF_STR("socket", l->path), LF_SLICE("build", hello->build));
    l->outage_logged = false;
    l->events->on_up(l->arg);
}

/* Each of these returns whether the link still stands. */

static bool take_hello(struct link *l, const struct frame *f)
{
    struct frame_hello hello;
    if (f->type != FRAME_HELLO || frame_parse_hello(f->payload, &hello) != ERR_OK) {
        link_lost(l, "whoever listens there does not speak the link's protocol", true);
        return false;
    }
    if (hello.version != FRAME_VERSION) {
        log_event(LOG_ERROR, "the core speaks another version of the link: install matching builds",
                  LF_INT("ours", FRAME_VERSION), LF_INT("theirs", hello.version),
                  LF_SLICE("build", hello.build));
        l->outage_logged = true;
        link_lost(l, "version", true);
        return false;
    }
    came_up(l, &hello);
    return true;
}

static bool take_frame(struct link *l, const struct frame *f)
{
    if (l->state == LINK_GREETING) {
        return take_hello(l, f);
    }
    switch (f->type) {
    case FRAME_PING:
        frame_write(&l->out, &(struct frame){ .type = FRAME_PONG, .payload = f->payload });
        return true;
    case FRAME_PONG:
        return true;
    case FRAME_CLOSE:
        if (f->session == 0) {
            l->draining = true;
            return true;
        }
        l->events->on_frame(l->arg, f);
        return true;
    case FRAME_REPLY:
    case FRAME_STATE:
        l->events->on_frame(l->arg, f);
        return true;
    default:
        link_lost(l, "the core sent a frame of a type that only we send", true);
        return false;
    }
}

static void take_frames(struct link *l)
{
    size_t at = 0;
    for (;;) {
        struct frame f;
        size_t used;
        enum frame_status status =
            frame_read((struct slice){ l->in + at, l->filled - at }, &f, &used);
        if (status == FRAME_BAD) {
            link_lost(l, "the core sent a frame that breaks the format", true);
            return;
        }
        if (status == FRAME_NEED_MORE) {
            break;
        }
        if (!take_frame(l, &f)) {
            return;
        }
        at += used;
    }
    l->events->on_batch_end(l->arg);
    memmove(l->in, l->in + at, l->filled - at);
    l->filled -= at;
}

static void read_socket(struct link *l)
{
    ssize_t n = recv(l->fd, l->in + l->filled, IN_CAP - l->filled, 0);
    if (n > 0) {
        l->filled += (size_t)n;
        take_frames(l);
    } else if (n == 0) {
        link_lost(l, "the core closed it", false);
    } else if (errno != EAGAIN && errno != EINTR) {
        link_lost(l, strerror(errno), false);
    }
}

void link_flush(struct link *l)
{
    if (l->fd < 0 || buf_len(&l->out) == 0) {
        return;
    }
    if (l->out.overflow) {
        link_lost(l, "more to send than fits", false);
        return;
    }
    struct slice s = buf_slice(&l->out);
    ssize_t n = send(l->fd, s.p, s.len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        link_lost(l, strerror(errno), false);
        return;
    }
    buf_consume(&l->out, n < 0 ? 0 : (size_t)n);
    bool writing = buf_len(&l->out) > 0;
    if (!writing && l->out.cap > OUT_KEEP) {
        buf_release(&l->out);
    }
    if (writing != l->writing) {
        l->writing = writing;
        update_poll(l);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct link *l = poll->data;
    if (status < 0) {
        link_lost(l, uv_strerror(status), false);
        return;
    }
    if (events & UV_READABLE) {
        read_socket(l);
    }
    if (l->poll == poll && (events & UV_WRITABLE)) {
        link_flush(l);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct link *l = handle->data;
    free(l->in);
    free(l);
}

void link_close(struct link *l)
{
    if (l != NULL) {
        link_flush(l);
        drop_socket(l);
        l->state = LINK_CLOSED;
        uv_close((uv_handle_t *)&l->timer, on_timer_closed);
    }
}
