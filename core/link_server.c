/*
 * Links. What is written for a link gathers in `out` and leaves once per loop iteration; while a write is in flight the
 * next bytes gather in the other buffer. Replies that are over a session's credit, or longer than a frame, wait in the
 * session, and the link pumps such sessions in turn, so that none holds the others up.
 */
#include "link_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "acl/user.h"
#include "base/log.h"
#include "dispatch.h"
#include "events.h"
#include "lanes.h"
#include "monitor.h"

enum {
    LOOK_BEHIND_MS = 1000, /* how often those who are behind with their pushes are looked at */
    READ_SIZE = 256 * 1024,
    OUT_HIGH = 1024 * 1024, /* above this, replies wait in their sessions */
    OUT_LOW = 256 * 1024,   /* below this, waiting replies are pumped */
    SOCKET_ROOM = 1024 * 1024,
    TABLE_MIN = 256,
    STATS_MAX = 64,
};

struct stat_value {
    char name[48];
    int64_t value;
};

struct link {
    struct link_server *server;
    struct link *next;
    uv_pipe_t pipe;
    uv_write_t write;
    struct buf in;
    struct buf out;
    struct buf writing; /* in flight while write_busy */
    bool write_busy;
    bool hello_seen;
    bool drained; /* the gateway sends no more requests */
    bool closing;
    uint64_t read_ns;       /* when what is being handled was read */
    struct session **table; /* by wire_id */
    size_t table_size;      /* a power of two */
    size_t sessions;
    struct session *pump; /* a ring of sessions with replies that wait */
    struct stat_value stats[STATS_MAX];
    size_t stat_count;
};

