/*
 * info: INFO. A section is a row.
 */
#include "commands/info.h"
#include "commands/commands.h"
#include "core.h"
#include "session.h"

#include <inttypes.h>

enum { INFO_MAX = 1024 * 1024 };

void info_number(struct buf *out, const char *name, uint64_t n)
{
    buf_printf(out, "%s:%" PRIu64 "\r\n", name, n);
}

void info_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "%s:%s\r\n", name, text);
}

int64_t info_gateway_stat(const struct call *call, const char *name)
{
    struct link_stat found;
    for (size_t i = 0; core_gateway_stat(call->core, i, &found); i++) {
        if (strcmp(found.name, name) == 0) {
            return found.value;
        }
    }
    return 0;
}

/* The number behind the last colon of the listener's address. */
int64_t info_listener_port(const struct call *call)
{
    struct slice local = session_open_info(call->session)->local;
    size_t start = local.len;
    while (start > 0 && local.p[start - 1] != ':') {
        start--;
    }
    int64_t port = 0;
    if (start == 0 ||
        slice_to_i64((struct slice){ local.p + start, local.len - start }, &port) != ERR_OK) {
        return 0;
    }
    return port;
}

/* When a section is shown that nobody has named: as in Redis, those that grow with the commands in use are not. */
enum shown { BY_DEFAULT, IN_ALL };

/* name as it is asked for; heading; when; what writes it. In Redis's order, then ours. */
static const struct info_section {
    const char *name;
    const char *heading;
    enum shown shown;
    info_fn *add;
} sections[] = {
    { "server", "Server", BY_DEFAULT, info_server },
    { "clients", "Clients", BY_DEFAULT, info_clients },
    { "memory", "Memory", BY_DEFAULT, info_memory },
    { "persistence", "Persistence", BY_DEFAULT, info_persistence },
    { "stats", "Stats", BY_DEFAULT, info_stats },
    { "replication", "Replication", BY_DEFAULT, info_replication },
    { "cpu", "CPU", BY_DEFAULT, info_cpu },
    { "modules", "Modules", BY_DEFAULT, info_modules },
    { "commandstats", "Commandstats", IN_ALL, info_commandstats },
    { "errorstats", "Errorstats", BY_DEFAULT, info_errorstats },
    { "latencystats", "Latencystats", IN_ALL, info_latencystats },
    { "cluster", "Cluster", BY_DEFAULT, info_cluster },
    { "keyspace", "Keyspace", BY_DEFAULT, info_keyspace },
    { "cofre", "Cofre", BY_DEFAULT, info_cofre },
    { "tls", "TLS", BY_DEFAULT, info_tls },
    { "postgresql", "PostgreSQL", BY_DEFAULT, info_postgresql },
};

static bool asked(const struct call *call, const struct info_section *section)
{
    bool wanted = call->argc == 1 && section->shown == BY_DEFAULT;
    for (uint32_t i = 1; i < call->argc && !wanted; i++) {
        wanted = call_arg_is(call, i, section->name) || call_arg_is(call, i, "all") ||
                 call_arg_is(call, i, "everything") ||
                 (call_arg_is(call, i, "default") && section->shown == BY_DEFAULT);
    }
    return wanted;
}

void run_info(struct call *call)
{
    struct buf out;
    buf_init(&out, INFO_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        if (asked(call, &sections[i])) {
            buf_printf(&out, "%s# %s\r\n", buf_len(&out) > 0 ? "\r\n" : "", sections[i].heading);
            sections[i].add(call, &out);
        }
    }
    resp_verbatim(call->reply, "txt", buf_slice(&out));
    buf_release(&out);
}
