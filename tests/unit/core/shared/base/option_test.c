/*
 * option: every kind of value from every source, which source wins, and the one line that each
 * mistake gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/option.h"

/* The targets, in one struct so that each test starts from the same defaults. */
static struct values {
    bool create;
    const char *socket;
    struct option_list listen;
    int64_t pool;
    int64_t size;
    int64_t timeout;
    int level;
} v;

static const char *const levels[] = { "debug", "info", "warning", NULL };

static const struct option rows[] = {
    { "create-schema", 'c', OPTION_FLAG, &v.create, 0, 0, NULL, NULL, "make the tables", NULL },
    { "socket", 's', OPTION_TEXT, &v.socket, 0, 0, NULL, "PATH", "where to listen", "TEST_SOCKET" },
    { "listen", 'l', OPTION_LIST, &v.listen, 0, 0, NULL, "ADDR", "addresses", "TEST_LISTEN" },
    { "pool-size", 'p', OPTION_INT, &v.pool, 1, 1000, NULL, "N", "connections", "TEST_POOL" },
    { "max-value", 0, OPTION_BYTES, &v.size, 1, 1 << 30, NULL, "BYTES", "largest value", NULL },
    { "store-timeout", 0, OPTION_SECONDS, &v.timeout, 500, 3600000, NULL, "SECONDS", "patience",
      NULL },
    { "log-level", 0, OPTION_CHOICE, &v.level, 0, 0, levels, "LEVEL", "how much to say", NULL },
};

static const struct option_set set = {
    .program = "cofre-core",
    .synopsis = "[OPTION...]",
    .about = "Keeps things.",
    .rows = rows,
    .count = ARRAY_SIZE(rows),
    .has_config = true,
};

static const struct option_set client = {
    .program = "cofre",
    .synopsis = "[OPTION...] [COMMAND]",
    .about = "Asks for things.",
    .rows = rows,
    .count = ARRAY_SIZE(rows),
    .stop_at_operand = true,
};

/*
 * What earlier runs left in `v`: values live as long as the process, and the leak checker must see
 * them.
 */
static struct values kept[200];
static size_t runs;

static char said[4096]; /* what went to standard error */
static char config_path[] = "/tmp/option_testXXXXXX";

static enum err parse(const struct option_set *options, char **argv, int *operand)
{
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    FILE *out = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_true(runs < ARRAY_SIZE(kept));
    kept[runs++] = v;
    v = (struct values){
        .socket = "/run/core.sock", .pool = 8, .size = 1 << 24, .timeout = 30000, .level = 1
    };
    dup2(fileno(out), STDERR_FILENO);
    enum err err = option_parse(options, argc, argv, operand);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(out);
    said[fread(said, 1, sizeof(said) - 1, out)] = '\0';
    fclose(out);
    return err;
}

#define ARGV(...) ((char *[]){ (char *)"cofre-core", __VA_ARGS__, NULL })

static void test_every_kind(void **state)
{
    (void)state;
    int operand = 0;
    char **argv =
        ARGV("--create-schema", "--socket", "/tmp/x", "--listen=a:1", "-l", "b:2,c:3", "-p12",
             "--max-value", "64m", "--store-timeout", "0.5", "--log-level=warning");
    assert_int_equal(parse(&set, argv, &operand), ERR_OK);
    assert_string_equal(said, "");
    assert_true(v.create);
    assert_string_equal(v.socket, "/tmp/x");
    assert_int_equal(v.listen.count, 2);
    assert_string_equal(v.listen.items[0], "a:1");
    assert_string_equal(v.listen.items[1], "b:2,c:3");
    assert_int_equal(v.pool, 12);
    assert_int_equal(v.size, 64 << 20);
    assert_int_equal(v.timeout, 500);
    assert_int_equal(v.level, 2);
    assert_int_equal(operand, 13);
}

static void test_defaults_stay(void **state)
{
    (void)state;
    int operand = 0;
    assert_int_equal(parse(&set, (char *[]){ (char *)"cofre-core", NULL }, &operand), ERR_OK);
    assert_false(v.create);
    assert_string_equal(v.socket, "/run/core.sock");
    assert_int_equal(v.pool, 8);
    assert_int_equal(operand, 1);
}