struct link_server {
    struct core *core;
    uv_pipe_t *listener;
    struct link *links;
    uint64_t looked_ms; /* monotonic, when those who are behind were last looked at */
    uid_t gateway_uid;
    bool stopped;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static void close_link(struct link *l, const char *why);

/* --- sessions of a link ------------------------------------------------------------------------ */

static struct session **bucket_of(const struct link *l, uint64_t wire_id)
{
    return &l->table[wire_id & (l->table_size - 1)];
}

static struct session *find_session(const struct link *l, uint64_t wire_id)
{
    struct session *s = *bucket_of(l, wire_id);
    while (s && s->wire_id != wire_id)
        s = s->bucket_next;
    return s;
}

static void grow_table(struct link *l)
{
    struct session **old = l->table;
    const size_t old_size = l->table_size;
    l->table_size = old_size ? old_size * 2 : TABLE_MIN;
    l->table = mem_zalloc(l->table_size * sizeof(*l->table));
    for (size_t i = 0; i < old_size; i++)
        for (struct session *s = old[i], *next; s; s = next) {
            next = s->bucket_next;
            struct session **bucket = bucket_of(l, s->wire_id);
            s->bucket_next = *bucket;
            *bucket = s;
        }
    free(old);
}

static void add_to_table(struct link *l, struct session *s)
{
    if (l->sessions >= l->table_size)
        grow_table(l);
    struct session **bucket = bucket_of(l, s->wire_id);
    s->bucket_next = *bucket;
    *bucket = s;
    l->sessions++;
}

static void remove_from_table(struct link *l, struct session *s)
{
    struct session **at = bucket_of(l, s->wire_id);
    while (*at != s)
        at = &(*at)->bucket_next;
    *at = s->bucket_next;
    l->sessions--;
}

/* --- the ring of sessions with waiting replies --------------------------------------------------- */

static void pump_add(struct link *l, struct session *s)
{
    if (s->pump_next)
        return;
    if (l->pump == NULL) {
        s->pump_next = s->pump_prev = s;
        l->pump = s;
        return;
    }
    s->pump_next = l->pump;
    s->pump_prev = l->pump->pump_prev;
    s->pump_prev->pump_next = s;
    s->pump_next->pump_prev = s;
}

static void pump_remove(struct link *l, struct session *s)
{
    if (s->pump_next == NULL)
        return;
    if (s->pump_next == s) {
        l->pump = NULL;
    } else {
        s->pump_prev->pump_next = s->pump_next;
        s->pump_next->pump_prev = s->pump_prev;
        if (l->pump == s)
            l->pump = s->pump_next;
    }
    s->pump_next = s->pump_prev = NULL;
}

/* detach makes a session gone: it gets no more frames, and is freed once it has nothing left to run. */
static void detach(struct session *s, struct slice why)
{
    struct link *l = s->link;
    audit_disconnect(s, why);
    pump_remove(l, s);
    remove_from_table(l, s);
    s->link = NULL;
    if (s->life == SESSION_QUITTING) { /* nothing runs after QUIT, or after it was killed */
        request_free_all(&s->queue);
        request_free_all(&s->units); /* those that are in a turn are not here */
        s->unit_writes = 0;
    }
    s->life = SESSION_GONE;
    s->core->ending -= s->ending != NULL;
    monitor_stop(s);
    buf_release(&s->out);
    buf_release(&s->held);
    events_leave(s);
    if (s->place != SESSION_IN_TURN)
        dispatch_resume(s);
}

/* --- replies ---------------------------------------------------------------------------------------- */

static uint8_t closing_flag(const struct session *s)
{
    return s->life == SESSION_QUITTING ? FRAME_CLOSING : 0;
}

/* send_piece sends as much as one frame and the credit allow; the last piece says how many requests it completes. */
static size_t send_piece(struct link *l, struct session *s, struct slice bytes, uint32_t answered)
{
    size_t n = bytes.len < FRAME_MAX_PAYLOAD ? bytes.len : FRAME_MAX_PAYLOAD;
    n = (int64_t)n < s->credit ? n : (size_t)s->credit;
    const bool last = n == bytes.len;
    const struct frame frame = {
        .type = FRAME_REPLY,
        .flags = last ? closing_flag(s) : FRAME_MORE,
        .answered = last ? (uint16_t)answered : 0,
        .session = s->wire_id,
        .payload = { bytes.p, n },
    };
    frame_write(&l->out, &frame);
    s->credit -= (int64_t)n;
    return n;
}

static void pump_session(struct link *l, struct session *s)
{
    buf_consume(&s->out, send_piece(l, s, buf_slice(&s->out), s->out_answered));
    if (buf_len(&s->out) > 0)
        return;
    s->out_answered = 0;
    buf_release(&s->out);
    pump_remove(l, s);
    if (s->place != SESSION_IN_TURN)
        dispatch_resume(s);
}

/* pump_link visits the ring once around, then again, until it is empty, out of credit, or the link has enough. */
static void pump_link(struct link *l)
{
    bool sent = true;
    while (sent && l->pump && buf_len(&l->out) < OUT_LOW) {
        sent = false;
        struct session *const first = l->pump;
        struct session *s = first;
        do {
            struct session *next = s->pump_next;
            if (s->credit > 0) {
                l->pump = next; /* the next round starts behind the one that was served */
                pump_session(l, s);
                sent = true;
                break;
            }
            s = next;
        } while (s != first);
    }
}

void link_reply(struct session *s, struct slice bytes, uint32_t answered)
{
    struct link *l = s->link;
    if (l == NULL || s->cut)
        return;
    while (buf_len(&s->out) == 0 && buf_len(&l->out) < OUT_HIGH &&
           (s->credit > 0 || bytes.len == 0)) {
        const size_t n = send_piece(l, s, bytes, answered);
        bytes = (struct slice){ bytes.p + n, bytes.len - n };
        if (bytes.len == 0) /* a reply without bytes is a frame too */
            return;
    }
    buf_append_slice(&s->out, bytes);
    s->out_answered += answered;
    pump_add(l, s);
}

/* --- pushes ----------------------------------------------------------------------------------------- */

/* Redis's two limits: so much at no time, or so much for so long. */
static bool behind(struct session *s)
{
    const struct core_output_limit *limit = &s->core->push_limit;
    const int64_t waiting = (int64_t)(buf_len(&s->out) + buf_len(&s->held));
    if (limit->hard && waiting >= limit->hard)
        return true;
    if (limit->soft == 0 || waiting < limit->soft) {
        s->behind_ms = 0;
        return false;
    }
    const uint64_t now = uv_now(s->core->loop);
    if (s->behind_ms == 0)
        s->behind_ms = now;
    return now - s->behind_ms > (uint64_t)limit->soft_ms;
}

/* Whoever is telling many at the moment must find the session where it is: it is closed later. */
static void cut_off(struct session *s)
{
    log_event(LOG_WARNING, "a client does not read what it is sent, and is closed",
              LF_INT("session", s->id), LF_SLICE("identity", s->identity->name),
              LF_INT("bytes", buf_len(&s->out) + buf_len(&s->held)));
    s->cut = true;
    s->out_answered = 0;
    buf_release(&s->out);
    buf_release(&s->held);
    pump_remove(s->link, s);
    link_end_session(s, "it does not read what it is sent");
}

void link_push(struct session *s, struct slice bytes)
{
    if (s->link == NULL || s->life != SESSION_OPEN || s->cut || s->ending)
        return;
    if (s->holds)
        buf_append_slice(&s->held, bytes);
    else
        link_reply(s, bytes, 0);
    if (behind(s))
        cut_off(s);
}

void link_hold(struct session *s)
{
    s->holds = true;
}

void link_release(struct session *s)
{
    s->holds = false;
    if (buf_len(&s->held) > 0)
        link_push(s, buf_slice(&s->held));
    buf_release(&s->held);
}

/* The soft limit also counts for those who are pushed nothing more. */
static void look_behind(struct link *l)
{
    struct session *s = l->pump;
    do {
        struct session *next = s->pump_next;
        const bool last = next == l->pump;
        if (s->behind_ms && behind(s))
            cut_off(s);
        s = last ? NULL : next;
    } while (s);
}

static void cut_slow(struct link_server *ls)
{
    const uint64_t now = uv_now(ls->core->loop);
    if (now - ls->looked_ms < LOOK_BEHIND_MS)
        return;
    ls->looked_ms = now;
    for (struct link *l = ls->links; l; l = l->next)
        if (l->pump)
            look_behind(l);
}

void link_publish_state(struct session *s)
{
    if (s->link == NULL)
        return;
    struct buf record;
    buf_init(&record, FRAME_MAX_STATE);
    const uint8_t flags = session_write_state(s, &record);
    const uint64_t hash = slice_hash(buf_slice(&record), flags);
    const bool plain = buf_len(&record) == 0 && flags == 0;
    if (hash != s->state_hash && !(plain && s->state_hash == 0)) {
        const struct frame frame = { FRAME_STATE, flags, 0, s->wire_id, buf_slice(&record) };
        frame_write(&s->link->out, &frame);
        s->state_hash = plain ? 0 : hash;
    }
    buf_release(&record);
}

static void write_close(struct link *l, uint64_t wire_id, const char *why)
{
    const struct frame frame = { FRAME_CLOSE, 0, 0, wire_id, slice_of(why) };
    frame_write(&l->out, &frame);
}

void link_close_session(struct session *s, const char *why)
{
    if (s->link == NULL)
        return;
    write_close(s->link, s->wire_id, why);
    detach(s, slice_of(why));
}

/* --- clients that do not read their replies (client-output-buffer-limit normal) ---------------------- */

/* over_limit: too much waits for the client, or for too long. Who subscribes has another limit: link_push's. */
static bool over_limit(struct session *s, const struct output_limit *limit, uint64_t now_ms)
{
    const int64_t waits = (int64_t)buf_len(&s->out);
    if (pubsub_count(&s->subscriber) > 0)
        return false;
    if (limit->hard > 0 && waits > limit->hard)
        return true;
    if (limit->soft == 0 || waits <= limit->soft) {
        s->over_since_ms = 0;
        return false;
    }
    if (s->over_since_ms == 0)
        s->over_since_ms = now_ms;
    return now_ms - s->over_since_ms >= (uint64_t)limit->seconds * 1000;
}

static size_t ring_length(const struct link *l)
{
    size_t n = 0;
    const struct session *s = l->pump;
    for (; s && (n == 0 || s != l->pump); s = s->pump_next)
        n++;
    return n;
}

/* close_greedy looks at all clients that replies wait for; closing one takes no other off the ring. */
static void close_greedy(struct link *l)
{
    const struct output_limit *limit =
        &l->server->core->telemetry.settings.output_limits[CLASS_NORMAL];
    if (limit->hard == 0 && limit->soft == 0)
        return;
    struct session *s = l->pump;
    for (size_t left = ring_length(l); left > 0; left--) {
        struct session *next = s->pump_next;
        if (over_limit(s, limit, uv_now(l->server->core->loop))) {
            log_event(LOG_WARNING, "a client that does not read is cut off",
                      LF_INT("session", s->id), LF_SLICE("identity", s->identity->name),
                      LF_INT("bytes", buf_len(&s->out)));
            link_close_session(s, "it does not read its replies (client-output-buffer-limit)");
        }
        s = next;
    }
}

void link_end_session(struct session *s, const char *why)
{
    if (s->life == SESSION_GONE || s->ending)
        return;
    s->life = SESSION_QUITTING;
    s->ending = why;
    s->core->ending++;
}

void link_server_end_sessions(struct link_server *ls)
{
    for (struct session *s = ls->core->first_session, *next; ls->core->ending && s; s = next) {
        next = s->all.next; /* closing one frees no other: its queue is dropped */
        if (s->ending)
            link_close_session(s, s->ending);
    }
}

/* --- frames ------------------------------------------------------------------------------------------- */

/* Each handler returns NULL, or why the link must end: the gateway sent what no gateway sends. */
typedef const char *frame_handler(struct link *l, const struct frame *f);

static const char *on_hello(struct link *l, const struct frame *f)
{
    struct frame_hello hello;
    if (frame_parse_hello(f->payload, &hello) != ERR_OK)
        return "malformed HELLO";
    if (hello.version != FRAME_VERSION) {
        log_event(
            LOG_ERROR,
            "the gateway speaks another version of the link; install the same release of both",
            LF_INT("gateway_version", hello.version), LF_INT("core_version", FRAME_VERSION),
            LF_SLICE("gateway", hello.build));
        return "another protocol version";
    }
    l->hello_seen = true;
    log_event(LOG_INFO, "gateway connected", LF_SLICE("build", hello.build));
    return NULL;
}

static void refuse_session(struct session *s, const char *why)
{
    audit_refused(s, why);
    link_close_session(s, why);
}

static const char *on_open(struct link *l, const struct frame *f)
{
    struct frame_open open;
    if (frame_parse_open(f->payload, &open) != ERR_OK || open.identity.len == 0)
        return "malformed OPEN";
    if (find_session(l, f->session))
        return "OPEN of a session that is open";
    struct session *s = session_new(l->server->core, l, f->session, &open);
    core_add_session(l->server->core, s);
    add_to_table(l, s);
    audit_connect(s);
    if (!s->user->on)
        core_refused(s->core, s,
                     &(struct core_refusal){
                         .reason = "auth", .context = "toplevel", .object = SLICE("connect") });
    if (!session_restore(s, open.state))
        refuse_session(s, "its state cannot be restored");
    return NULL;
}

static const char *on_close(struct link *l, const struct frame *f)
{
    if (f->session == 0) {
        l->drained = true;
        return NULL;
    }
    struct session *s = find_session(l, f->session);
    if (s)
        detach(s, f->payload);
    return NULL;
}

static const char *take_request(struct session *s, struct slice payload)
{
    struct request *r = request_new(payload, s->link->read_ns);
    if (r == NULL)
        return "malformed REQUEST";
    dispatch_request(s, r);
    return NULL;
}

static const char *on_request(struct link *l, const struct frame *f)
{
    struct session *s = find_session(l, f->session);
    if (s == NULL) /* closed by us while it was on its way */
        return NULL;
    const bool more = f->flags & FRAME_MORE;
    if (!more && buf_len(&s->assembling) == 0)
        return take_request(s, f->payload);
    buf_append_slice(&s->assembling, f->payload);
    if (s->assembling.overflow)
        return "a REQUEST that is too long";
    if (more)
        return NULL;
    struct buf whole = s->assembling; /* the session may be freed by its own request */
    buf_init(&s->assembling, whole.max);
    const char *why = take_request(s, buf_slice(&whole));
    buf_release(&whole);
    return why;
}

static const char *on_credit(struct link *l, const struct frame *f)
{
    uint32_t bytes;
    if (frame_parse_credit(f->payload, &bytes) != ERR_OK)
        return "malformed CREDIT";
    struct session *s = find_session(l, f->session);
    if (s == NULL)
        return NULL;
    s->credit += bytes;
    if (buf_len(&s->out) == 0)
        lanes_place(l->server->core->lanes, s);
    return NULL;
}

static void set_stat(struct link *l, struct slice name, int64_t value)
{
    size_t i = 0;
    while (i < l->stat_count && !slice_eq(slice_of(l->stats[i].name), name))
        i++;
    if (i == STATS_MAX || name.len == 0 || name.len >= sizeof(l->stats[i].name))
        return;
    memcpy(l->stats[i].name, name.p, name.len);
    l->stats[i].name[name.len] = '\0';
    l->stats[i].value = value;
    if (i == l->stat_count)
        l->stat_count++;
}

static const char *on_stats(struct link *l, const struct frame *f)
{
    struct slice rest = f->payload;
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.p, '\n', rest.len);
        const size_t line = end ? (size_t)(end - rest.p) : rest.len;
        const uint8_t *equals = memchr(rest.p, '=', line);
        int64_t value;
        if (equals &&
            slice_to_i64((struct slice){ equals + 1, line - (size_t)(equals + 1 - rest.p) },
                         &value) == ERR_OK)
            set_stat(l, (struct slice){ rest.p, (size_t)(equals - rest.p) }, value);
        const size_t step = end ? line + 1 : line;
        rest = (struct slice){ rest.p + step, rest.len - step };
    }
    return NULL;
}

