/* The core's options: a table, and the users it names. */
#include "options.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/option.h"

static const char *const level_names[] = { "debug", "info", "warning", "error", NULL };
static const char *const audit_names[] = { "none", "file", "table", NULL };
static const char *const format_names[] = { "text", "json", NULL };

/* What --config names, for INFO; option_parse has read it. */
static const char *config_file(int argc, char **argv)
{
    static const char prefix[] = "--config=";
    const char *found = NULL;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], prefix, sizeof(prefix) - 1) == 0)
            found = argv[i] + sizeof(prefix) - 1;
        else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            found = argv[i + 1];
    }
    return found;
}

/* A file that is named is where records go; and what is to be recorded has to go somewhere. */
static enum err check_audit(struct options *o)
{
    struct audit_options *a = &o->audit;
    const char *wrong = NULL;
    if (a->to == AUDIT_NONE && a->file)
        a->to = AUDIT_FILE;
    if (a->to == AUDIT_FILE && a->file == NULL)
        wrong = "--audit file: --audit-file PATH is missing";
    else if (a->to == AUDIT_TABLE && a->file)
        wrong = "--audit table: --audit-file is for --audit file; give one of the two";
    else if (a->to == AUDIT_NONE && (a->writes || a->required))
        wrong = "--audit-writes and --audit-required need --audit-file PATH or --audit table";
    if (wrong) {
        fprintf(stderr, "cofre-core: %s\n", wrong);
        return ERR_INVALID;
    }
    o->core.audit = audit_names[a->to];
    o->core.audit_file = a->file;
    o->core.audit_required = a->required;
    o->core.audit_writes = a->writes;
    return ERR_OK;
}

enum err options_read(int argc, char **argv, struct options *out)
{
    *out = (struct options){
        .core = { .max_key = 2000,
                  .max_value = 16 * 1024 * 1024,
                  .databases = 16,
                  .pool_size = 4,
                  .cache_size = 128 * 1024 * 1024,
                  .store_timeout_ms = 15000,
                  .socket_path = "/run/cofre/core.sock" },
        .database = "",
        .gateway_user = "cofre-gateway",
    };
    int level = LOG_INFO;
    int format = LOG_TEXT;
    const struct option rows[] = {
        { "socket", 0, OPTION_TEXT, &out->core.socket_path, 0, 0, NULL, "PATH",
          "Unix socket for the gateway", "COFRE_CORE_SOCKET" },
        { "database", 0, OPTION_TEXT, &out->database, 0, 0, NULL, "CONNINFO",
          "libpq connection string or URI, several hosts allowed (default: libpq's PG* variables)",
          "COFRE_DATABASE" },
        { "gateway-user", 0, OPTION_TEXT, &out->gateway_user, 0, 0, NULL, "NAME",
          "the user that the gateway runs as; nobody else may use the socket", NULL },
        { "user", 0, OPTION_TEXT, &out->user, 0, 0, NULL, "NAME",
          "the user to become when started as root", NULL },
        { "acl-file", 0, OPTION_TEXT, &out->core.acl_file, 0, 0, NULL, "FILE",
          "who may do what, in the format of Redis's ACL files; read again on SIGHUP", NULL },
        { "pool-size", 0, OPTION_INT, &out->core.pool_size, 2, 64, NULL, "N",
          "connections to PostgreSQL: half of them write, the others read", NULL },
        { "cache-size", 0, OPTION_BYTES, &out->core.cache_size, 0, (int64_t)1 << 40, NULL, "BYTES",
          "how much of what was read is kept in memory while no other core writes; 0: nothing",
          NULL },
        { "max-key", 0, OPTION_BYTES, &out->core.max_key, 1, 2600, NULL, "BYTES", "longest key",
          NULL },
        { "max-value", 0, OPTION_BYTES, &out->core.max_value, 1, 64 * 1024 * 1024, NULL, "BYTES",
          "longest value", NULL },
        { "store-timeout", 0, OPTION_SECONDS, &out->core.store_timeout_ms, 100, 3600 * 1000, NULL,
          "SECONDS",
          "how long a command waits for the database before it is answered TRYAGAIN or UNCERTAIN",
          NULL },
        { "audit", 0, OPTION_CHOICE, &out->audit.to, 0, 0, audit_names, "WHERE",
          "record who connects, what is refused, administrators' commands: none, file, or table (cofre.audit)",
          NULL },
        { "audit-file", 0, OPTION_TEXT, &out->audit.file, 0, 0, NULL, "PATH",
          "the file that records are appended to; opened anew on SIGHUP", NULL },
        { "audit-writes", 0, OPTION_FLAG, &out->audit.writes, 0, 0, NULL, NULL,
          "also record each key that is written, and by whom; never a value", NULL },
        { "audit-required", 0, OPTION_FLAG, &out->audit.required, 0, 0, NULL, NULL,
          "refuse writes while the audit log cannot be written", NULL },
        { "create-schema", 0, OPTION_FLAG, &out->create_schema, 0, 0, NULL, NULL,
          "create or migrate the schema in the database, then exit", NULL },
        { "log-level", 0, OPTION_CHOICE, &level, 0, 0, level_names, "LEVEL",
          "least level that is logged", NULL },
        { "log-format", 0, OPTION_CHOICE, &format, 0, 0, format_names, "FORMAT",
          "how lines are written", NULL },
    };
    const struct option_set set = {
        .program = "cofre-core",
        .synopsis = "[OPTION]...",
        .about = "The data side of Cofre: runs commands from the gateway against PostgreSQL.",
        .rows = rows,
        .count = ARRAY_SIZE(rows),
        .has_config = true,
    };
    int operand;
    enum err err = option_parse(&set, argc, argv, &operand);
    out->core.config_file = config_file(argc, argv);
    if (err == ERR_OK)
        err = check_audit(out);
    if (err == ERR_OK)
        log_setup("cofre-core", (enum log_level)level, (enum log_format)format);
    return err;
}

enum err options_uid(const char *option, const char *name, uid_t *uid, gid_t *gid)
{
    uint64_t number;
    const struct passwd *found = getpwnam(name);
    if (found == NULL && slice_to_u64(slice_of(name), &number) == ERR_OK && number < UINT32_MAX)
        found = getpwuid((uid_t)number);
    if (found == NULL) {
        fprintf(stderr, "cofre-core: --%s: there is no user \"%s\" on this machine\n", option,
                name);
        return ERR_NOT_FOUND;
    }
    *uid = found->pw_uid;
    *gid = found->pw_gid;
    return ERR_OK;
}
