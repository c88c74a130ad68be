/*
 * commands_fake: see the header. Walks are answered from the working set; there is no MULTI queue, since queuing
 * is dispatch's.
 */
#include "commands_fake.h"
#include "audit.h"
#include "telemetry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl/acl.h"

enum { MAX_WALK_ROWS = 4096, MAX_WORDS = 64 };

struct session {
    struct core *core;
    struct session_vars vars;
    struct frame_open open;
    struct slice names[SESSION_NAME_COUNT];
    bool in_multi;
    bool quit;
    bool paused;
    uint32_t switches;
    size_t watched;
    int64_t watched_revision;
    struct subscriber subscriber;
    struct tracker tracker;
    int64_t sleep_ms;
};

struct core {
    struct core_options options;
    struct core_metrics metrics;
    struct telemetry telemetry;
    struct keyspaces *keyspaces;
    struct acl *acl;
    size_t acl_changes;
    struct session *session;
    int64_t now_ms;
    struct pubsub *pubsub;
    struct tracking *tracking;
    uint32_t notify;
    int64_t tracking_max_keys;
    uint32_t use_db; /* of the last use that was noted */
    struct slice use_key;
    int64_t noted_ms;
    int64_t used_ms;
};

struct fake {
    const struct effect *heard; /* the last one that fake_heard gave */
    char heard_text[1024];
    struct session session;
    struct core core;
    struct working_set *ws;
    struct working_set *memory; /* only its arena: arguments, walk rows */
    struct buf reply;
    struct buf deeds; /* of the last command */
};

/* --- core.h, session.h ------------------------------------------------------------------------ */

const struct core_options *core_options(const struct core *core)
{
    return &core->options;
}

struct core_metrics *core_metrics(struct core *core)
{
    return &core->metrics;
}

struct audit_figures core_audit(const struct core *core)
{
    (void)core;
    return (struct audit_figures){ .state = "off" };
}

struct core_options *core_changeable(struct core *core)
{
    return &core->options;
}

void core_changed(struct core *core)
{
    telemetry_apply(&core->telemetry);
}

struct telemetry *core_telemetry(const struct core *core)
{
    return (struct telemetry *)&core->telemetry;
}

void core_reset_metrics(struct core *core)
{
    core->metrics = (struct core_metrics){ .sessions_now = 1 };
    telemetry_reset(&core->telemetry);
}

int64_t core_uptime_ms(const struct core *core)
{
    (void)core;
    return 90061000; /* a day, an hour, a minute and a second */
}

struct core_lanes core_lanes(const struct core *core)
{
    (void)core;
    return (struct core_lanes){ .write = { [LANES_RUNNING] = 1, [LANES_IDLE] = 1 },
                                .read = { [LANES_IDLE] = 2 } };
}

struct core_clients core_clients(struct core *core)
{
    (void)core;
    return (struct core_clients){ .bytes = 1000, .tls_1_3 = 1 };
}

const char *core_database_state(const struct core *core)
{
    (void)core;
    return "up";
}

struct slice core_database_version(const struct core *core)
{
    (void)core;
    return SLICE("15.0");
}

struct cache_figures core_cache(const struct core *core)
{
    (void)core;
    return (struct cache_figures){ .hits = 3, .max_bytes = 1024 };
}

int64_t core_now_ms(const struct core *core)
{
    return core->now_ms;
}

void core_note_use(struct core *core, uint32_t db, struct slice key, int64_t now_ms,
                   int64_t used_ms)
{
    core->use_db = db;
    core->use_key = key; /* arguments live as long as the fake */
    core->noted_ms = now_ms;
    core->used_ms = used_ms;
}

int64_t core_last_used(const struct core *core, uint32_t db, struct slice key, int64_t modified_at)
{
    bool noted = core->use_db == db && slice_eq(core->use_key, key);
    return noted && core->noted_ms >= modified_at ? core->used_ms : modified_at;
}

bool core_key_counts(const struct core *core, size_t index, struct core_key_count *out)
{
    (void)core;
    *out = (struct core_key_count){ .keys = 3, .expires = 1, .average_ttl = 60000 };
    return index == 0;
}

void core_each_session(struct core *core, void (*visit)(struct session *s, void *arg), void *arg)
{
    visit(core->session, arg);
}

struct session *core_find_session(struct core *core, uint64_t id)
{
    return id == session_id(core->session) ? core->session : NULL;
}