static const char *on_ping(struct link *l, const struct frame *f)
{
    const struct frame pong = { FRAME_PONG, 0, 0, 0, f->payload };
    frame_write(&l->out, &pong);
    return NULL;
}

static const char *on_pong(struct link *l, const struct frame *f)
{
    (void)l;
    (void)f;
    return NULL;
}

/* Types without a handler are the core's to send. */
static frame_handler *const handlers[FRAME_TYPE_END] = {
    [FRAME_HELLO] = on_hello,     [FRAME_OPEN] = on_open,     [FRAME_CLOSE] = on_close,
    [FRAME_REQUEST] = on_request, [FRAME_CREDIT] = on_credit, [FRAME_STATS] = on_stats,
    [FRAME_PING] = on_ping,       [FRAME_PONG] = on_pong,
};

static const char *handle(struct link *l, const struct frame *f)
{
    if (handlers[f->type] == NULL)
        return "a frame that only the core sends";
    if (!l->hello_seen && f->type != FRAME_HELLO)
        return "a frame before HELLO";
    return handlers[f->type](l, f);
}

static void read_frames(struct link *l)
{
    struct frame frame;
    size_t used;
    enum frame_status status = FRAME_NEED_MORE;
    while (!l->closing && (status = frame_read(buf_slice(&l->in), &frame, &used)) == FRAME_READY) {
        const char *why = handle(l, &frame);
        if (why) {
            close_link(l, why);
            return;
        }
        buf_consume(&l->in, used);
    }
    if (status == FRAME_BAD)
        close_link(l, "a malformed frame");
}

