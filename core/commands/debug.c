/*
 * debug: DEBUG, as far as something true can be said or done. What would crash the process, or show and change an inside of
 * Redis, is refused by name.
 */
#include "commands/commands.h"
#include "session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A sleep longer than this is as good as one without end. */
static const double SLEEP_MOST = 1e9;

/* seconds_of takes what strtod takes, as Redis does: what is no number is 0. */
static double seconds_of(struct slice s)
{
    char text[64] = { 0 };
    memcpy(text, s.p, s.len < sizeof(text) ? s.len : sizeof(text) - 1);
    double seconds = strtod(text, NULL);
    if (isnan(seconds) || seconds <= 0) {
        return 0;
    }
    return seconds < SLEEP_MOST ? seconds : SLEEP_MOST;
}

static void debug_sleep(struct call *call)
{
    session_sleep(call->session, (int64_t)(seconds_of(call->argv[2]) * 1000));
    resp_ok(call->reply);
}

/* Redis writes its data set out and reads it back; every command here reads what PostgreSQL has. */
static void debug_reload(struct call *call)
{
    resp_ok(call->reply);
}

static void debug_error(struct call *call)
{
    resp_error(call->reply, "%.*s", (int)call->argv[2].len, (const char *)call->argv[2].p);
}

static void debug_help(struct call *call)
{
    static const char *const lines[] = {
        "ERROR <string>",  "    Answers with this error.",
        "RELOAD",          "    OK: every command reads from the database anyway.",
        "SLEEP <seconds>", "    Answers so much later; other clients are served meanwhile.",
    };
    reply_help(call, "DEBUG", lines, ARRAY_SIZE(lines));
}

/* word; arguments, the word included, at least and at most; what it does */
static const struct {
    const char *word;
    uint32_t least, most;
    void (*run)(struct call *call);
} debug_rows[] = {
    { "error", 2, 2, debug_error },
    { "help", 1, 1, debug_help },
    { "reload", 1, 4, debug_reload },
    { "sleep", 2, 2, debug_sleep },
};

/* Subcommands of Redis that are refused. */
static const char *const refused[] = {
    "aof-flush-sleep",
    "assert",
    "change-repl-id",
    "client-enforce-reply-list",
    "client-eviction",
    "config-rewrite-force-all",
    "crash-and-recover",
    "digest",
    "digest-value",
    "dict-resizing",
    "hexpires",
    "htstats",
    "htstats-key",
    "jmap",
    "leak",
    "listpack",
    "loadaof",
    "log",
    "mallctl",
    "mallctl-str",
    "mallocsize",
    "object",
    "oom",
    "panic",
    "pause-cron",
    "populate",
    "protocol",
    "quicklist",
    "quicklist-packed-threshold",
    "replicate",
    "replybuffer",
    "restart",
    "sdslen",
    "segfault",
    "set-active-expire",
    "set-disable-deny-scripts",
    "stringmatch-len",
    "structsize",
    "ziplist",
};

static bool is_refused(const struct call *call)
{
    for (size_t k = 0; k < ARRAY_SIZE(refused); k++) {
        if (call_arg_is(call, 1, refused[k])) {
            return true;
        }
    }
    return false;
}

void run_debug(struct call *call)
{
    int shown = call->argv[1].len < 128 ? (int)call->argv[1].len : 128;
    for (size_t k = 0; k < ARRAY_SIZE(debug_rows); k++) {
        if (call_arg_is(call, 1, debug_rows[k].word) && call->argc - 1 >= debug_rows[k].least &&
            call->argc - 1 <= debug_rows[k].most) {
            debug_rows[k].run(call);
            return;
        }
    }
    if (is_refused(call)) {
        resp_error(call->reply,
                   "ERR DEBUG %.*s is refused, on purpose: it would stop Cofre, or is about an "
                   "inside that only Redis has",
                   shown, (const char *)call->argv[1].p);
    } else {
        resp_error(
            call->reply,
            "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG HELP.",
            shown, (const char *)call->argv[1].p);
    }
}
