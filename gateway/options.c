/*
 * options: the gateway's table of options and the checks that concern more than one of them.
 * Reading files is not done here.
 */
#include "options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static const struct {
    const char *name;
    enum identity_kind kind;
} identity_kinds[] = {
    { "uri", IDENTITY_URI },
    { "dns", IDENTITY_DNS },
    { "email", IDENTITY_EMAIL },
    { "cn", IDENTITY_CN },
};

static enum identity_kind kind_of(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(identity_kinds); i++) {
        if (strlen(identity_kinds[i].name) == len &&
            memcmp(identity_kinds[i].name, name, len) == 0) {
            return identity_kinds[i].kind;
        }
    }
    return 0;
}

static bool order_has(const struct identity_order *order, enum identity_kind kind)
{
    for (size_t i = 0; i < order->count; i++) {
        if (order->kinds[i] == kind) {
            return true;
        }
    }
    return false;
}

enum err identity_order_parse(const char *text, struct identity_order *out)
{
    struct identity_order order = { .count = 0 };
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, ",");
        enum identity_kind kind = kind_of(p, len);
        if (kind == 0 || order_has(&order, kind)) {
            return ERR_INVALID;
        }
        order.kinds[order.count++] = kind;
        p += len;
        if (*p == '\0') {
            break;
        }
    }
    *out = order;
    return ERR_OK;
}

static enum err complain(const char *text)
{
    fprintf(stderr, "cofre-gateway: %s\n", text);
    return ERR_INVALID;
}

/* --keylog gives every session's secrets away: never by a line left behind in a file. */
static bool given_on_command_line(int argc, char **argv, const char *name)
{
    size_t len = strlen(name);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0 && strncmp(argv[i] + 2, name, len) == 0 &&
            (argv[i][2 + len] == '\0' || argv[i][2 + len] == '=')) {
            return true;
        }
    }
    return false;
}

static enum err check_together(const struct gateway_options *o, int argc, char **argv)
{
    if (o->core == NULL && !o->check) {
        return complain("--core PATH is missing: the Unix socket where cofre-core listens");
    }
    if (o->cert.count == 0) {
        return complain("--cert FILE is missing: the certificate that clients shall see");
    }
    if (o->key.count != 0 && o->key.count != o->cert.count) {
        return complain("give one --key for each --cert, in the same order");
    }
    if (o->client_ca.count == 0 && o->client_pin.count == 0) {
        return complain("--client-ca FILE or --client-pin FILE is missing: whom to let in");
    }
    if (o->takeover && o->status == NULL) {
        return complain("--takeover needs --status PATH: where the old gateway is asked");
    }
    if (o->keylog != NULL && !given_on_command_line(argc, argv, "keylog")) {
        return complain("--keylog must be given on the command line, not in a file");
    }
    return ERR_OK;
}

static enum err parse_networks(struct gateway_options *o)
{
    const struct option_list *texts = &o->proxy_protocol;
    o->proxy_networks.items = mem_alloc((texts->count + 1) * sizeof(o->proxy_networks.items[0]));
    for (size_t i = 0; i < texts->count; i++) {
        if (network_parse(texts->items[i], &o->proxy_networks.items[i]) != ERR_OK) {
            fprintf(stderr,
                    "cofre-gateway: --proxy-protocol %s: not a network such as 10.0.0.0/8\n",
                    texts->items[i]);
            return ERR_INVALID;
        }
    }
    o->proxy_networks.count = texts->count;
    return ERR_OK;
}

static void fill_defaults(struct gateway_options *o)
{
    if (o->workers == 0) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        o->workers = cpus < 1 ? 1 : (cpus + 1) / 2; /* the others are for the core and PostgreSQL */
    }
}

