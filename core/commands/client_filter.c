/*
 * client_filter: see the header. An option is a row; those that Redis 7.0 has not are Valkey's, under its names.
 */
#include "commands/client_filter.h"

#include <stddef.h>

#include "acl/acl.h"
#include "core.h"

static int shown_length(struct slice s)
{
    return s.len < 128 ? (int)s.len : 128;
}

/* --- options -------------------------------------------------------------------------------- */

struct option_row;

/* Reads the value at argument i; returns the argument behind it, or 0 after an error reply. */
typedef uint32_t option_fn(struct call *call, uint32_t i, const struct option_row *row,
                           struct client_filter *out);

/*
 * name   the word
 * read   what reads its value
 * field  where it goes, an offset in struct client_filter
 */
struct option_row {
    const char *name;
    option_fn *read;
    size_t field;
};

static const struct option_row *find_option(const struct call *call, uint32_t i);

static uint32_t bad_id(struct call *call, const struct client_filter *out)
{
    resp_error(call->reply,
               out->kills ? "ERR client-id should be greater than 0" : "ERR Invalid client ID");
    return 0;
}

static bool is_id(const struct call *call, uint32_t i, bool positive)
{
    int64_t id = 0;
    return slice_to_i64(call->argv[i], &id) == ERR_OK && (id > 0 || !positive);
}

/* As many ids as follow; whatever ends them must be another option. */
static uint32_t read_ids(struct call *call, uint32_t i, const struct option_row *row,
                         struct client_filter *out)
{
    (void)row;
    out->first_id = i;
    while (i < call->argc && is_id(call, i, out->kills)) {
        i++;
    }
    out->last_id = i;
    const bool ended = i == call->argc || find_option(call, i) != NULL || out->kills;
    return out->last_id > out->first_id && ended ? i : bad_id(call, out);
}

static uint32_t read_type(struct call *call, uint32_t i, const struct option_row *row,
                          struct client_filter *out)
{
    static const struct {
        const char *word;
        enum client_type type;
    } types[] = {
        { "normal", CLIENT_NORMAL }, { "slave", CLIENT_REPLICA }, { "replica", CLIENT_REPLICA },
        { "pubsub", CLIENT_PUBSUB }, { "master", CLIENT_MASTER },
    };
    (void)row;
    for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
        if (call_arg_is(call, i, types[t].word)) {
            out->type = types[t].type;
            return i + 1;
        }
    }
    resp_error(call->reply, "ERR Unknown client type '%.*s'", shown_length(call->argv[i]),
               (const char *)call->argv[i].p);
    return 0;
}

static uint32_t read_text(struct call *call, uint32_t i, const struct option_row *row,
                          struct client_filter *out)
{
    static const uint8_t none = 0;
    struct slice text = call->argv[i];
    text.p = text.p != NULL ? text.p : &none;
    *(struct slice *)(void *)((char *)out + row->field) = text;
    return i + 1;
}

static uint32_t read_number(struct call *call, uint32_t i, const struct option_row *row,
                            struct client_filter *out)
{
    int64_t number = 0;
    if (slice_to_i64(call->argv[i], &number) != ERR_OK) {
        resp_error(call->reply, "ERR %s is not an integer or out of range", row->name);
        return 0;
    }
    if (number <= 0) {
        const bool may_be_0 = row->field != offsetof(struct client_filter, max_age);
        if (number < 0 || !may_be_0) {
            resp_error(call->reply, "ERR %s should be %s 0", row->name,
                       may_be_0 ? "at least" : "greater than");
            return 0;
        }
    }
    *(int64_t *)(void *)((char *)out + row->field) = number;
    return i + 1;
}

static uint32_t read_skip_me(struct call *call, uint32_t i, const struct option_row *row,
                             struct client_filter *out)
{
    (void)row;
    out->skip_me = call_arg_is(call, i, "yes");
    if (!out->skip_me && !call_arg_is(call, i, "no")) {
        reply_syntax_error(call);
        return 0;
    }
    return i + 1;
}

#define FIELD(name) offsetof(struct client_filter, name)

static uint32_t read_user(struct call *call, uint32_t i, const struct option_row *row,
                          struct client_filter *out);

static const struct option_row options[] = {
    { "id", read_ids, 0 },
    { "type", read_type, 0 },
    { "user", read_user, FIELD(user) },
    { "addr", read_text, FIELD(addr) },
    { "laddr", read_text, FIELD(laddr) },
    { "ip", read_text, FIELD(ip) },
    { "name", read_text, FIELD(name) },
    { "lib-name", read_text, FIELD(lib_name) },
    { "lib-ver", read_text, FIELD(lib_version) },
    { "db", read_number, FIELD(db) },
    { "maxage", read_number, FIELD(max_age) },
    { "idle", read_number, FIELD(idle) },
    { "skipme", read_skip_me, 0 },
};

static const struct option_row *find_option(const struct call *call, uint32_t i)
{
    for (size_t o = 0; o < ARRAY_SIZE(options); o++) {
        if (call_arg_is(call, i, options[o].name)) {
            return &options[o];
        }
    }
    return NULL;
}