bool core_gateway_stat(const struct core *core, size_t index, struct link_stat *out)
{
    static const struct link_stat stats[] = {
        { .name = "gateway_connections", .kind = LINK_STAT_SUM, .value = 7 },
        { .name = "gateway_client_ends_seconds", .kind = LINK_STAT_NONE },
        { .name = "gateway_max_connections", .kind = LINK_STAT_SUM, .value = 10000 },
        { .name = "gateway_sha256_crl_1", .kind = LINK_STAT_TEXT, .text = "0f" },
    };
    (void)core;
    if (index < ARRAY_SIZE(stats)) {
        *out = stats[index];
    }
    return index < ARRAY_SIZE(stats);
}

struct acl *core_acl(struct core *core)
{
    return core->acl;
}

void core_acl_changed(struct core *core, struct session *by, const char *what, struct slice user)
{
    (void)by;
    (void)what;
    (void)user;
    core->acl_changes++;
}

void core_refused(struct core *core, struct session *s, const struct core_refusal *refusal)
{
    acl_log_add(acl_refusals(core->acl),
                &(struct acl_log_entry){
                    .reason = refusal->reason,
                    .context = refusal->context,
                    .object = refusal->object,
                    .username = refusal->username.len > 0 ? refusal->username : session_identity(s),
                    .client = SLICE("id=7"),
                    .at_ms = core->now_ms,
                });
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
    (void)s;
    return 7;
}

struct slice session_identity(const struct session *s)
{
    return s->open.identity;
}

const struct acl_user *session_user(const struct session *s)
{
    return acl_set_match(acl_users(s->core->acl), s->open.identity, s->open.issuer);
}

const struct frame_open *session_open_info(const struct session *s)
{
    return &s->open;
}

int64_t session_opened_ms(const struct session *s)
{
    return s->open.opened_at;
}

int64_t session_idle_seconds(const struct session *s)
{
    (void)s;
    return 0;
}

const char *session_last_command(const struct session *s)
{
    (void)s;
    return "client|list";
}

size_t session_multi_count(const struct session *s)
{
    return s->in_multi ? 0 : SIZE_MAX;
}

size_t session_watch_count(const struct session *s)
{
    return s->watched;
}

uint64_t session_commands(const struct session *s)
{
    (void)s;
    return 1;
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
    s->switches |= SESSION_MONITOR;
}

struct session_memory session_memory(const struct session *s)
{
    (void)s;
    return (struct session_memory){ .requests = 26, .arguments = 10, .total = 1000 };
}

struct slice session_name(const struct session *s, enum session_name which)
{
    return s->names[which];
}

void session_set_name(struct session *s, enum session_name which, struct slice name)
{
    s->names[which] = name; /* arguments live as long as the fake */
}

bool session_in_multi(const struct session *s)
{
    return s->in_multi;
}

void session_begin_multi(struct session *s)
{
    s->in_multi = true;
}

void session_discard_multi(struct session *s)
{
    s->in_multi = false;
    session_unwatch(s);
}

void session_watch(struct session *s, uint32_t db, struct slice key, int64_t revision)
{
    (void)db;
    (void)key;
    s->watched++;
    s->watched_revision = revision;
}

void session_unwatch(struct session *s)
{
    s->watched = 0;
    s->watched_revision = -1;
}

void session_quit(struct session *s)
{
    s->quit = true;
}

void session_sleep(struct session *s, int64_t ms)
{
    s->sleep_ms = ms;
}

void session_reset(struct session *s)
{
    s->vars = (struct session_vars){ .protocol = 2 };
    memset(s->names, 0, sizeof(s->names));
    s->switches = 0;
    session_discard_multi(s);
    pubsub_leave(container_of(s, struct fake, session)->core.pubsub, &s->subscriber);
    session_untrack(s);
}

/* --- subscriptions and tracking: the real tables; nobody is sent anything ----------------------- */

static void ignore_message(void *arg, struct subscriber *s, struct slice pattern)
{
    (void)arg;
    (void)s;
    (void)pattern;
}

static void ignore_keys(void *arg, struct tracker *c, const struct slice *keys, size_t count)
{
    (void)arg;
    (void)c;
    (void)keys;
    (void)count;
}

size_t core_publish(struct core *core, uint32_t keyspace, enum pubsub_kind kind,
                    struct slice channel, struct slice message)
{
    (void)message;
    return pubsub_each(core->pubsub, kind, keyspace, channel, ignore_message, NULL);
}

const struct pubsub *core_pubsub(const struct core *core)
{
    return core->pubsub;
}