enum err options_parse(struct gateway_options *out, int argc, char **argv)
{
    static const char *const levels[] = { "debug", "info", "warning", "error", NULL };
    static const char *const formats[] = { "text", "json", NULL };
    static const char *const crl_expired[] = { "warn", "reject", NULL };
    static const char *const switches[] = { "on", "off", NULL };
    *out = (struct gateway_options){
        .identity = "uri,dns,email,cn",
        .max_connections = 10000,
        .max_handshakes = 1024,
        .handshake_timeout_ms = 10000,
        .drain_timeout_ms = 10000,
        .max_request = 64 * 1024 * 1024,
        .max_evict = 100,
        .send_ca_names = SWITCH_OFF,
        .log_level = LOG_INFO,
        .log_format = LOG_TEXT,
    };
    /* name, letter, kind, target, min, max, choices, argument, help, environment variable */
    const struct option rows[] = {
        { "listen", 0, OPTION_LIST, &out->listen, 0, 0, NULL, "ADDR:PORT",
          "where clients connect; repeatable (127.0.0.1:6380)", NULL },
        { "core", 0, OPTION_TEXT, &out->core, 0, 0, NULL, "PATH", "cofre-core's Unix socket",
          NULL },
        { "cert", 0, OPTION_LIST, &out->cert, 0, 0, NULL, "FILE",
          "our certificate and its chain, PEM; repeatable with --key", NULL },
        { "key", 0, OPTION_LIST, &out->key, 0, 0, NULL, "FILE", "its private key, PEM", NULL },
        { "client-ca", 0, OPTION_LIST, &out->client_ca, 0, 0, NULL, "FILE",
          "CAs whose client certificates are let in, PEM", NULL },
        { "client-pin", 0, OPTION_LIST, &out->client_pin, 0, 0, NULL, "FILE",
          "client certificates let in by fingerprint, and nothing they issue, PEM", NULL },
        { "crl", 0, OPTION_LIST, &out->crl, 0, 0, NULL, "FILE",
          "revocation lists, PEM; repeatable, every serial in every file counts", NULL },
        { "crl-expired", 0, OPTION_CHOICE, &out->crl_expired, 0, 0, crl_expired, "WHAT",
          "when a list is out of date: warn, or reject its issuer's certificates", NULL },
        { "max-evict", 0, OPTION_INT, &out->max_evict, 0, 100, NULL, "PERCENT",
          "refuse a reload that would cut more of the live sessions; SIGUSR1 forces it (100)",
          NULL },
        { "send-ca-names", 0, OPTION_CHOICE, &out->send_ca_names, 0, 0, switches, "on|off",
          "tell clients whose certificates are let in, for those that choose by it", NULL },
        { "identity", 0, OPTION_TEXT, &out->identity, 0, 0, NULL, "ORDER",
          "which of a certificate's names is its identity", NULL },
        { "workers", 0, OPTION_INT, &out->workers, 0, 256, NULL, "N",
          "threads; 0: one for two CPUs", NULL },
        { "max-connections", 0, OPTION_INT, &out->max_connections, 1, 1000000, NULL, "N",
          "sessions at once", NULL },
        { "max-per-identity", 0, OPTION_INT, &out->max_per_identity, 0, 1000000, NULL, "N",
          "sessions at once with the same identity; 0: no limit", NULL },
        { "max-per-address", 0, OPTION_INT, &out->max_per_address, 0, 1000000, NULL, "N",
          "sessions at once from an IPv4 address or an IPv6 /64; 0: no limit", NULL },
        { "max-handshakes", 0, OPTION_INT, &out->max_handshakes, 1, 1000000, NULL, "N",
          "handshakes under way, for each worker; above it the oldest is dropped", NULL },
        { "proxy-protocol", 0, OPTION_LIST, &out->proxy_protocol, 0, 0, NULL, "NETWORK",
          "balancers that say by PROXY protocol v2 who the client is; repeatable", NULL },
        { "handshake-timeout", 0, OPTION_SECONDS, &out->handshake_timeout_ms, 100, 3600000, NULL,
          "SECONDS", "for a client to finish its handshake", NULL },
        { "idle-timeout", 0, OPTION_SECONDS, &out->idle_timeout_ms, 0, 31536000000, NULL, "SECONDS",
          "close a client that is silent for so long, unless it has subscriptions; 0: never",
          NULL },
        { "drain-timeout", 0, OPTION_SECONDS, &out->drain_timeout_ms, 0, 3600000, NULL, "SECONDS",
          "to finish what was accepted when stopping", NULL },
        { "max-request", 0, OPTION_BYTES, &out->max_request, 1024, 1073741824, NULL, "BYTES",
          "largest request", NULL },
        { "key-holder", 0, OPTION_CHOICE, &out->key_holder, 0, 0, switches, "on|off",
          "the private keys are in a process of their own", NULL },
        { "user", 0, OPTION_TEXT, &out->user, 0, 0, NULL, "NAME",
          "become this user once keys are read and ports are open", NULL },
        { "watch", 0, OPTION_CHOICE, &out->watch, 0, 0, switches, "on|off",
          "use files that change at once; off: only on SIGHUP", NULL },
        { "keylog", 0, OPTION_TEXT, &out->keylog, 0, 0, NULL, "FILE",
          "write TLS secrets for Wireshark: debugging only", NULL },
        { "status", 0, OPTION_TEXT, &out->status, 0, 0, NULL, "PATH",
          "Unix socket that shows figures and sessions; with --check: whom the files would cut off",
          NULL },
        { "takeover", 0, OPTION_FLAG, &out->takeover, 0, 0, NULL, NULL,
          "replace the gateway at --status, without a refused connection", NULL },
        { "check", 0, OPTION_FLAG, &out->check, 0, 0, NULL, NULL,
          "load and check every file, say what they hold, and exit", NULL },
        { "log-level", 0, OPTION_CHOICE, &out->log_level, 0, 0, levels, "LEVEL",
          "debug, info, warning or error", NULL },
        { "log-format", 0, OPTION_CHOICE, &out->log_format, 0, 0, formats, "FORMAT", "text or json",
          NULL },
    };
    const struct option_set set = {
        .program = "cofre-gateway",
        .synopsis = "--core PATH --cert FILE --key FILE --client-ca FILE [OPTION…]",
        .about =
            "Terminates mutual TLS for Cofre: lets in clients whose certificate it trusts and\n"
            "passes their commands, with their identity, to cofre-core.",
        .rows = rows,
        .count = ARRAY_SIZE(rows),
        .has_config = true,
    };
    int operand;
    enum err err = option_parse(&set, argc, argv, &operand);
    if (err != ERR_OK) {
        return err;
    }
    if (identity_order_parse(out->identity, &out->identity_order) != ERR_OK) {
        return complain("--identity takes uri, dns, email and cn, each at most once, with commas");
    }
    err = check_together(out, argc, argv);
    if (err != ERR_OK) {
        return err;
    }
    fill_defaults(out);
    return parse_networks(out);
}
