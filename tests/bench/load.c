/*
 * load: a load generator for RESP over mutual TLS 1.3; see README.md. One thread, one epoll, BoringSSL: far cheaper than
 * what it measures. This file has the options and the steps that all modes share.
 *
 * With --wait, whoever started it can read the servers' CPU clocks at the right moments: it prints {"ready": …}, waits
 * for a line, runs, prints the result, and keeps its connections until standard input ends.
 */
#include "load.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/option.h"

#define OPEN_TIMEOUT_NS (180 * UINT64_C(1000000000))

void run_fail(struct run *run, const char *fmt, ...)
{
    va_list args;
    if (run->problem[0] == '\0') {
        va_start(args, fmt);
        vsnprintf(run->problem, sizeof run->problem, fmt, args);
        va_end(args);
    }
}

bool run_failed(const struct run *run)
{
    return run->problem[0] != '\0';
}

bool run_pool(struct run *run, const struct pool_events *events, void *owner, unsigned max)
{
    run->pool = pool_new(&run->settings->server, events, owner, max);
    if (run->pool == NULL) {
        run_fail(run, "see above");
    }
    return run->pool != NULL;
}

bool run_open(struct run *run, unsigned count)
{
    uint64_t deadline = now_ns() + OPEN_TIMEOUT_NS;
    unsigned next = 0;
    while (!run_failed(run) && (next < count || pool_opening(run->pool) > 0)) {
        while (next < count && pool_opening(run->pool) < run->settings->parallel) {
            if (conn_open(pool_conn(run->pool, next++)) != ERR_OK) {
                run_fail(run, "cannot open connection %u", next);
                break;
            }
        }
        (void)pool_poll(run->pool, 100000000);
        if (now_ns() > deadline) {
            run_fail(run, "connections do not open");
        }
    }
    return !run_failed(run);
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

void run_begin(struct run *run)
{
    if (run->settings->wait) {
        char line[16];
        printf("{\"ready\": %llu}\n", (unsigned long long)pool_totals(run->pool)->opened);
        fflush(stdout);
        pool_watch_stdin(run->pool, true);
        while (!pool_poll(run->pool, 1000000000)) {
        }
        pool_watch_stdin(run->pool, false);
        (void)!read(STDIN_FILENO, line, sizeof line);
    }
    *pool_totals(run->pool) = (struct totals){ 0 };
    run->begin_cpu_ns = cpu_ns();
    run->begin_ns = run->end_ns = now_ns();
}

static void print_latency(const struct histogram *h)
{
    static const struct {
        const char *name;
        double share;
    } rows[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 } };
    printf("\"latency_us\": {");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        printf("\"%s\": %.1f, ", rows[i].name, (double)histogram_at(h, rows[i].share) / 1e3);
    }
    printf("\"max\": %.1f, \"mean\": %.1f}", (double)h->max / 1e3,
           h->count > 0 ? (double)h->sum / (double)h->count / 1e3 : 0.0);
}

/* print_text prints a JSON string; what JSON would want escaped becomes a question mark. */
static void print_text(const char *name, const char *text)
{
    printf("\"%s\": \"", name);
    for (; *text != '\0' && *text != '\r' && *text != '\n'; text++) {
        putchar(*text < ' ' || *text == '"' || *text == '\\' || *text == 127 ? '?' : *text);
    }
    printf("\", ");
}

void run_report(struct run *run)
{
    double seconds = (double)(run->end_ns - run->begin_ns) / 1e9;
    double cpu_us = (double)(cpu_ns() - run->begin_cpu_ns) / 1e3;
    double rate = seconds > 0 ? (double)run->done / seconds : 0;
    struct totals none = { 0 };
    const struct totals *t = run->pool == NULL ? &none : pool_totals(run->pool);

    printf("{");
    print_text("problem", run->problem);
    print_text("tls", run->pool == NULL ? "" : pool_tls(run->pool));
    print_text("first_error", t->first_error);
    printf("\"done\": %llu, \"seconds\": %.6f, \"rate\": %.1f, \"missed\": %llu, ",
           (unsigned long long)run->done, seconds, rate, (unsigned long long)run->missed);
    printf("\"errors\": %llu, \"nulls\": %llu, \"bytes\": %llu, \"opened\": %llu, "
           "\"resumed\": %llu, \"lost\": %llu, \"loader_cpu_us\": %.3f, ",
           (unsigned long long)t->errors, (unsigned long long)t->nulls,
           (unsigned long long)t->bytes, (unsigned long long)t->opened,
           (unsigned long long)t->resumed, (unsigned long long)run->lost,
           run->done > 0 ? cpu_us / (double)run->done : 0.0);
    print_latency(&run->latency);
    printf("}\n");
    fflush(stdout);
}

void run_hold(struct run *run)
{
    char bytes[64];
    if (!run->settings->wait || run_failed(run)) {
        return;
    }
    pool_watch_stdin(run->pool, true);
    for (;;) {
        if (pool_poll(run->pool, 1000000000) && read(STDIN_FILENO, bytes, sizeof bytes) <= 0) {
            return;
        }
    }
}

/* ---- the command line ---- */