struct tracking_figures core_tracking(const struct core *core)
{
    return tracking_figures(core->tracking);
}

struct core_exchange core_exchange(const struct core *core)
{
    (void)core;
    return (struct core_exchange){ .peers = 1 };
}

uint32_t core_notify_events(const struct core *core)
{
    return core->notify;
}

void core_set_notify_events(struct core *core, uint32_t flags)
{
    core->notify = flags;
}

int64_t core_tracking_max_keys(const struct core *core)
{
    return core->tracking_max_keys;
}

void core_set_tracking_max_keys(struct core *core, int64_t keys)
{
    core->tracking_max_keys = keys;
}

bool session_subscribe(struct session *s, enum pubsub_kind kind, struct slice name)
{
    struct fake *f = container_of(s, struct fake, session);
    return pubsub_subscribe(f->core.pubsub, &s->subscriber, kind, s->vars.keyspace, name);
}

bool session_unsubscribe(struct session *s, enum pubsub_kind kind, struct slice name)
{
    struct fake *f = container_of(s, struct fake, session);
    return pubsub_unsubscribe(f->core.pubsub, &s->subscriber, kind, s->vars.keyspace, name);
}

const struct subscriber *session_subscriber(const struct session *s)
{
    return &s->subscriber;
}

bool session_only_listens(const struct session *s)
{
    return s->vars.protocol == 2 && pubsub_count(&s->subscriber) > 0;
}

void session_track(struct session *s, uint32_t flags, uint64_t redirect,
                   const struct slice *prefixes, size_t count)
{
    struct fake *f = container_of(s, struct fake, session);
    tracking_start(f->core.tracking, &s->tracker, session_id(s), s->vars.keyspace, flags, redirect,
                   prefixes, count);
}

void session_untrack(struct session *s)
{
    tracking_stop(container_of(s, struct fake, session)->core.tracking, &s->tracker);
}

struct tracker *session_tracker(struct session *s)
{
    return &s->tracker;
}

/* --- the fake --------------------------------------------------------------------------------- */

struct fake *fake_new(void)
{
    struct fake *f = mem_zalloc(sizeof(*f));
    f->ws = working_set_new(1);
    f->memory = working_set_new(1);
    buf_init(&f->reply, SIZE_MAX / 2);
    buf_init(&f->deeds, SIZE_MAX / 2);
    f->core = (struct core){
        .options = { .max_key = 2000,
                     .max_value = 16 << 20,
                     .databases = 16,
                     .pool_size = 4,
                     .store_timeout_ms = 15000,
                     .audit = "none" },
        .session = &f->session,
        .keyspaces = keyspaces_new(),
        .pubsub = pubsub_new(),
        .tracking = tracking_new(0, ignore_keys, NULL),
        .tracking_max_keys = 1000000,
    };
    f->core.acl = acl_new(f->core.keyspaces, NULL);
    f->session.core = &f->core;
    telemetry_init(&f->core.telemetry);
    f->session.vars.protocol = 2;
    f->session.watched_revision = -1;
    f->session.open = (struct frame_open){
        .identity = SLICE("cn:alice"),
        .serial = SLICE("0a1b"),
        .not_after = 1800000000,
        .tls_version = SLICE("TLSv1.3"),
        .cipher = SLICE("TLS_AES_128_GCM_SHA256"),
        .peer = SLICE("127.0.0.1:50110"),
        .local = SLICE("127.0.0.1:6380"),
    };
    fake_set_now(f, FAKE_NOW_MS);
    return f;
}

void fake_free(struct fake *f)
{
    pubsub_leave(f->core.pubsub, &f->session.subscriber);
    tracking_stop(f->core.tracking, &f->session.tracker);
    pubsub_free(f->core.pubsub);
    tracking_free(f->core.tracking);
    working_set_free(f->ws);
    working_set_free(f->memory);
    acl_free(f->core.acl);
    keyspaces_free(f->core.keyspaces);
    telemetry_release(&f->core.telemetry);
    buf_release(&f->reply);
    buf_release(&f->deeds);
    free(f);
}

struct session *fake_session(struct fake *f)
{
    return &f->session;
}

struct core *fake_core(struct fake *f)
{
    return &f->core;
}

struct working_set *fake_set(struct fake *f)
{
    return f->ws;
}

struct core_options *fake_options(struct fake *f)
{
    return &f->core.options;
}

bool fake_has_quit(const struct fake *f)
{
    return f->session.quit;
}