/* Command lines that are refused, and the line that says why. */
static const struct bad_row {
    const char *argv[4];
    const char *line;
} bad[] = {
    { { "--foo" }, "cofre-core: unknown option --foo; see cofre-core --help\n" },
    { { "--foo=1" }, "cofre-core: unknown option --foo=1; see cofre-core --help\n" },
    { { "-x" }, "cofre-core: unknown option -x; see cofre-core --help\n" },
    { { "-cx" }, "cofre-core: unknown option -x; see cofre-core --help\n" },
    { { "-h" }, "cofre-core: unknown option -h; see cofre-core --help\n" },
    { { "--pool" }, "cofre-core: unknown option --pool; see cofre-core --help\n" },
    { { "--help=1" }, "cofre-core: unknown option --help=1; see cofre-core --help\n" },
    { { "--socket" }, "cofre-core: --socket needs a value; see cofre-core --help\n" },
    { { "-s" }, "cofre-core: --socket needs a value; see cofre-core --help\n" },
    { { "--config" }, "cofre-core: --config needs a value; see cofre-core --help\n" },
    { { "start" }, "cofre-core: unexpected argument \"start\"; see cofre-core --help\n" },
    { { "--", "--socket" },
      "cofre-core: unexpected argument \"--socket\"; see cofre-core --help\n" },
    { { "--pool-size", "x" },
      "cofre-core: --pool-size: \"x\" is not a number between 1 and 1000\n" },
    { { "--pool-size", "0" },
      "cofre-core: --pool-size: \"0\" is not a number between 1 and 1000\n" },
    { { "--pool-size", "1001" },
      "cofre-core: --pool-size: \"1001\" is not a number between 1 and 1000\n" },
    { { "--pool-size=" }, "cofre-core: --pool-size: \"\" is not a number between 1 and 1000\n" },
    { { "--pool-size=8k" },
      "cofre-core: --pool-size: \"8k\" is not a number between 1 and 1000\n" },
    { { "-p", "1\n2" }, "cofre-core: --pool-size: \"1?2\" is not a number between 1 and 1000\n" },
    { { "--max-value", "2g" }, "cofre-core: --max-value: \"2g\" is not a size between 1 and 1g\n" },
    { { "--max-value", "k" }, "cofre-core: --max-value: \"k\" is not a size between 1 and 1g\n" },
    { { "--max-value", "9223372036854775807k" },
      "cofre-core: --max-value: \"9223372036854775807k\" is not a size between 1 and 1g\n" },
    { { "--store-timeout", "0.4" },
      "cofre-core: --store-timeout: \"0.4\" is not a number between 0.5 and 3600 seconds\n" },
    { { "--store-timeout", "1." },
      "cofre-core: --store-timeout: \"1.\" is not a number between 0.5 and 3600 seconds\n" },
    { { "--store-timeout", "1.5x" },
      "cofre-core: --store-timeout: \"1.5x\" is not a number between 0.5 and 3600 seconds\n" },
    { { "--store-timeout", "." },
      "cofre-core: --store-timeout: \".\" is not a number between 0.5 and 3600 seconds\n" },
    { { "--store-timeout", "-1" },
      "cofre-core: --store-timeout: \"-1\" is not a number between 0.5 and 3600 seconds\n" },
    { { "--log-level", "loud" },
      "cofre-core: --log-level: \"loud\" is not one of debug, info, warning\n" },
    { { "--create-schema=maybe" },
      "cofre-core: --create-schema: \"maybe\" is neither yes nor no\n" },
    { { "--config", "/nonexistent/cofre.conf" },
      "cofre-core: /nonexistent/cofre.conf: No such file or directory\n" },
    { { "--config", "/" }, "cofre-core: /: Is a directory\n" },
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *argv[6] = { "cofre-core" };
        int operand = 77;
        memcpy(argv + 1, bad[i].argv, sizeof(bad[i].argv));
        assert_int_equal(parse(&set, (char **)argv, &operand), ERR_INVALID);
        assert_string_equal(said, bad[i].line);
        assert_int_equal(operand, 77);
    }
}

