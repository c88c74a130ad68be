/* A session's state: what it knows of its client, and the record that survives a restart of the core. */
#include "session_private.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "acl/acl.h"
#include "core.h"
#include "core_private.h"
#include "events.h"
#include "monitor.h"
#include "nap.h"
#include "pause.h"

enum { OUT_MAX = 1 << 30, ASSEMBLING_MAX = 256 * 1024 * 1024, MAX_STATE_NAME = 255 };

static struct slice keep(uint8_t **at, struct slice s)
{
    struct slice copy = { *at, s.len };
    if (s.len)
        memcpy(*at, s.p, s.len);
    *at += s.len;
    return copy;
}

/* The open record's texts, in one allocation. The state is not kept: it goes out of date. */
static void keep_info(struct session *s, const struct frame_open *open)
{
    s->info = *open;
    s->info.state = (struct slice){ NULL, 0 };
    uint8_t *at = mem_alloc(open->issuer.len + open->serial.len + open->tls_version.len +
                            open->cipher.len + open->peer.len + open->local.len + 1);
    s->info_bytes = at;
    s->info.identity = s->identity->name;
    s->info.issuer = keep(&at, open->issuer);
    s->info.serial = keep(&at, open->serial);
    s->info.tls_version = keep(&at, open->tls_version);
    s->info.cipher = keep(&at, open->cipher);
    s->info.peer = keep(&at, open->peer);
    s->info.local = keep(&at, open->local);
}

struct session *session_new(struct core *core, struct link *link, uint64_t wire_id,
                            const struct frame_open *open)
{
    struct session *s = mem_zalloc(sizeof(*s));
    s->core = core;
    s->link = link;
    s->wire_id = wire_id;
    s->id = ++core->last_session_id;
    s->identity = identity_ref(core->identities, open->identity);
    keep_info(s, open);
    s->user = acl_user_ref(acl_set_match(acl_users(core->acl), open->identity, open->issuer));
    s->vars = (struct session_vars){ .keyspace = s->user->keyspace_index, .protocol = 2 };
    s->credit = open->credit;
    s->opened_ms = open->opened_at;
    s->last_ms = uv_now(core->loop);
    buf_init(&s->out, OUT_MAX);
    buf_init(&s->assembling, ASSEMBLING_MAX);
    buf_init(&s->held, OUT_MAX);
    return s;
}

void session_free(struct session *s)
{
    monitor_stop(s);
    pause_session(s, false);
    nap_cancel(s);
    request_free_all(&s->queue);
    request_free_all(&s->units);
    session_discard_multi(s);
    for (int i = 0; i < SESSION_NAME_COUNT; i++)
        free(s->names[i]);
    identity_unref(s->core->identities, s->identity);
    acl_user_unref(s->user);
    buf_release(&s->out);
    buf_release(&s->assembling);
    buf_release(&s->held);
    free(s->info_bytes);
    free(s);
}

struct session_vars *session_vars(struct session *s)
{
    return &s->vars;
}

uint32_t session_db(const struct session *s)
{
    return db_ref(s->vars.keyspace, s->vars.db_number);
}

uint64_t session_id(const struct session *s)
{
    return s->id;
}

struct slice session_identity(const struct session *s)
{
    return s->identity->name;
}

const struct acl_user *session_user(const struct session *s)
{
    return s->user;
}

const struct frame_open *session_open_info(const struct session *s)
{
    return &s->info;
}

int64_t session_opened_ms(const struct session *s)
{
    return s->opened_ms;
}

int64_t session_idle_seconds(const struct session *s)
{
    return (int64_t)(uv_now(s->core->loop) - s->last_ms) / 1000;
}

const char *session_last_command(const struct session *s)
{
    return s->last_command ? s->last_command->name : "NULL";
}

uint64_t session_commands(const struct session *s)
{
    return s->commands;
}

uint32_t session_switches(const struct session *s)
{
    return s->switches;
}

void session_switch(struct session *s, uint32_t which, bool on)
{
    s->switches = on ? s->switches | which : s->switches & ~which;
}

bool session_is_paused(const struct session *s)
{
    return s->paused;
}

void session_monitor(struct session *s)
{
    monitor_start(s);
}

static size_t resp_sizes(const struct request_list *list)
{
    size_t n = 0;
    for (const struct request *r = list->first; r; r = r->next)
        n += request_resp_size(r);
    return n;
}

struct session_memory session_memory(const struct session *s)
{
    struct session_memory m = {
        .requests = resp_sizes(&s->queue) + resp_sizes(&s->units) + buf_len(&s->assembling),
        .queued = s->multi ? resp_sizes(&s->multi->queued) : 0,
        .replies = buf_len(&s->out),
    };
    for (uint32_t i = 0; s->queue.first && i < s->queue.first->argc; i++)
        m.arguments += s->queue.first->argv[i].len;
    m.total = sizeof(*s) + m.requests + m.queued + m.replies;
    return m;
}

struct slice session_name(const struct session *s, enum session_name which)
{
    return s->names[which] ? slice_of((const char *)s->names[which]) : (struct slice){ NULL, 0 };
}

void session_set_name(struct session *s, enum session_name which, struct slice name)
{
    free(s->names[which]);
    s->names[which] = name.len ? (uint8_t *)slice_dup(name).p : NULL;
}

/* --- MULTI and WATCH ---------------------------------------------------------------------- */

bool session_in_multi(const struct session *s)
{
    return s->multi != NULL;
}