/* --- the pipe -------------------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct link *l = handle->data;
    (void)suggested;
    uint8_t *p = buf_reserve(&l->in, READ_SIZE - buf_len(&l->in));
    *out = uv_buf_init((char *)p, (unsigned)(READ_SIZE - buf_len(&l->in)));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *unused)
{
    struct link *l = stream->data;
    (void)unused;
    if (n < 0) {
        close_link(l, n == UV_EOF ? "the gateway closed it" : uv_strerror((int)n));
        return;
    }
    l->read_ns = uv_hrtime();
    l->server->core->metrics.link_reads++;
    l->server->core->metrics.link_bytes_in += (uint64_t)n;
    buf_commit(&l->in, (size_t)n);
    read_frames(l);
}

static void free_link(uv_handle_t *handle)
{
    struct link *l = handle->data;
    buf_release(&l->in);
    buf_release(&l->out);
    buf_release(&l->writing);
    free(l->table);
    free(l);
}

static void close_link(struct link *l, const char *why)
{
    if (l->closing)
        return;
    l->closing = true;
    log_event(LOG_INFO, "gateway link closed", LF_STR("reason", why),
              LF_INT("sessions", l->sessions));
    struct link **at = &l->server->links;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    for (size_t i = 0; i < l->table_size; i++)
        while (l->table[i])
            detach(l->table[i], slice_of(why));
    uv_close((uv_handle_t *)&l->pipe, free_link);
}

static void on_written(uv_write_t *request, int status)
{
    struct link *l = request->data;
    l->write_busy = false;
    buf_clear(&l->writing);
    if (status < 0 && !l->closing)
        close_link(l, uv_strerror(status));
}

/* try_flush gives the socket what it takes at once; true when it took everything. */
static bool try_flush(struct link *l)
{
    uv_buf_t bytes = uv_buf_init((char *)l->out.p + l->out.start, (unsigned)buf_len(&l->out));
    const int n = uv_try_write((uv_stream_t *)&l->pipe, &bytes, 1);
    if (n > 0) {
        l->server->core->metrics.link_writes++;
        l->server->core->metrics.link_bytes_out += (uint64_t)n;
        buf_consume(&l->out, (size_t)n);
    }
    return buf_len(&l->out) == 0;
}