static void test_operands(void **state)
{
    (void)state;
    int operand = 0;
    assert_int_equal(parse(&client, ARGV("-p", "3", "GET", "--foo"), &operand), ERR_OK);
    assert_int_equal(operand, 3);
    assert_int_equal(parse(&client, ARGV("-c", "--", "--foo"), &operand), ERR_OK);
    assert_int_equal(operand, 3);
    assert_int_equal(parse(&client, ARGV("-"), &operand), ERR_OK);
    assert_int_equal(operand, 1);
    assert_int_equal(parse(&client, ARGV("--config", "x"), &operand),
                     ERR_INVALID); /* it has none */
}

/* ---- files ---- */

static void write_config(const char *text)
{
    FILE *file = fopen(config_path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_config(void **state)
{
    (void)state;
    int operand = 0;
    write_config("# a comment\n\n  socket = /run/a b.sock  # where\r\n"
                 "pool-size 9\ncreate-schema\nmax-value=4k\nlisten = a:1\nlisten b:2\n"
                 "store-timeout = \"1.5\" # quoted\nlog-level\tdebug");
    assert_int_equal(parse(&set, ARGV("--config", config_path), &operand), ERR_OK);
    assert_string_equal(said, "");
    assert_string_equal(v.socket, "/run/a b.sock");
    assert_int_equal(v.pool, 9);
    assert_true(v.create);
    assert_int_equal(v.size, 4096);
    assert_int_equal(v.listen.count, 2);
    assert_int_equal(v.timeout, 1500);
    assert_int_equal(v.level, 0);
}

static void test_config_values(void **state)
{
    (void)state;
    int operand = 0;
    write_config("socket host=/run dbname=x password=a#b\ncreate-schema = no\n");
    assert_int_equal(parse(&set, ARGV("--config", config_path), &operand), ERR_OK);
    assert_string_equal(v.socket, "host=/run dbname=x password=a#b");
    assert_false(v.create);
    write_config("socket = \"a # \\\"b\\\" \\\\ c\"\n");
    assert_int_equal(parse(&set, ARGV("--config", config_path), &operand), ERR_OK);
    assert_string_equal(v.socket, "a # \"b\" \\ c");
    write_config("socket =\n");
    assert_int_equal(parse(&set, ARGV("--config", config_path), &operand), ERR_OK);
    assert_string_equal(v.socket, "");
    write_config("");
    assert_int_equal(parse(&set, ARGV("--config", config_path), &operand), ERR_OK);
}

/* Files that are refused: text, and what follows "cofre-core: FILE". */
static const struct bad_file {
    const char *text;
    const char *line;
} bad_files[] = {
    { "\nfoo = 1\n", ":2: unknown option foo" },
    { "config = x\n", ":1: unknown option config" },
    { "= 3\n", ":1: unknown option " },
    { "pool-size = x\n", ":1: pool-size: \"x\" is not a number between 1 and 1000" },
    { "socket\n", ":1: socket: needs a value" },
    { "socket # a\n", ":1: socket: needs a value" },
    { "socket = a\n\nsocket = b\n", ":3: socket: given twice, first on line 1" },
    { "socket = \"a\n", ":1: a quoted value must end with \" and nothing after it" },
    { "socket = \"a\\\n", ":1: a quoted value must end with \" and nothing after it" },
    { "socket = \"a\" b\n", ":1: a quoted value must end with \" and nothing after it" },
    { "create-schema = perhaps\n", ":1: create-schema: \"perhaps\" is neither yes nor no" },
};

static void test_bad_config(void **state)
{
    (void)state;
    int operand = 0;
    for (size_t i = 0; i < ARRAY_SIZE(bad_files); i++) {
        char expected[300];
        write_config(bad_files[i].text);
        assert_int_equal(parse(&set, ARGV("--config", config_path), &operand), ERR_INVALID);
        snprintf(expected, sizeof(expected), "cofre-core: %s%s\n", config_path, bad_files[i].line);
        assert_string_equal(said, expected);
    }
    FILE *file = fopen(config_path, "w");
    fwrite("a\0b", 1, 3, file);
    fclose(file);
    assert_int_equal(parse(&set, ARGV("--config", config_path), &operand), ERR_INVALID);
    assert_non_null(strstr(said, ": not a configuration file\n"));
}

static void test_who_wins(void **state)
{
    (void)state;
    int operand = 0;
    setenv("TEST_SOCKET", "env", 1);
    setenv("TEST_POOL", "2", 1);
    setenv("TEST_LISTEN", "env:1", 1);
    write_config("pool-size = 3\nlisten = file:1\nlisten = file:2\n");
    assert_int_equal(parse(&set, ARGV("-p", "4"), &operand), ERR_OK);
    assert_string_equal(v.socket, "env");
    assert_int_equal(v.listen.count, 1);
    assert_int_equal(v.pool, 4);
    assert_int_equal(parse(&set, ARGV("--config", config_path), &operand), ERR_OK);
    assert_int_equal(v.pool, 3);
    assert_int_equal(v.listen.count, 2);
    assert_int_equal(
        parse(&set, ARGV("-p", "4", "-l", "argv:1", "--config", config_path), &operand), ERR_OK);
    assert_int_equal(v.pool, 4);
    assert_int_equal(v.listen.count, 1);
    assert_string_equal(v.listen.items[0], "argv:1");
    assert_int_equal(
        parse(&set, ARGV("-p4", "-p5", "--create-schema", "--create-schema=no"), &operand), ERR_OK);
    assert_int_equal(v.pool, 5); /* the last one on the command line */
    assert_false(v.create);
    setenv("TEST_POOL", "many", 1);
    assert_int_equal(parse(&set, ARGV("-p", "4"), &operand), ERR_INVALID);
    assert_string_equal(said,
                        "cofre-core: $TEST_POOL: \"many\" is not a number between 1 and 1000\n");
    setenv("TEST_POOL", "", 1);
    assert_int_equal(parse(&set, ARGV("-c"), &operand), ERR_OK);
    assert_int_equal(v.pool, 8);
    unsetenv("TEST_SOCKET");
    unsetenv("TEST_POOL");
    unsetenv("TEST_LISTEN");
}

/* ---- help ---- */

/* run_in_child returns what option_parse printed to standard output before it exited with 0. */
static void run_in_child(char **argv, char *out, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int operand;
        dup2(ends[1], STDOUT_FILENO);
        (void)!parse(&set, argv, &operand);
        _exit(99);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t n;
    while ((n = read(ends[0], out + len, size - 1 - len)) > 0) {
        len += (size_t)n;
    }
    out[len] = '\0';
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_help(void **state)
{
    (void)state;
    char out[4096];
    run_in_child(ARGV("--version"), out, sizeof(out));
    assert_string_equal(out, "cofre-core " COFRE_VERSION "\n");
    run_in_child(ARGV("-p", "99", "--help"), out, sizeof(out));
    assert_string_equal(
        out,
        "Usage: cofre-core [OPTION...]\n"
        "\n"
        "Keeps things.\n"
        "\n"
        "Options:\n"
        "  -c, --create-schema           make the tables\n"
        "  -s, --socket PATH             where to listen (default: /run/core.sock) [$TEST_SOCKET]\n"
        "  -l, --listen ADDR             addresses [$TEST_LISTEN]\n"
        "  -p, --pool-size N             connections (default: 8) [$TEST_POOL]\n"
        "      --max-value BYTES         largest value (default: 16m)\n"
        "      --store-timeout SECONDS   patience (default: 30)\n"
        "      --log-level LEVEL         how much to say (default: info)\n"
        "      --config FILE             read options from a file: lines \"name = value\"\n"
        "      --help                    show this and exit\n"
        "      --version                 show the version and exit\n");
}

static int make_config(void **state)
{
    (void)state;
    int fd = mkstemp(config_path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_config(void **state)
{
    (void)state;
    return unlink(config_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind), cmocka_unit_test(test_defaults_stay),
        cmocka_unit_test(test_bad),        cmocka_unit_test(test_operands),
        cmocka_unit_test(test_config),     cmocka_unit_test(test_config_values),
        cmocka_unit_test(test_bad_config), cmocka_unit_test(test_who_wins),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, make_config, remove_config);
}