const struct deed *fake_deeds(const struct fake *f, size_t *count)
{
    *count = buf_len(&f->deeds) / sizeof(struct deed);
    return (const struct deed *)(const void *)f->deeds.p;
}

size_t fake_acl_changes(const struct fake *f)
{
    return f->core.acl_changes;
}

int64_t fake_slept(const struct fake *f)
{
    return f->session.sleep_ms;
}

int64_t fake_watched(const struct fake *f)
{
    return f->session.watched_revision;
}

void fake_set_now(struct fake *f, int64_t now_ms)
{
    f->core.now_ms = now_ms;
    ws_begin_unit(f->ws, now_ms, 1);
}

/* --- events ----------------------------------------------------------------------------------- */

void fake_listen(struct fake *f, uint32_t events)
{
    ws_listen(f->ws, events, false);
}

const char *fake_heard(struct fake *f)
{
    size_t at = 0;
    f->heard_text[0] = '\0';
    for (const struct effect *e = f->heard ? f->heard->next : ws_effects(f->ws); e; e = e->next) {
        f->heard = e;
        if (e->kind != EFFECT_EVENT) {
            continue;
        }
        at += (size_t)snprintf(f->heard_text + at, sizeof(f->heard_text) - at, "%s",
                               at > 0 ? " " : "");
        if (e->db > 0) {
            at += (size_t)snprintf(f->heard_text + at, sizeof(f->heard_text) - at, "%u:", e->db);
        }
        at += (size_t)snprintf(f->heard_text + at, sizeof(f->heard_text) - at, "%s=%.*s", e->name,
                               (int)e->key.len, (const char *)e->key.p);
    }
    return f->heard_text;
}

/* --- walks ------------------------------------------------------------------------------------ */

/* as_glob is enough of ILIKE for tests: % and _ alone. */
static struct slice as_glob(struct fake *f, struct slice ilike)
{
    struct slice glob = ws_copy(f->memory, ilike);
    uint8_t *p = (uint8_t *)glob.p;
    for (size_t i = 0; i < glob.len; i++) {
        p[i] = p[i] == '%' ? '*' : p[i] == '_' ? '?' : p[i];
    }
    return glob;
}

static bool is_answer(struct fake *f, const struct walk *walk, const struct entry *e)
{
    if (e->db != walk->db || ws_find(f->ws, e->db, e->key) == NULL ||
        !slice_starts_with(e->key, walk->prefix)) {
        return false;
    }
    return walk->kind != WALK_FIND ||
           (slice_is_text(e->value) && slice_glob(as_glob(f, walk->ilike), e->value, true));
}

/* answer_key: who wrote a key last is always the caller here. */
static void answer_key(struct fake *f, struct walk *walk)
{
    const struct entry *e = ws_find(f->ws, walk->db, walk->key);
    if (e == NULL) {
        return;
    }
    struct walk_key *key = ws_alloc(f->memory, sizeof(*key));
    *key = (struct walk_key){
        .revision = e->revision,
        .modified_at = e->modified_at,
        .modified_by = f->session.open.identity,
        .expires_at = e->expires_at,
        .length = e->length,
        .text = slice_is_text(e->value),
    };
    walk->found = key;
}

/* answer_swap keeps the keys in place of the databases: whose entry it is, is part of it. */
static void answer_swap(struct fake *f, struct walk *walk)
{
    struct working_set *swapped = working_set_new(1);
    ws_begin_unit(swapped, f->core.now_ms, 1);
    for (struct entry *e = ws_first(f->ws); e != NULL; e = e->next) {
        if (ws_find(f->ws, e->db, e->key) != NULL) {
            uint32_t db = e->db == walk->db         ? walk->other_db
                          : e->db == walk->other_db ? walk->db
                                                    : e->db;
            ws_put(swapped, db, ws_copy(f->memory, e->key), ws_copy(f->memory, e->value),
                   e->expires_at);
        }
    }
    working_set_free(f->ws);
    f->ws = swapped;
}

/* answer_rows: the cursor is simply how many keys were passed. */
static void answer_rows(struct fake *f, struct walk *walk)
{
    struct walk_row *rows = ws_alloc(f->memory, MAX_WALK_ROWS * sizeof(*rows));
    bool paged = walk->kind == WALK_SCAN || walk->kind == WALK_FIND;
    uint64_t passed = 0;
    walk->rows = rows;
    for (struct entry *e = ws_first(f->ws); e != NULL; e = e->next) {
        if (!is_answer(f, walk, e) || passed++ < walk->cursor) {
            continue;
        }
        if (paged && walk->row_count == walk->count) {
            walk->next_cursor = passed - 1;
            return;
        }
        rows[walk->row_count++] = (struct walk_row){ e->key, e->value };
        walk->total++;
    }
}