/* flush_later leaves the rest to the loop, which tells when it is written. */
static void flush_later(struct link *l)
{
    const struct buf swap = l->writing;
    l->writing = l->out;
    l->out = swap;
    uv_buf_t bytes =
        uv_buf_init((char *)l->writing.p + l->writing.start, (unsigned)buf_len(&l->writing));
    l->write_busy = true;
    l->server->core->metrics.link_writes++;
    l->server->core->metrics.link_bytes_out += buf_len(&l->writing);
    const int rc = uv_write(&l->write, (uv_stream_t *)&l->pipe, &bytes, 1, on_written);
    if (rc < 0) {
        l->write_busy = false;
        close_link(l, uv_strerror(rc));
    }
}

/* As long as the socket takes everything, nothing would wake us for the replies that wait: go on at once. */
static void flush(struct link *l)
{
    close_greedy(l);
    do {
        pump_link(l);
        if (l->write_busy || buf_len(&l->out) == 0)
            return;
    } while (try_flush(l));
    flush_later(l);
}

void link_server_flush(struct link_server *ls)
{
    cut_slow(ls);
    for (struct link *l = ls->links, *next; l; l = next) {
        next = l->next;
        flush(l);
    }
}

bool link_server_idle(const struct link_server *ls)
{
    for (const struct link *l = ls->links; l; l = l->next)
        if (l->write_busy || buf_len(&l->out) > 0 || !l->drained)
            return false;
    return true;
}

