/* The audit log: records as JSON, and the file: its mode, rotation, half a line, what is in it of a session's life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "acl/acl.h"
#include "audit_record.h"
#include "core_private.h"
#include "keyspaces.h"
#include "session_private.h"

/* --- records ---------------------------------------------------------------------------------- */

static void check(struct buf *out, const char *expected)
{
    assert_int_equal(buf_len(out), strlen(expected));
    assert_memory_equal(buf_slice(out).p, expected, strlen(expected));
    buf_release(out);
}

static void test_record(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    record_begin(&out, "write", 1700000000042);
    record_number(&out, "n", -7);
    record_bool(&out, "b", true);
    record_text(&out, "t", SLICE("olá"));
    record_hex(&out, "h", SLICE("\x00\xff"));
    record_time(&out, "at", 0);
    record_list_begin(&out, "l");
    record_list_text(&out, SLICE("a"));
    record_list_text(&out, SLICE(""));
    record_list_text(&out, SLICE("\xff]"));
    record_list_end(&out);
    record_end(&out);
    check(&out, "{\"time\":\"2023-11-14T22:13:20.042Z\",\"event\":\"write\",\"n\":-7,\"b\":true,"
                "\"t\":\"olá\",\"h\":\"00ff\",\"at\":\"1970-01-01T00:00:00.000Z\","
                "\"l\":[\"a\",\"\",\"\\\\xff]\"]}\n");
}

/* text, and what it is as a member named k */
static const struct {
    struct slice text;
    const char *member;
} texts[] = {
    { SLICE(""), ",\"k\":\"\"" },
    { SLICE("a\"b\\c"), ",\"k\":\"a\\\"b\\\\c\"" },
    { SLICE("a\nb\r\t\x1b"), ",\"k\":\"a\\u000ab\\u000d\\u0009\\u001b\"" },
    { SLICE("\x7f\xc2\x85\xe2\x80\xa8"), ",\"k\":\"\\u007f\\u0085\\u2028\"" },
    { SLICE("\"},{\"event\":\"x"), ",\"k\":\"\\\"},{\\\"event\\\":\\\"x\"" },
    { SLICE("a\0b"), ",\"k_hex\":\"610062\"" },
    { SLICE("\xc3"), ",\"k_hex\":\"c3\"" },
    { SLICE("\xed\xa0\x80"), ",\"k_hex\":\"eda080\"" }, /* half of a surrogate pair */
    { SLICE("\xf0\x9f\x94\x90"), ",\"k\":\"\xf0\x9f\x94\x90\"" },
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct buf out;
        buf_init(&out, 4096);
        record_text(&out, "k", texts[i].text);
        check(&out, texts[i].member);
    }
}

/* --- the file --------------------------------------------------------------------------------- */

struct place {
    char folder[64];
    char path[96];
    char other[96];
    struct core *core;
};

