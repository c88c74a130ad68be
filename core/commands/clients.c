/*
 * clients: CLIENT INFO, LIST and KILL: what the core knows of each connection, and ending them.
 */
#include "commands/client_filter.h"
#include "commands/commands.h"
#include "commands/names.h"
#include "core.h"
#include "deeds.h"

#include <inttypes.h>

enum { LIST_MAX = 64 * 1024 * 1024 }; /* bytes of a CLIENT LIST */

/* --- one line ------------------------------------------------------------------------------- */

/* add_field writes name=value; bytes that could forge a field or a line are written as \xNN. */
static void add_field(struct buf *out, const char *name, struct slice value)
{
    buf_printf(out, " %s=", name);
    if (is_plain_name(value)) {
        buf_append_slice(out, value);
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < '!' || value.p[i] == 0x7f) {
            buf_printf(out, "\\x%02x", value.p[i]);
        } else {
            buf_append(out, &value.p[i], 1);
        }
    }
}

/* Redis's letters, in its order. */
static void add_flags(struct buf *out, struct session *s)
{
    const uint32_t on = session_switches(s);
    const uint32_t tracks = session_tracker(s)->flags;
    const struct {
        char letter;
        bool set;
    } flags[] = {
        { 'O', (on & SESSION_MONITOR) != 0 },
        { 'P', client_type_of(s) == CLIENT_PUBSUB },
        { 'x', session_in_multi(s) },
        { 'b', session_is_paused(s) },
        { 't', (tracks & TRACKING_ON) != 0 },
        { 'R', (tracks & TRACKING_BROKEN) != 0 },
        { 'B', (tracks & TRACKING_BCAST) != 0 },
        { 'e', (on & SESSION_NO_EVICT) != 0 },
        { 'T', (on & SESSION_NO_TOUCH) != 0 },
    };
    const size_t before = buf_len(out);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        if (flags[i].set) {
            buf_append(out, &flags[i].letter, 1);
        }
    }
    if (buf_len(out) == before) {
        buf_printf(out, "N");
    }
}

static int64_t multi_field(const struct session *s)
{
    size_t queued = session_multi_count(s);
    return queued == SIZE_MAX ? -1 : (int64_t)queued;
}

static void add_state(struct buf *out, struct session *s, int64_t now_ms)
{
    add_field(out, "name", session_name(s, SESSION_NAME));
    buf_printf(out,
               " age=%" PRId64 " idle=%" PRId64 " flags=", (now_ms - session_opened_ms(s)) / 1000,
               session_idle_seconds(s));
    add_flags(out, s);
    const size_t *subs = session_subscriber(s)->count;
    buf_printf(out, " db=%" PRIu32 " sub=%zu psub=%zu ssub=%zu multi=%" PRId64,
               session_vars(s)->db_number, subs[PUBSUB_CHANNEL], subs[PUBSUB_PATTERN],
               subs[PUBSUB_SHARD], multi_field(s));
}

/* What the core keeps; the buffers of sockets are the gateway's. So rbs, rbp, obl and oll have nothing to tell. */
static void add_memory(struct buf *out, const struct session *s)
{
    const struct session_memory m = session_memory(s);
    buf_printf(out,
               " qbuf=%zu qbuf-free=0 argv-mem=%zu multi-mem=%zu rbs=0 rbp=0 obl=0 oll=0 omem=%zu"
               " tot-mem=%zu events=r",
               m.requests, m.arguments, m.queued, m.replies, m.total);
}

/* Redis has no field for WATCH before 7.4, and library names from 7.2 on. */
static void add_ours(struct buf *out, const struct session *s)
{
    const struct frame_open *open = session_open_info(s);
    add_field(out, "lib-name", session_name(s, SESSION_LIB_NAME));
    add_field(out, "lib-ver", session_name(s, SESSION_LIB_VERSION));
    buf_printf(out, " watch=%zu", session_watch_count(s));
    add_field(out, "tls", open->tls_version);
    add_field(out, "cipher", open->cipher);
    add_field(out, "identity", session_identity(s));
    add_field(out, "cert-serial", open->serial);
    buf_printf(out, " cert-expires=%" PRId64 "\n", open->not_after);
}

static int64_t redirect_field(struct session *s)
{
    const struct tracker *tracker = session_tracker(s);
    return (tracker->flags & TRACKING_ON) != 0 ? (int64_t)tracker->redirect : -1;
}

/* add_session writes one line: Redis's fields in Redis's order, then ours. */
static void add_session(struct buf *out, struct session *s, int64_t now_ms)
{
    const struct frame_open *open = session_open_info(s);
    const char *last = session_last_command(s);
    buf_printf(out, "id=%" PRIu64, session_id(s));
    add_field(out, "addr", open->peer);
    add_field(out, "laddr", open->local);
    buf_printf(out, " fd=-1");
    add_state(out, s, now_ms);
    add_memory(out, s);
    buf_printf(out, " cmd=%s", last != NULL ? last : "NULL");
    add_field(out, "user", session_identity(s));
    buf_printf(out, " redir=%" PRId64 " resp=%d", redirect_field(s), session_vars(s)->protocol);
    add_ours(out, s);
}

void client_describe(struct buf *out, struct session *s, int64_t now_ms)
{
    add_session(out, s, now_ms);
}

/* --- INFO, LIST ----------------------------------------------------------------------------- */

void run_client_info(struct call *call)
{
    struct buf out;
    buf_init(&out, LIST_MAX);
    add_session(&out, call->session, call->now_ms);
    resp_verbatim(call->reply, "txt", buf_slice(&out));
    buf_release(&out);
}

struct listing {
    struct buf out;
    int64_t now_ms;
};

static void list_visit(struct session *s, void *arg)
{
    struct listing *listing = arg;
    add_session(&listing->out, s, listing->now_ms);
}

void run_client_list(struct call *call)
{
    struct client_filter filter;
    if (!client_filter_parse(call, false, &filter)) {
        return;
    }
    struct listing listing = { .now_ms = call->now_ms };
    buf_init(&listing.out, LIST_MAX);
    client_filter_each(&filter, list_visit, &listing);
    resp_verbatim(call->reply, "txt", buf_slice(&listing.out));
    buf_release(&listing.out);
}

/* --- KILL ----------------------------------------------------------------------------------- */

struct killing {
    struct buf *deeds;
    size_t count;
};

static void kill_visit(struct session *s, void *arg)
{
    struct killing *k = arg;
    const struct deed deed = { .kind = DEED_KILL, .session = session_id(s) };
    deeds_note(k->deeds, &deed);
    k->count++;
}

/* CLIENT KILL addr:port, Redis's oldest form, does not spare who asks. */
static void kill_address(struct call *call)
{
    const struct client_filter filter = {
        .call = call, .addr = call->argv[2], .max_age = -1, .idle = -1, .db = -1
    };
    struct killing killing = { .deeds = call->deeds };
    client_filter_each(&filter, kill_visit, &killing);
    if (killing.count > 0) {
        resp_ok(call->reply);
    } else {
        resp_error(call->reply, "ERR No such client");
    }
}

void run_client_kill(struct call *call)
{
    struct client_filter filter;
    if (call->argc == 3) {
        kill_address(call);
        return;
    }
    if (!client_filter_parse(call, true, &filter)) {
        return;
    }
    struct killing killing = { .deeds = call->deeds };
    client_filter_each(&filter, kill_visit, &killing);
    resp_int(call->reply, (int64_t)killing.count);
}