/* --- accepting ---------------------------------------------------------------------------------------------- */

static bool peer_allowed(const struct link *l)
{
    struct ucred peer = { .uid = LINK_NOBODY };
    socklen_t size = sizeof(peer);
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&l->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    if (peer.uid == l->server->gateway_uid && peer.uid != LINK_NOBODY)
        return true;
    log_event(LOG_WARNING, "refused a process that is not the gateway", LF_INT("uid", peer.uid),
              LF_INT("pid", peer.pid), LF_INT("gateway_uid", l->server->gateway_uid));
    audit_stranger(l->server->core, peer.uid, peer.pid);
    return false;
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct link_server *ls = listener->data;
    if (status < 0)
        return;
    struct link *l = mem_zalloc(sizeof(*l));
    l->server = ls;
    l->pipe.data = l;
    l->write.data = l;
    buf_init(&l->in, READ_SIZE);
    buf_init(&l->out, SIZE_MAX / 2);
    buf_init(&l->writing, SIZE_MAX / 2);
    uv_pipe_init(ls->core->loop, &l->pipe, 0);
    if (uv_accept(listener, (uv_stream_t *)&l->pipe) != 0 || !peer_allowed(l) || ls->stopped) {
        uv_close((uv_handle_t *)&l->pipe, free_link);
        return;
    }
    int room = SOCKET_ROOM; /* the kernel gives what it may (net.core.wmem_max) */
    uv_send_buffer_size((uv_handle_t *)&l->pipe, &room);
    grow_table(l);
    l->next = ls->links;
    ls->links = l;
    frame_write_hello(&l->out,
                      &(struct frame_hello){ FRAME_VERSION, SLICE("cofre-core " COFRE_VERSION) });
    uv_read_start((uv_stream_t *)&l->pipe, on_alloc, on_read);
}