static const struct mode {
    const char *name;
    void (*run)(struct run *run);
    const char *help;
} modes[] = {
    { "handshake", run_handshakes, "connect, PING, close, as fast as it goes" },
    { "request", run_requests, "a mix of commands on many connections" },
    { "fill", run_fill, "store --keys keys by MSET" },
    { "idle", run_idle,
      "open connections, one PING each, and hold them until standard input ends" },
};

static const struct mode *find_mode(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        if (name != NULL && strcmp(name, modes[i].name) == 0) {
            return &modes[i];
        }
    }
    return NULL;
}

static int usage(void)
{
    fprintf(stderr, "Usage: load MODE [OPTION...]; MODE --help lists the options. Modes:\n");
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        fprintf(stderr, "  %-10s %s\n", modes[i].name, modes[i].help);
    }
    return 2;
}

#define TEXT(n, t, a, h)                                                      \
    {                                                                         \
        .name = n, .kind = OPTION_TEXT, .target = t, .argument = a, .help = h \
    }
#define FLAG(n, t, h)                                          \
    {                                                          \
        .name = n, .kind = OPTION_FLAG, .target = t, .help = h \
    }
#define NUMBER(n, k, t, lo, hi, h)                                                          \
    {                                                                                       \
        .name = n, .kind = k, .target = t, .min = lo, .max = hi, .argument = "N", .help = h \
    }

static enum err read_options(struct settings *s, int argc, char **argv)
{
    struct pool_settings *server = &s->server;
    const struct option rows[] = {
        TEXT("host", &server->host, "ADDRESS", "IPv4 address of the server"),
        NUMBER("port", OPTION_INT, &s->port, 1, 65535, "its port"),
        TEXT("server-cert", &server->server_cert, "FILE", "the certificate it must show, PEM"),
        TEXT("cert", &server->cert, "FILE", "our certificate, PEM"),
        TEXT("key", &server->key, "FILE", "its private key, PEM"),
        FLAG("own", &s->own, "a new certificate for each connection, issued by --ca"),
        TEXT("ca", &server->ca_cert, "FILE", "that CA's certificate, PEM"),
        TEXT("ca-key", &server->ca_key, "FILE", "its private key, PEM"),
        FLAG("resume", &server->resume, "handshakes resume, each with the newest ticket"),
        NUMBER("connections", OPTION_INT, &s->connections, 1, 1000000, "at once"),
        NUMBER("parallel", OPTION_INT, &s->parallel, 1, 10000, "handshakes at once, at first"),
        NUMBER("count", OPTION_INT, &s->count, 0, INT64_MAX, "stop after so many; 0: never"),
        NUMBER("seconds", OPTION_SECONDS, &s->milliseconds, 1, 3600000, "stop after so long"),
        NUMBER("pipeline", OPTION_INT, &s->pipeline, 1, 10000, "requests sent without a reply"),
        NUMBER("rate", OPTION_INT, &s->rate, 0, 100000000,
               "requests a second, all together, due at even times; 0: closed loop"),
        NUMBER("first", OPTION_INT, &s->first, 0, 999999999, "number of the first key"),
        NUMBER("keys", OPTION_INT, &s->keys, 1, 999999999, "keys to choose from, evenly"),
        NUMBER("size", OPTION_BYTES, &s->size, 1, 16 << 20, "of a value, in bytes"),
        TEXT("mix", &s->mix, "MIX", "set=20,get=80; of get set setex getex expire ping"),
        FLAG("wait", &s->wait, "print {\"ready\"}, wait for a line; hold until the input ends"),
    };
    const struct option_set set = {
        .program = "load",
        .synopsis = "MODE [OPTION]...",
        .about = "Load for a RESP server behind mutual TLS 1.3. Prints one line of JSON.",
        .rows = rows,
        .count = ARRAY_SIZE(rows),
    };
    int operand = argc;
    return option_parse(&set, argc, argv, &operand);
}

static bool complete(const struct settings *s)
{
    const struct pool_settings *server = &s->server;
    bool identity = s->own ? server->ca_cert != NULL && server->ca_key != NULL
                           : server->cert != NULL && server->key != NULL;
    if (s->port == 0 || server->server_cert == NULL || !identity) {
        fprintf(stderr, "load: needs --port, --server-cert, and --cert with --key, or --own with "
                        "--ca and --ca-key\n");
        return false;
    }
    return true;
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    const struct mode *mode = find_mode(argc > 1 ? argv[1] : NULL);
    struct settings settings = {
        .server = { .host = "127.0.0.1" },
        .connections = 50,
        .parallel = 32,
        .milliseconds = 5000,
        .pipeline = 1,
        .keys = 100000,
        .size = 64,
        .mix = "get",
    };
    if (mode == NULL) {
        return usage();
    }
    if (read_options(&settings, argc - 1, argv + 1) != ERR_OK || !complete(&settings)) {
        return 2;
    }
    settings.server.port = (int)settings.port;
    if (!settings.own) {
        settings.server.ca_key = NULL;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();

    struct run *run = mem_zalloc(sizeof *run);
    run->settings = &settings;
    mode->run(run);
    run_report(run);
    run_hold(run);
    bool failed = run_failed(run);
    pool_free(run->pool);
    free(run->state);
    free(run);
    return failed ? 1 : 0;
}