size_t session_multi_count(const struct session *s)
{
    return s->multi ? s->multi->queued.count : SIZE_MAX;
}

void session_begin_multi(struct session *s)
{
    s->multi = mem_zalloc(sizeof(*s->multi));
}

void session_discard_multi(struct session *s)
{
    if (s->multi)
        request_free_all(&s->multi->queued);
    free(s->multi);
    s->multi = NULL;
    session_unwatch(s);
}

static struct watch *find_watch(const struct session *s, uint32_t db, struct slice key)
{
    struct watch *w = s->watches;
    while (w && !(w->db == db && slice_eq(w->key, key)))
        w = w->next;
    return w;
}

void session_watch(struct session *s, uint32_t db, struct slice key, int64_t revision)
{
    if (find_watch(s, db, key))
        return;
    if (s->watches == NULL)
        core_add_watcher(s->core, s);
    struct watch *w = mem_alloc(sizeof(*w));
    *w =
        (struct watch){ .next = s->watches, .db = db, .revision = revision, .key = slice_dup(key) };
    s->watches = w;
}

void session_break_watches(struct session *s, bool (*written)(void *arg, const struct watch *w),
                           void *arg)
{
    for (struct watch *w = s->watches; w; w = w->next)
        if (written(arg, w))
            w->revision = WATCH_BROKEN;
}

void session_unwatch(struct session *s)
{
    if (s->watches)
        core_remove_watcher(s->core, s);
    while (s->watches) {
        struct watch *next = s->watches->next;
        free((void *)s->watches->key.p);
        free(s->watches);
        s->watches = next;
    }
}

size_t session_watch_count(const struct session *s)
{
    size_t n = 0;
    for (const struct watch *w = s->watches; w; w = w->next)
        n++;
    return n;
}

const struct subscriber *session_subscriber(const struct session *s)
{
    return &s->subscriber;
}

bool session_only_listens(const struct session *s)
{
    return s->vars.protocol == 2 && pubsub_count(&s->subscriber) > 0;
}

struct tracker *session_tracker(struct session *s)
{
    return &s->tracker;
}

void session_quit(struct session *s)
{
    if (s->life == SESSION_OPEN)
        s->life = SESSION_QUITTING;
}

void session_sleep(struct session *s, int64_t ms)
{
    s->sleep_ms = ms;
}

void session_reset(struct session *s)
{
    session_discard_multi(s);
    monitor_stop(s);
    s->switches = 0;
    events_leave(s);
    s->vars = (struct session_vars){ .keyspace = s->vars.keyspace, .protocol = 2 };
    session_set_name(s, SESSION_NAME, (struct slice){ NULL, 0 });
}

/* --- STATE -------------------------------------------------------------------------------- */

/* What a record carries; the other switches pin the session. */
enum { CARRIED = SESSION_NO_EVICT | SESSION_NO_TOUCH, HEAD = 4 };

/*
 * The record: u8 protocol, u16 database, u8 switches, then each name as u8 length and bytes. Ours alone; the gateway only
 * keeps it. The keyspace is not in it: the ACL tells it from the identity again.
 */
uint8_t session_write_state(const struct session *s, struct buf *out)
{
    const bool listens = pubsub_count(&s->subscriber) > 0;
    bool plain = s->vars.protocol == 2 && s->vars.db_number == 0 && (s->switches & CARRIED) == 0;
    bool pinned = s->multi != NULL || s->watches != NULL || listens ||
                  s->tracker.flags & TRACKING_ON || (s->switches & ~(uint32_t)CARRIED) != 0;
    for (int i = 0; i < SESSION_NAME_COUNT; i++) {
        plain = plain && s->names[i] == NULL;
        pinned = pinned || session_name(s, (enum session_name)i).len > MAX_STATE_NAME;
    }
    if (!plain) {
        const uint8_t head[HEAD] = { (uint8_t)s->vars.protocol, (uint8_t)s->vars.db_number,
                                     (uint8_t)(s->vars.db_number >> 8),
                                     (uint8_t)(s->switches & CARRIED) };
        buf_append(out, head, sizeof(head));
        for (int i = 0; i < SESSION_NAME_COUNT; i++) {
            const struct slice name = session_name(s, (enum session_name)i);
            const uint8_t len = (uint8_t)(name.len < MAX_STATE_NAME ? name.len : MAX_STATE_NAME);
            buf_append(out, &len, 1);
            buf_append(out, name.p, len);
        }
    }
    return (uint8_t)((pinned ? FRAME_PINNED : 0) | (listens ? FRAME_LISTENS : 0));
}

bool session_restore(struct session *s, struct slice state)
{
    if (state.len == 0)
        return true;
    if (state.len < HEAD || (state.p[0] != 2 && state.p[0] != 3) || (state.p[3] & ~CARRIED) != 0)
        return false;
    s->vars.protocol = state.p[0];
    s->vars.db_number = (uint32_t)(state.p[1] | state.p[2] << 8);
    s->switches = state.p[3];
    size_t at = HEAD;
    for (int i = 0; i < SESSION_NAME_COUNT; i++) {
        if (at >= state.len || at + 1 + state.p[at] > state.len)
            return false;
        session_set_name(s, (enum session_name)i, (struct slice){ state.p + at + 1, state.p[at] });
        at += 1u + state.p[at];
    }
    s->state_hash = slice_hash(state, 0);
    return s->vars.db_number < (uint32_t)s->core->options.databases && at == state.len;
}