static void answer_walk(struct fake *f, struct walk *walk)
{
    switch (walk->kind) {
    case WALK_NONE:
        break;
    case WALK_FLUSH_DB:
        ws_forget(f->ws, walk->db);
        break;
    case WALK_FLUSH_ALL:
        ws_forget(f->ws, walk->db | UINT16_MAX);
        break;
    case WALK_SWAP:
        answer_swap(f, walk);
        break;
    case WALK_KEY:
        answer_key(f, walk);
        break;
    case WALK_SCAN:
    case WALK_KEYS:
    case WALK_RANDOM:
    case WALK_COUNT:
    case WALK_FIND:
        answer_rows(f, walk);
        break;
    }
}

/* --- running ---------------------------------------------------------------------------------- */

/* load plays the store: what no command wrote is known to be absent. */
static void load(struct fake *f)
{
    for (struct entry *e = ws_first(f->ws); e != NULL; e = e->next) {
        if (!e->dirty) {
            e->loaded = e->wanted > e->loaded ? e->wanted : e->loaded;
        }
    }
}

static void run(struct fake *f, struct call *call)
{
    const struct command *command = call->command;
    struct walk walk = { .kind = WALK_NONE };
    if ((command->flags & CMD_LOCAL) == 0) {
        call->ws = f->ws;
        command_needs(call);
        load(f);
    }
    if (command->walk != NULL) {
        command->walk(call, &walk);
        answer_walk(f, &walk);
        call->walk = &walk;
        call->ws = f->ws; /* SWAPDB makes another one */
    }
    command->run(call);
}

struct slice fake_run(struct fake *f, const struct slice *argv, uint32_t argc)
{
    struct resp_writer reply = { &f->reply, f->session.vars.protocol };
    struct slice *copies = ws_alloc(f->memory, argc * sizeof(*copies));
    for (uint32_t i = 0; i < argc; i++) {
        copies[i] = ws_copy(f->memory, argv[i]);
    }
    buf_clear(&f->reply);
    buf_clear(&f->deeds);
    const struct command *command = command_resolve(copies, argc, &reply);
    if (command != NULL) {
        struct call call = {
            .command = command,
            .argv = copies,
            .argc = argc,
            .db = session_db(&f->session),
            .now_ms = f->core.now_ms,
            .session = &f->session,
            .core = &f->core,
            .deeds = &f->deeds,
            .reply = &reply,
        };
        run(f, &call);
    }
    return buf_slice(&f->reply);
}

/* --- lines ------------------------------------------------------------------------------------ */

static uint8_t hex(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

/* read_escape reads what stands behind a backslash and returns where it ends. */
static const char *read_escape(const char *p, uint8_t *out)
{
    switch (*p) {
    case 'r':
        *out = '\r';
        return p + 1;
    case 'n':
        *out = '\n';
        return p + 1;
    case '0':
        *out = '\0';
        return p + 1;
    case 'x':
        *out = (uint8_t)(hex(p[1]) << 4 | hex(p[2]));
        return p + 3;
    default:
        *out = (uint8_t)*p;
        return p + 1;
    }
}

static const char *read_word(const char *p, uint8_t *out, size_t *length)
{
    bool quoted = *p == '"';
    p += quoted;
    *length = 0;
    while (*p != '\0' && *p != (quoted ? '"' : ' ')) {
        if (quoted && *p == '\\') {
            p = read_escape(p + 1, &out[(*length)++]);
        } else {
            out[(*length)++] = (uint8_t)*p++;
        }
    }
    return quoted && *p == '"' ? p + 1 : p;
}

struct slice fake_line(struct fake *f, const char *line)
{
    struct slice argv[MAX_WORDS];
    uint32_t argc = 0;
    uint8_t *bytes = ws_alloc(f->memory, strlen(line) + 1);
    while (*line != '\0') {
        size_t length = 0;
        line = read_word(line, bytes, &length);
        argv[argc++] = (struct slice){ bytes, length };
        bytes += length;
        line += *line == ' ';
    }
    int64_t now = 0;
    if (argc == 2 && slice_eq(argv[0], SLICE("@now")) && slice_to_i64(argv[1], &now) == ERR_OK) {
        fake_set_now(f, now);
        return (struct slice){ NULL, 0 };
    }
    return fake_run(f, argv, argc);
}