static int setup(void **state)
{
    struct place *p = mem_zalloc(sizeof(*p));
    snprintf(p->folder, sizeof(p->folder), "/tmp/cofre-audit-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->path, sizeof(p->path), "%s/log", p->folder);
    snprintf(p->other, sizeof(p->other), "%s/log.1", p->folder);
    p->core = mem_zalloc(sizeof(*p->core));
    p->core->loop = uv_default_loop();
    p->core->identities = identity_table_new();
    p->core->keyspaces = keyspaces_new();
    p->core->acl = acl_new(p->core->keyspaces, NULL);
    p->core->options.databases = 16;
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    audit_free(p->core->audit);
    identity_table_free(p->core->identities);
    acl_free(p->core->acl);
    keyspaces_free(p->core->keyspaces);
    free(p->core);
    unlink(p->path);
    unlink(p->other);
    rmdir(p->folder);
    free(p);
    return 0;
}

static enum err open_audit(struct place *p, char *why, size_t size)
{
    const struct audit_options options = { .to = AUDIT_FILE, .file = p->path, .writes = true };
    return audit_new(p->core, &options, why, size, &p->core->audit);
}

static void begin(struct place *p)
{
    char why[256];
    assert_int_equal(open_audit(p, why, sizeof(why)), ERR_OK);
}

/* read_file returns the content, which the next call overwrites. */
static const char *read_file(const char *path)
{
    static char text[8192];
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    const size_t n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static struct session *new_session(struct core *core)
{
    const struct frame_open open = { .identity = SLICE("cn:al\"ice"),
                                     .issuer = SLICE("CN=ca"),
                                     .serial = SLICE("0a"),
                                     .tls_version = SLICE("TLSv1.3"),
                                     .cipher = SLICE("TLS_AES_128_GCM_SHA256"),
                                     .peer = SLICE("127.0.0.1:1"),
                                     .not_after = 1800000000,
                                     .opened_at = 1700000000000,
                                     .credit = 1 };
    return session_new(core, NULL, 7, &open);
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no %s in\n%s", part, text);
}

static void test_a_sessions_life(void **state)
{
    struct place *p = *state;
    begin(p);
    struct session *s = new_session(p->core);
    audit_connect(s);
    const struct core_refusal key = { .reason = "key",
                                      .object = SLICE("k"),
                                      .command = command_find(SLICE("get")) };
    const struct core_refusal command = { .reason = "command",
                                          .object = SLICE("keys"),
                                          .command = command_find(SLICE("keys")) };
    const struct core_refusal auth = { .reason = "auth",
                                       .object = SLICE("AUTH"),
                                       .username = SLICE("bob") };
    audit_denied(s, &key);
    audit_denied(s, &command);
    audit_denied(s, &auth);
    audit_denied(s, &(struct core_refusal){ .reason = "auth", .object = SLICE("connect") });
    audit_acl(p->core, s, "setuser", SLICE("cn:bob"));
    audit_acl(p->core, NULL, "load", (struct slice){ NULL, 0 });
    audit_write(s, command_find(SLICE("set")), 3, SLICE("key\n"), 42);
    audit_write(s, command_find(SLICE("set")), 3, SLICE(""), REVISION_UNKNOWN);
    audit_disconnect(s, SLICE("finished"));
    assert_int_equal(strlen(read_file(p->path)), 0);
    audit_flush(p->core->audit);
    const char *text = read_file(p->path);
    const char *who = "\"session\":1,\"identity\":\"cn:al\\\"ice\",\"peer\":\"127.0.0.1:1\"";
    char line[512];
    assert_has(text, "\"event\":\"connect\",");
    assert_has(text, ",\"serial\":\"0a\",\"fingerprint\":\"0000");
    assert_has(text, ",\"issuer\":\"CN=ca\",\"certificate_ends\":\"2027-01-15T08:00:00.000Z\"");
    assert_has(text, ",\"tls\":\"TLSv1.3\",\"cipher\":\"TLS_AES_128_GCM_SHA256\"");
    static const char *const rests[] = {
        "\"event\":\"denied\",%s,\"reason\":\"key\",\"command\":\"get\",\"db\":0,\"key\":\"k\"}\n",
        "\"event\":\"denied\",%s,\"reason\":\"command\",\"command\":\"keys\",\"db\":0}\n",
        "\"event\":\"denied\",%s,\"reason\":\"auth\",\"db\":0}\n",
        "\"event\":\"acl\",%s,\"change\":\"setuser\",\"user\":\"cn:bob\"}\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(rests); i++) {
        const char *hole = strstr(rests[i], "%s");
        snprintf(line, sizeof(line), "%.*s%s%s", (int)(hole - rests[i]), rests[i], who, hole + 2);
        assert_has(text, line);
    }
    assert_has(text, ",\"reason\":\"the ACL does not let it in\"}\n");
    assert_has(text, "\"event\":\"acl\",\"change\":\"load\"}\n");
    snprintf(line, sizeof(line),
             "\"event\":\"write\",%s,\"command\":\"set\",\"db\":3,\"key\":\"key\\u000a\","
             "\"replaced_revision\":42}\n",
             who);
    assert_has(text, line);
    assert_has(text, ",\"command\":\"set\",\"db\":3,\"key\":\"\"}\n");
    assert_has(text, ",\"reason\":\"finished\",\"connected_at\":\"2023-11-14T22:13:20.000Z\",");
    session_free(s);
}

static void admin(struct session *s, const char *line)
{
    struct slice argv[16];
    uint32_t argc = 0;
    while (*line) {
        const size_t n = strcspn(line, " ");
        argv[argc++] = (struct slice){ (const uint8_t *)line, n };
        line += n + (line[n] == ' ');
    }
    const struct command *command = command_find(argv[0]);
    if (command->subcommands)
        command = command_find_sub(command, argv[1]);
    audit_call(s, command, argv, argc, false);
}

static void test_administrators_commands(void **state)
{
    struct place *p = *state;
    begin(p);
    struct session *s = new_session(p->core);
    admin(s, "config set slowlog-max-len 5 requirepass secret");
    admin(s, "flushall async");
    admin(s, "get key");
    admin(s, "config get *");
    admin(s, "set key value");
    audit_flush(p->core->audit);
    const char *text = read_file(p->path);
    assert_has(text, "\"command\":\"config|set\",\"db\":0,\"args\":[\"slowlog-max-len\",\"5\","
                     "\"requirepass\",\"(redacted)\"],\"failed\":false}\n");
    assert_has(text, "\"command\":\"flushall\",\"db\":0,\"args\":[\"async\"],\"failed\":false}\n");
    assert_null(strstr(text, "key"));
    assert_null(strstr(text, "secret"));
    assert_int_equal(audit_figures(p->core->audit).written, 2);
    session_free(s);
}

static void test_mode_and_appending(void **state)
{
    struct place *p = *state;
    struct stat st;
    begin(p);
    audit_start(p->core);
    audit_flush(p->core->audit);
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    audit_free(p->core->audit);
    begin(p);
    audit_stop(p->core, "SIGTERM");
    audit_free(p->core->audit); /* writes what waits */
    p->core->audit = NULL;
    assert_has(read_file(p->path), "\"event\":\"start\"");
    assert_has(read_file(p->path), "\"event\":\"stop\"");
}

static void test_rotation(void **state)
{
    struct place *p = *state;
    begin(p);
    audit_start(p->core);
    audit_flush(p->core->audit);
    assert_int_equal(rename(p->path, p->other), 0);
    audit_stranger(p->core, 1000, 42);
    audit_reopen(p->core->audit); /* what waits is still written to the former file */
    audit_stop(p->core, "SIGTERM");
    audit_flush(p->core->audit);
    assert_has(read_file(p->other), "\"event\":\"start\"");
    assert_has(read_file(p->other), "\"event\":\"refused\",\"uid\":1000,\"pid\":42,");
    assert_null(strstr(read_file(p->path), "\"uid\":1000"));
    assert_has(read_file(p->path), "\"event\":\"stop\"");
}

static void test_a_rotation_that_fails_changes_nothing(void **state)
{
    struct place *p = *state;
    begin(p);
    assert_int_equal(rename(p->path, p->other), 0);
    assert_int_equal(mkdir(p->path, 0700), 0);
    audit_reopen(p->core->audit);
    audit_start(p->core);
    audit_flush(p->core->audit);
    assert_has(read_file(p->other), "\"event\":\"start\"");
    assert_int_equal(rmdir(p->path), 0);
}

static void test_half_a_line_is_ended(void **state)
{
    struct place *p = *state;
    write_file(p->path, "{\"time\":\"20");
    begin(p);
    audit_start(p->core);
    audit_flush(p->core->audit);
    assert_has(read_file(p->path), "{\"time\":\"20\n{\"time\":\"");
}

static void test_what_is_no_file_is_refused(void **state)
{
    struct place *p = *state;
    char why[256];
    assert_int_equal(mkdir(p->path, 0700), 0);
    assert_int_equal(open_audit(p, why, sizeof(why)), ERR_INVALID);
    assert_has(why, p->path);
    assert_int_equal(rmdir(p->path), 0);
    assert_int_equal(symlink("/etc/passwd", p->path), 0);
    assert_int_equal(open_audit(p, why, sizeof(why)), ERR_INVALID);
    assert_null(p->core->audit);
}

static void test_no_audit_is_no_trouble(void **state)
{
    struct place *p = *state;
    struct session *s = new_session(p->core);
    audit_connect(s);
    audit_refused(s, "why");
    admin(s, "flushall");
    audit_flush(p->core->audit);
    audit_reopen(p->core->audit);
    assert_true(audit_idle(p->core->audit));
    assert_null(audit_blocks(p->core->audit));
    assert_string_equal(audit_figures(p->core->audit).state, "off");
    assert_int_equal(p->core->metrics.sessions_refused, 1);
    session_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_texts),
        cmocka_unit_test_setup_teardown(test_a_sessions_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_administrators_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mode_and_appending, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_rotation_that_fails_changes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_half_a_line_is_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_audit_is_no_trouble, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