/* path_in_use: someone answers there. A socket that nobody listens on is left from a core that was killed. */
static bool path_in_use(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, path, strlen(path) + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool used = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0)
        close(fd);
    return used;
}

static enum err prepare_path(const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
        snprintf(why, why_size, "--socket %s: the path is too long for a Unix socket", path);
        return ERR_INVALID;
    }
    if (lstat(path, &st) != 0)
        return ERR_OK;
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(why, why_size, "--socket %s: there is a file that is not a socket", path);
        return ERR_INVALID;
    }
    if (path_in_use(path)) {
        snprintf(why, why_size,
                 "--socket %s: another core is listening there; stop it or choose another path",
                 path);
        return ERR_INVALID;
    }
    unlink(path);
    return ERR_OK;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

enum err link_server_new(struct core *core, const char *path, uid_t gateway_uid, char *why,
                         size_t why_size, struct link_server **out)
{
    if (prepare_path(path, why, why_size) != ERR_OK)
        return ERR_INVALID;
    struct link_server *ls = mem_zalloc(sizeof(*ls));
    ls->core = core;
    ls->gateway_uid = gateway_uid;
    ls->listener = mem_zalloc(sizeof(*ls->listener));
    ls->listener->data = ls;
    memcpy(ls->path, path, strlen(path) + 1);
    uv_pipe_init(core->loop, ls->listener, 0);
    int rc = uv_pipe_bind(ls->listener, path);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)ls->listener, 64, on_connection);
    if (rc == 0 && chmod(path, 0666) != 0) /* who may speak is decided by SO_PEERCRED */
        rc = -errno;
    if (rc != 0) {
        snprintf(why, why_size, "--socket %s: %s", path, uv_strerror(rc));
        uv_close((uv_handle_t *)ls->listener, free_handle);
        free(ls);
        return ERR_INVALID;
    }
    *out = ls;
    return ERR_OK;
}

void link_server_stop(struct link_server *ls)
{
    if (ls->stopped)
        return;
    ls->stopped = true;
    uv_close((uv_handle_t *)ls->listener, free_handle); /* also removes the path */
    for (struct link *l = ls->links; l; l = l->next)
        write_close(l, 0, "the core stops");
}

void link_server_close(struct link_server *ls)
{
    while (ls->links)
        close_link(ls->links, "the core stops");
}

void link_server_free(struct link_server *ls)
{
    if (ls == NULL)
        return;
    link_server_stop(ls);
    link_server_close(ls);
    free(ls);
}

/* A name that ends so is that of a setting, of which the greatest counts. */
static bool is_setting(struct slice name)
{
    const struct slice end = SLICE("_seconds");
    return name.len > end.len &&
           slice_eq((struct slice){ name.p + name.len - end.len, end.len }, end);
}

bool link_stat(const struct link_server *ls, size_t index, struct slice *name, int64_t *value)
{
    const struct link *first = ls->links;
    if (first == NULL || index >= first->stat_count)
        return false;
    *name = slice_of(first->stats[index].name);
    *value = 0;
    for (const struct link *l = first; l; l = l->next)
        for (size_t i = 0; i < l->stat_count; i++) {
            const int64_t more = l->stats[i].value;
            if (!slice_eq(*name, slice_of(l->stats[i].name)))
                continue;
            *value = is_setting(*name) ? (more > *value ? more : *value) : *value + more;
        }
    return true;
}
