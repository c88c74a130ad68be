/* options: the client's option table, and what follows from several options together. */
#include "options.h"

#include <stdio.h>
#include <unistd.h>

#include "base/option.h"

static const char about[] =
    "Talks to cofre-gateway over TLS, in which both sides show a certificate. Without COMMAND it opens\n"
    "a prompt (or reads commands from standard input, one a line); `cofre menu` is a guided menu, and\n"
    "`cofre help COMMAND` explains a command.\n"
    "\n"
    "The server is verified, always: --cacert trusts what a CA issued for the name that is connected\n"
    "to, --pin trusts exactly the certificates in a file and nothing else (--cacert is not used then).\n"
    "\n"
    "Exit codes: 0 done; 1 the server answered an error (printed to standard error); 2 wrong options\n"
    "or files; 3 could not connect, verify the server, or stay connected.";

/* The flags that together choose the protocol and the form of the output. */
struct choices {
    bool resp2;
    bool resp3;
    bool raw;
    bool no_raw;
    bool json;
};

/* check_files reports what is missing. A key in the certificate's file needs no --key. */
static enum err check_files(struct options *o)
{
    if (o->cert == NULL) {
        (void)fprintf(
            stderr,
            "cofre: no client certificate: every client of Cofre shows one, give --cert FILE "
            "and --key FILE (or set COFRE_CERT and COFRE_KEY)\n");
        return ERR_INVALID;
    }
    if (o->key == NULL) {
        o->key = o->cert;
    }
    if (o->cacert == NULL && o->pin == NULL) {
        (void)fprintf(
            stderr,
            "cofre: no way to verify the server: give --cacert FILE with the CA that issued its "
            "certificate, or --pin FILE with the certificate itself (or set COFRE_CACERT or "
            "COFRE_PIN)\n");
        return ERR_INVALID;
    }
    return ERR_OK;
}

static enum err settle(struct options *o, const struct choices *c)
{
    if (c->resp2 && c->resp3) {
        (void)fprintf(stderr, "cofre: -2 and -3 exclude each other: choose one protocol\n");
        return ERR_INVALID;
    }
    if (c->raw + c->no_raw + c->json > 1) {
        (void)fprintf(stderr, "cofre: --raw, --no-raw and --json exclude each other: choose one\n");
        return ERR_INVALID;
    }
    /* JSON asks for RESP3, as redis-cli does: only there is a map a map. */
    o->protocol = c->resp3 || (c->json && !c->resp2) ? 3 : 2;
    o->form = c->json ? OUTPUT_JSON : c->raw ? OUTPUT_RAW : OUTPUT_FORMATTED;
    if (!c->json && !c->raw && !c->no_raw && !isatty(STDOUT_FILENO)) {
        o->form = OUTPUT_RAW;
    }
    return check_files(o);
}

enum err options_parse(struct options *o, int argc, char **argv, int *operand)
{
    struct choices c = { 0 };

    *o = (struct options){ .host = "127.0.0.1", .port = 6380, .timeout_ms = 5000 };
    const struct option rows[] = {
        { "host", 'h', OPTION_TEXT, &o->host, 0, 0, NULL, "HOST", "name or address of the server",
          "COFRE_HOST" },
        { "port", 'p', OPTION_INT, &o->port, 1, 65535, NULL, "PORT", "port of the server",
          "COFRE_PORT" },
        { "cert", 0, OPTION_TEXT, &o->cert, 0, 0, NULL, "FILE",
          "my certificate (PEM, chain included)", "COFRE_CERT" },
        { "key", 0, OPTION_TEXT, &o->key, 0, 0, NULL, "FILE",
          "its private key (PEM); default: in the certificate's file", "COFRE_KEY" },
        { "cacert", 0, OPTION_TEXT, &o->cacert, 0, 0, NULL, "FILE",
          "CAs trusted to issue the server's certificate", "COFRE_CACERT" },
        { "pin", 0, OPTION_TEXT, &o->pin, 0, 0, NULL, "FILE",
          "the server's own certificate, trusted exactly", "COFRE_PIN" },
        { "sni", 0, OPTION_TEXT, &o->sni, 0, 0, NULL, "NAME",
          "name to ask for and to verify instead of HOST", "COFRE_SNI" },
        { "db", 'n', OPTION_INT, &o->db, 0, INT32_MAX, NULL, "DB", "database number", NULL },
        { "resp2", '2', OPTION_FLAG, &c.resp2, 0, 0, NULL, NULL, "speak RESP2 (the default)",
          NULL },
        { "resp3", '3', OPTION_FLAG, &c.resp3, 0, 0, NULL, NULL,
          "speak RESP3 (the default with --json)", NULL },
        { "stdin", 'x', OPTION_FLAG, &o->last_from_stdin, 0, 0, NULL, NULL,
          "read the last argument from standard input", NULL },
        { "raw", 0, OPTION_FLAG, &c.raw, 0, 0, NULL, NULL,
          "bytes as they are (the default when not on a terminal)", NULL },
        { "no-raw", 0, OPTION_FLAG, &c.no_raw, 0, 0, NULL, NULL,
          "formatted, also when not on a terminal", NULL },
        { "json", 0, OPTION_FLAG, &c.json, 0, 0, NULL, NULL,
          "JSON; bytes that are not UTF-8 as {\"base64\": \"...\"}", NULL },
        { "timeout", 't', OPTION_SECONDS, &o->timeout_ms, 100, 3600000, NULL, "SECONDS",
          "for connecting and the TLS handshake", NULL },
    };
    const struct option_set set = {
        .program = "cofre",
        .synopsis = "[OPTION...] [COMMAND [ARG...] | menu | help COMMAND]",
        .about = about,
        .rows = rows,
        .count = ARRAY_SIZE(rows),
        .stop_at_operand = true,
    };
    enum err err = option_parse(&set, argc, argv, operand);
    return err != ERR_OK ? err : settle(o, &c);
}
