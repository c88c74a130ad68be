/*
 * A link's frames. What is written for it gathers in `out` and leaves once per loop iteration; while a write is in flight
 * the next bytes gather in the other buffer.
 */
#include "link_private.h"

#include <stdlib.h>
#include <string.h>

#include "acl/user.h"
#include "base/log.h"
#include "dispatch.h"
#include "events.h"
#include "lanes.h"
#include "monitor.h"

enum {
    SOCKET_ROOM = 1024 * 1024,
    TABLE_MIN = 256,
};

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

/* detach makes a session gone: it gets no more frames, and is freed once it has nothing left to run. */
static void detach(struct session *s, struct slice why)
{
    struct link *l = s->link;
    audit_disconnect(s, why);
    link_forget_output(l, s);
    buf_release(&s->held);
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
    events_leave(s);
    if (s->place != SESSION_IN_TURN)
        dispatch_resume(s);
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

void link_write_close(struct link *l, uint64_t wire_id, const char *why)
{
    const struct frame frame = { FRAME_CLOSE, 0, 0, wire_id, slice_of(why) };
    frame_write(&l->out, &frame);
}

void link_close_session(struct session *s, const char *why)
{
    if (s->link == NULL)
        return;
    link_write_close(s->link, s->wire_id, why);
    detach(s, slice_of(why));
}

void link_end_session(struct session *s, const char *why)
{
    if (s->life == SESSION_GONE || s->ending)
        return;
    s->life = SESSION_QUITTING;
    s->ending = why;
    s->core->ending++;
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
    struct session *s = session_new(l->core, l, f->session, &open);
    core_add_session(l->core, s);
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
        lanes_place(l->core->lanes, s);
    return NULL;
}

static const char *on_stats(struct link *l, const struct frame *f)
{
    link_stats_take(&l->stats, f->payload);
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
            link_close(l, why);
            return;
        }
        buf_consume(&l->in, used);
    }
    if (status == FRAME_BAD)
        link_close(l, "a malformed frame");
}

/* --- the pipe -------------------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct link *l = handle->data;
    (void)suggested;
    uint8_t *p = buf_reserve(&l->in, LINK_READ_SIZE - buf_len(&l->in));
    *out = uv_buf_init((char *)p, (unsigned)(LINK_READ_SIZE - buf_len(&l->in)));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *unused)
{
    struct link *l = stream->data;
    (void)unused;
    if (n < 0) {
        link_close(l, n == UV_EOF ? "the gateway closed it" : uv_strerror((int)n));
        return;
    }
    l->read_ns = uv_hrtime();
    l->core->metrics.link_reads++;
    l->core->metrics.link_bytes_in += (uint64_t)n;
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

void link_close(struct link *l, const char *why)
{
    if (l->closing)
        return;
    l->closing = true;
    log_event(LOG_INFO, "gateway link closed", LF_STR("reason", why),
              LF_INT("sessions", l->sessions));
    link_server_remove(l->server, l);
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
        link_close(l, uv_strerror(status));
}

/* try_flush gives the socket what it takes at once; true when it took everything. */
static bool try_flush(struct link *l)
{
    uv_buf_t bytes = uv_buf_init((char *)l->out.p + l->out.start, (unsigned)buf_len(&l->out));
    const int n = uv_try_write((uv_stream_t *)&l->pipe, &bytes, 1);
    if (n > 0) {
        l->core->metrics.link_writes++;
        l->core->metrics.link_bytes_out += (uint64_t)n;
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
    l->core->metrics.link_writes++;
    l->core->metrics.link_bytes_out += buf_len(&l->writing);
    const int rc = uv_write(&l->write, (uv_stream_t *)&l->pipe, &bytes, 1, on_written);
    if (rc < 0) {
        l->write_busy = false;
        link_close(l, uv_strerror(rc));
    }
}

/* As long as the socket takes everything, nothing would wake us for the replies that wait: go on at once. */
void link_flush(struct link *l)
{
    do {
        link_pump(l);
        if (l->write_busy || buf_len(&l->out) == 0)
            return;
    } while (try_flush(l));
    flush_later(l);
}

struct link *link_new(struct link_server *server, struct core *core)
{
    struct link *l = mem_zalloc(sizeof(*l));
    l->server = server;
    l->core = core;
    l->pipe.data = l;
    l->write.data = l;
    buf_init(&l->in, LINK_READ_SIZE);
    buf_init(&l->out, SIZE_MAX / 2);
    buf_init(&l->writing, SIZE_MAX / 2);
    uv_pipe_init(core->loop, &l->pipe, 0);
    return l;
}

void link_drop(struct link *l)
{
    uv_close((uv_handle_t *)&l->pipe, free_link);
}

void link_begin(struct link *l)
{
    int room = SOCKET_ROOM; /* the kernel gives what it may (net.core.wmem_max) */
    uv_send_buffer_size((uv_handle_t *)&l->pipe, &room);
    grow_table(l);
    frame_write_hello(&l->out,
                      &(struct frame_hello){ FRAME_VERSION, SLICE("cofre-core " COFRE_VERSION) });
    uv_read_start((uv_stream_t *)&l->pipe, on_alloc, on_read);
}