bool client_filter_parse(struct call *call, bool kills, struct client_filter *out)
{
    *out = (struct client_filter){
        .call = call, .kills = kills, .skip_me = kills, .max_age = -1, .idle = -1, .db = -1
    };
    for (uint32_t i = 2; i < call->argc;) {
        const struct option_row *row = find_option(call, i);
        if (row == NULL || i + 1 == call->argc) {
            reply_syntax_error(call);
            return false;
        }
        i = row->read(call, i + 1, row, out);
        if (i == 0) {
            return false;
        }
    }
    return true;
}

/* --- what fits ------------------------------------------------------------------------------ */

/* Nobody is a master or a replica here. */
enum client_type client_type_of(const struct session *s)
{
    return pubsub_count(session_subscriber(s)) > 0 ? CLIENT_PUBSUB : CLIENT_NORMAL;
}

static bool text_fits(struct slice wanted, struct slice is)
{
    return wanted.p == NULL || slice_eq(wanted, is);
}

/* An address without its port: "127.0.0.1:6380", "[::1]:6380". */
static struct slice ip_of(struct slice addr)
{
    size_t n = addr.len;
    while (n > 0 && addr.p[n - 1] != ':') {
        n--;
    }
    struct slice ip = { addr.p, n > 0 ? n - 1 : addr.len };
    if (ip.len > 1 && ip.p[0] == '[' && ip.p[ip.len - 1] == ']') {
        ip = (struct slice){ ip.p + 1, ip.len - 2 };
    }
    return ip;
}

/* An identity, or the user that the ACL makes of it: "default", a glob. */
static bool user_fits(struct slice wanted, const struct session *s)
{
    return wanted.p == NULL || slice_eq(wanted, session_identity(s)) ||
           slice_eq(wanted, session_user(s)->name);
}

static bool texts_fit(const struct client_filter *f, const struct session *s)
{
    const struct frame_open *open = session_open_info(s);
    return user_fits(f->user, s) && text_fits(f->addr, open->peer) &&
           text_fits(f->laddr, open->local) && text_fits(f->ip, ip_of(open->peer)) &&
           text_fits(f->name, session_name(s, SESSION_NAME)) &&
           text_fits(f->lib_name, session_name(s, SESSION_LIB_NAME)) &&
           text_fits(f->lib_version, session_name(s, SESSION_LIB_VERSION));
}

static bool is_visible(const struct session *viewer, struct session *s)
{
    const uint32_t mine = session_vars((struct session *)viewer)->keyspace;
    return mine == 0 || mine == session_vars(s)->keyspace;
}

static bool has_id(const struct client_filter *f, const struct session *s)
{
    for (uint32_t i = f->first_id; i < f->last_id; i++) {
        int64_t id = 0;
        if (slice_to_i64(f->call->argv[i], &id) == ERR_OK && (uint64_t)id == session_id(s)) {
            return true;
        }
    }
    return f->first_id == 0;
}

static bool fits(const struct client_filter *f, struct session *s)
{
    const struct call *call = f->call;
    const int64_t age = (call->now_ms - session_opened_ms(s)) / 1000;
    return is_visible(call->session, s) && !(f->skip_me && s == call->session) &&
           (f->type == CLIENT_ANY || f->type == client_type_of(s)) && age >= f->max_age &&
           session_idle_seconds(s) >= f->idle &&
           (f->db < 0 || f->db == (int64_t)session_vars(s)->db_number) && texts_fit(f, s) &&
           has_id(f, s);
}

struct visiting {
    const struct client_filter *filter;
    void (*visit)(struct session *s, void *arg);
    void *arg;
};

static void visit_if(struct session *s, void *arg)
{
    const struct visiting *v = arg;
    if (fits(v->filter, s)) {
        v->visit(s, v->arg);
    }
}

void client_filter_each(const struct client_filter *filter,
                        void (*visit)(struct session *s, void *arg), void *arg)
{
    struct visiting v = { filter, visit, arg };
    struct core *core = filter->call->core;
    if (filter->first_id == 0 || filter->kills) { /* nobody is killed twice */
        core_each_session(core, visit_if, &v);
        return;
    }
    for (uint32_t i = filter->first_id; i < filter->last_id; i++) {
        int64_t id = 0;
        const bool ok = slice_to_i64(filter->call->argv[i], &id) == ERR_OK && id > 0;
        struct session *s = ok ? core_find_session(core, (uint64_t)id) : NULL;
        if (s != NULL) {
            visit_if(s, &v);
        }
    }
}

/* --- USER ----------------------------------------------------------------------------------- */

static void count(struct session *s, void *arg)
{
    (void)s;
    ++*(size_t *)arg;
}

/* A user is known to the ACL, or is connected: identities are made by certificate authorities, not by us. */
static uint32_t read_user(struct call *call, uint32_t i, const struct option_row *row,
                          struct client_filter *out)
{
    const struct client_filter any = {
        .call = call, .user = call->argv[i], .max_age = -1, .idle = -1, .db = -1
    };
    size_t known = 0;
    client_filter_each(&any, count, &known);
    if (known == 0 && acl_set_find(acl_users(core_acl(call->core)), call->argv[i]) == NULL) {
        resp_error(call->reply, "ERR No such user '%.*s'", shown_length(call->argv[i]),
                   (const char *)call->argv[i].p);
        return 0;
    }
    return read_text(call, i, row, out);
}
