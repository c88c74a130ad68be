/*
 * commands_fake: see the header. Walks are answered from the working set; there is no MULTI queue, since queuing
 * is dispatch's.
 */
#include "commands_fake.h"
#include "audit.h"
#include "telemetry.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_WALK_ROWS = 4096, MAX_WORDS = 64 };

struct session {
    struct session_vars vars;
    struct frame_open open;
    struct slice names[SESSION_NAME_COUNT];
    bool in_multi;
    bool quit;
    size_t watched;
    int64_t watched_revision;
};

struct core {
    struct core_options options;
    struct core_metrics metrics;
    struct telemetry telemetry;
    struct session *session;
    int64_t now_ms;
};

struct fake {
    struct session session;
    struct core core;
    struct working_set *ws;
    struct working_set *memory; /* only its arena: arguments, walk rows */
    struct buf reply;
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

bool core_key_counts(const struct core *core, uint32_t keyspace, size_t index,
                     struct core_key_count *out)
{
    (void)core;
    *out = (struct core_key_count){
        .db_number = keyspace, .keys = 3, .expires = 1, .average_ttl = 60000
    };
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

bool core_gateway_stat(const struct core *core, size_t index, struct slice *name, int64_t *value)
{
    (void)core;
    *name = index == 0 ? SLICE("gateway_connections") : SLICE("gateway_max_connections");
    *value = index == 0 ? 7 : 10000;
    return index < 2;
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

void session_reset(struct session *s)
{
    s->vars = (struct session_vars){ .protocol = 2 };
    memset(s->names, 0, sizeof(s->names));
    session_discard_multi(s);
}

/* --- the fake --------------------------------------------------------------------------------- */

struct fake *fake_new(void)
{
    struct fake *f = mem_zalloc(sizeof(*f));
    f->ws = working_set_new(1);
    f->memory = working_set_new(1);
    buf_init(&f->reply, SIZE_MAX / 2);
    f->core = (struct core){
        .options = { .max_key = 2000,
                     .max_value = 16 << 20,
                     .databases = 16,
                     .pool_size = 4,
                     .store_timeout_ms = 15000,
                     .audit = "none" },
        .session = &f->session,
    };
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
    working_set_free(f->ws);
    working_set_free(f->memory);
    telemetry_release(&f->core.telemetry);
    buf_release(&f->reply);
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

int64_t fake_watched(const struct fake *f)
{
    return f->session.watched_revision;
}

void fake_set_now(struct fake *f, int64_t now_ms)
{
    f->core.now_ms = now_ms;
    ws_begin_unit(f->ws, now_ms, 1);
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

/* answer_walk: the cursor is simply how many keys were passed. */
static void answer_walk(struct fake *f, struct walk *walk)
{
    struct walk_row *rows = ws_alloc(f->memory, MAX_WALK_ROWS * sizeof(*rows));
    bool paged = walk->kind == WALK_SCAN || walk->kind == WALK_FIND;
    uint64_t passed = 0;
    walk->rows = rows;
    if (walk->kind == WALK_FLUSH_DB) {
        ws_forget(f->ws, walk->db);
    } else if (walk->kind == WALK_FLUSH_ALL) {
        ws_forget(f->ws, walk->db | UINT16_MAX);
    }
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
        if (walk.kind != WALK_NONE) {
            answer_walk(f, &walk);
        }
        call->walk = &walk;
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
