/*
 * commands_test: every command against the replies of Redis (commands_cases.c), then what is ours alone or depends
 * on the clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "command_docs.h"
#include "commands_cases.h"
#include "commands_fake.h"
#include "telemetry.h"

#define R(reply) (reply), sizeof(reply) - 1
#define SAME     NULL, 0

/* Replies that Redis words otherwise, cannot give, or gives by its own clock. */
static const struct command_case our_cases[] = {
    /* the clock: rounding to seconds, the last millisecond */
    { "SET k v EX 10", R("+OK\r\n"), SAME },
    { "TTL k", R(":10\r\n"), SAME },
    { "PTTL k", R(":10000\r\n"), SAME },
    { "EXPIRETIME k", R(":1700000010\r\n"), SAME },
    { "PEXPIRETIME k", R(":1700000010000\r\n"), SAME },
    { "@now 1700000000500", R(""), SAME },
    { "TTL k", R(":10\r\n"), SAME },
    { "@now 1700000000501", R(""), SAME },
    { "TTL k", R(":9\r\n"), SAME },
    { "@now 1700000009999", R(""), SAME },
    { "PTTL k", R(":1\r\n"), SAME },
    { "TTL k", R(":0\r\n"), SAME },
    { "GET k", R("$1\r\nv\r\n"), SAME },
    { "@now 1700000010000", R(""), SAME },
    { "GET k", R("$-1\r\n"), R("_\r\n") },
    { "PTTL k", R(":-2\r\n"), SAME },
    { "EXISTS k", R(":0\r\n"), SAME },
    { "DEL k", R(":0\r\n"), SAME },
    { "PERSIST k", R(":0\r\n"), SAME },
    { "DBSIZE", R(":0\r\n"), SAME },
    { "SETNX k w", R(":1\r\n"), SAME },
    { "TTL k", R(":-1\r\n"), SAME },
    { "PEXPIRE k 1500", R(":1\r\n"), SAME },
    { "TTL k", R(":2\r\n"), SAME },
    { "EXPIRE k 5 GT", R(":1\r\n"), SAME },
    { "EXPIRE k 4 GT", R(":0\r\n"), SAME },
    { "EXPIRE k 6 LT", R(":0\r\n"), SAME },
    { "EXPIRE k 5 LT", R(":0\r\n"), SAME },
    { "EXPIRE k 4 LT", R(":1\r\n"), SAME },
    { "TTL k", R(":4\r\n"), SAME },
    { "INCR k2", R(":1\r\n"), SAME },
    { "PSETEX k2 100 7", R("+OK\r\n"), SAME },
    { "INCR k2", R(":8\r\n"), SAME },
    { "PTTL k2", R(":100\r\n"), SAME },
    { "@now 1700000010100", R(""), SAME },
    { "INCR k2", R(":1\r\n"), SAME },
    { "PTTL k2", R(":-1\r\n"), SAME },
    { "GETEX k2 EX 100", R("$1\r\n1\r\n"), SAME },
    { "TTL k2", R(":100\r\n"), SAME },
    { "SET k2 x KEEPTTL", R("+OK\r\n"), SAME },
    { "TTL k2", R(":100\r\n"), SAME },
    { "@now 1700000110100", R(""), SAME },
    { "SET k2 x KEEPTTL", R("+OK\r\n"), SAME },
    { "TTL k2", R(":-1\r\n"), SAME },
    { "SET k2 x EX 1", R("+OK\r\n"), SAME },
    { "RENAME k2 k3", R("+OK\r\n"), SAME },
    { "PTTL k3", R(":1000\r\n"), SAME },
    { "@now 1700000111100", R(""), SAME },
    { "RENAME k3 k4", R("-ERR no such key\r\n"), SAME },
    { "COPY k3 k4", R(":0\r\n"), SAME },
    { "GETEX k3 FOO", R("-ERR syntax error\r\n"), SAME },
    { "TIME", R("*2\r\n$10\r\n1700000111\r\n$6\r\n100000\r\n"), SAME },
    /* AUTH and HELLO: the certificate decides */
    { "AUTH cn:alice x", R("+OK\r\n"), SAME },
    { "AUTH alice \"\"", R("+OK\r\n"), SAME },
    { "AUTH default x", R("+OK\r\n"), SAME },
    { "AUTH bob x",
      R("-WRONGPASS the certificate decides who you are, and it says 'cn:alice': AUTH can only "
        "confirm that.\r\n"),
      SAME },
    { "AUTH Alice x",
      R("-WRONGPASS the certificate decides who you are, and it says 'cn:alice': AUTH can only "
        "confirm that.\r\n"),
      SAME },
    { "HELLO 3 AUTH bob x",
      R("-WRONGPASS the certificate decides who you are, and it says 'cn:alice': AUTH can only "
        "confirm that.\r\n"),
      SAME },
    { "HELLO",
      R("*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n"
        ":2\r\n$2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
        "$7\r\nmodules\r\n*0\r\n"),
      R("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n"
        ":3\r\n$2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
        "$7\r\nmodules\r\n*0\r\n") },
    /* CLIENT */
    { "CLIENT ID", R(":7\r\n"), SAME },
    { "CLIENT SETINFO LIB-NAME redis-py", R("+OK\r\n"), SAME },
    { "CLIENT SETINFO lib-ver 1.0", R("+OK\r\n"), SAME },
    { "CLIENT SETINFO lib-ver \"1 0\"",
      R("-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n"), SAME },
    { "CLIENT SETINFO foo bar", R("-ERR Unrecognized option 'foo'\r\n"), SAME },
    { "CLIENT SETINFO lib-ver",
      R("-ERR wrong number of arguments for 'client|setinfo' command\r\n"), SAME },
    { "CLIENT NO-TOUCH on", R("+OK\r\n"), SAME },
    { "CLIENT NO-TOUCH off", R("+OK\r\n"), SAME },
    { "CLIENT NO-TOUCH x", R("-ERR syntax error\r\n"), SAME },
    { "CLIENT REPLY off", R(""), SAME },
    { "CLIENT REPLY skip", R(""), SAME },
    { "CLIENT REPLY on", R("+OK\r\n"), SAME },
    { "CLIENT LIST MAXAGE 0", R("-ERR maxage should be greater than 0\r\n"), SAME },
    { "CLIENT LIST MAXAGE x", R("-ERR maxage is not an integer or out of range\r\n"), SAME },
    { "CLIENT LIST IDLE -1", R("-ERR idle should be at least 0\r\n"), SAME },
    { "CLIENT LIST SKIPME x", R("-ERR syntax error\r\n"), SAME },
    { "CLIENT LIST ID 7 SKIPME", R("-ERR syntax error\r\n"), SAME },
    { "CLIENT LIST USER cn:bob", R("-ERR No such user 'cn:bob'\r\n"), SAME },
    { "CLIENT KILL USER default", R(":0\r\n"), SAME },
    { "CLIENT KILL USER cn:alice SKIPME no", R(":1\r\n"), SAME },
    { "CLIENT KILL ID 7 7 7 SKIPME no", R(":1\r\n"), SAME },
    { "CLIENT KILL ID 6 7 SKIPME no MAXAGE 1000000000", R(":1\r\n"), SAME },
    { "CLIENT KILL ID 7 SKIPME no MAXAGE 100000000000", R(":0\r\n"), SAME },
    { "CLIENT KILL 127.0.0.1:50110", R("+OK\r\n"), SAME },
    { "CLIENT KILL ADDR 127.0.0.1:50110", R(":0\r\n"), SAME },
    { "CLIENT KILL LADDR 127.0.0.1:6380 SKIPME no", R(":1\r\n"), SAME },
    { "CLIENT KILL IP 127.0.0.1 SKIPME no", R(":1\r\n"), SAME },
    { "CLIENT KILL IP 127.0.0 SKIPME no", R(":0\r\n"), SAME },
    { "CLIENT KILL LIB-NAME redis-py LIB-VER 1.0 SKIPME no", R(":1\r\n"), SAME },
    { "CLIENT KILL LIB-NAME redis-py LIB-VER 1.1 SKIPME no", R(":0\r\n"), SAME },
    { "CLIENT KILL DB 0 SKIPME no", R(":1\r\n"), SAME },
    { "CLIENT KILL DB 1 SKIPME no", R(":0\r\n"), SAME },
    { "COMMAND GETKEYSANDFLAGS SET a b ifeq c",
      R("*1\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+update\r\n"),
      R("*1\r\n*2\r\n$1\r\na\r\n~3\r\n+RW\r\n+access\r\n+update\r\n") },
    /* MULTI as far as it is ours */
    { "MULTI", R("+OK\r\n"), SAME },
    { "MULTI", R("-ERR MULTI calls can not be nested\r\n"), SAME },
    { "WATCH k", R("-ERR WATCH inside MULTI is not allowed\r\n"), SAME },
    { "DISCARD", R("+OK\r\n"), SAME },
    { "DISCARD", R("-ERR DISCARD without MULTI\r\n"), SAME },
    { "EXEC x",
      R("-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' "
        "command\r\n"),
      SAME },
    /* SCAN in pages, FIND */
    { "FLUSHALL", R("+OK\r\n"), SAME },
    { "MSET user:1 ANDREI user:2 JOAO bin \"\\0joao\" other joana", R("+OK\r\n"), SAME },
    { "SCAN 0 COUNT 3", SAME, SAME },
    { "SCAN 0 COUNT 100 MATCH user:*", R("*2\r\n$1\r\n0\r\n*2\r\n$6\r\nuser:1\r\n$6\r\nuser:2\r\n"),
      SAME },
    { "SCAN 0 COUNT 1 MATCH user:2", R("*2\r\n$1\r\n0\r\n*1\r\n$6\r\nuser:2\r\n"), SAME },
    { "SCAN 0 COUNT 2", SAME, SAME },
    { "FIND %joa%",
      R("*2\r\n$1\r\n0\r\n*4\r\n$6\r\nuser:2\r\n$4\r\nJOAO\r\n$5\r\nother\r\n$5\r\njoana\r\n"),
      SAME },
    { "FIND joa_", R("*2\r\n$1\r\n0\r\n*2\r\n$6\r\nuser:2\r\n$4\r\nJOAO\r\n"), SAME },
    { "FIND %joa% MATCH user:*", R("*2\r\n$1\r\n0\r\n*2\r\n$6\r\nuser:2\r\n$4\r\nJOAO\r\n"), SAME },
    { "FIND nobody", R("*2\r\n$1\r\n0\r\n*0\r\n"), SAME },
    { "FIND %joa% COUNT 1", R("*2\r\n$1\r\n1\r\n*2\r\n$6\r\nuser:2\r\n$4\r\nJOAO\r\n"), SAME },
    { "FIND %joa% COUNT 1 CURSOR 1", R("*2\r\n$1\r\n0\r\n*2\r\n$5\r\nother\r\n$5\r\njoana\r\n"),
      SAME },
    { "FIND x COUNT 0", R("-ERR syntax error\r\n"), SAME },
    { "FIND x COUNT y", R("-ERR value is not an integer or out of range\r\n"), SAME },
    { "FIND x CURSOR y", R("-ERR invalid cursor\r\n"), SAME },
    { "FIND x TYPE string", R("-ERR syntax error\r\n"), SAME },
    { "FIND x MATCH", R("-ERR syntax error\r\n"), SAME },
    { "FIND", R("-ERR wrong number of arguments for 'find' command\r\n"), SAME },
    /* limits: 16 MiB values here */
    { "SETRANGE big 16777215 x", R(":16777216\r\n"), SAME },
    { "STRLEN big", R(":16777216\r\n"), SAME },
    { "APPEND big x", R("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"),
      SAME },
    { "STRLEN big", R(":16777216\r\n"), SAME },
    { "SETRANGE big 16777216 x",
      R("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"), SAME },
    { "SETRANGE none 16777216 x",
      R("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"), SAME },
    { "EXISTS none", R(":0\r\n"), SAME },
    { "SETBIT none 134217727 0", R(":0\r\n"), SAME },
    { "STRLEN none", R(":16777216\r\n"), SAME },
    { "SETBIT none 134217728 0",
      R("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"), SAME },
    { "SETBIT none 4294967295 1",
      R("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"), SAME },
    { "BITFIELD none SET u8 134217720 255", R("*1\r\n:0\r\n"), SAME },
    { "BITFIELD none SET u8 0 1 SET u8 134217721 255",
      R("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"), SAME },
    { "BITFIELD none GET u8 134217721 GET u8 0", R("*2\r\n:254\r\n:0\r\n"), SAME },
    { "BITCOUNT none", R(":8\r\n"), SAME },
    { "BITPOS none 1", R(":134217720\r\n"), SAME },
    { "BITOP NOT none none", R(":16777216\r\n"), SAME },
    { "BITCOUNT none 0 -9 BIT", R(":134217720\r\n"), SAME },
    { "BITPOS none 0", R(":134217720\r\n"), SAME },
    { "BITFIELD k GET u8 #2305843009213693953",
      R("-ERR bit offset is not an integer or out of range\r\n"), SAME },
    { "LCS none none", /* the table would have 2^50 bytes */
      R("-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n"),
      SAME },
    { "CONFIG GET proto-max-bulk-len", R("*2\r\n$18\r\nproto-max-bulk-len\r\n$8\r\n16777216\r\n"),
      R("%1\r\n$18\r\nproto-max-bulk-len\r\n$8\r\n16777216\r\n") },
};

/* --- tables ----------------------------------------------------------------------------------- */

static void check_case(struct fake *f, const struct command_case *row, int protocol)
{
    bool other = protocol == 3 && row->resp3 != NULL;
    const char *expected = other ? row->resp3 : row->resp2;
    size_t length = other ? row->resp3_len : row->resp2_len;
    struct slice reply = fake_line(f, row->line);
    if (expected == NULL) {
        assert_true(reply.len > 0);
        return;
    }
    if (reply.len != length || (length > 0 && memcmp(reply.p, expected, length) != 0)) {
        fail_msg("RESP%d, %s\nexpected %.*s\ngot      %.*s", protocol, row->line, (int)length,
                 expected, (int)reply.len, (const char *)reply.p);
    }
}

static void check_cases(const struct command_case *rows, size_t count, int protocol)
{
    struct fake *f = fake_new();
    session_vars(fake_session(f))->protocol = protocol;
    for (size_t i = 0; i < count; i++) {
        check_case(f, &rows[i], session_vars(fake_session(f))->protocol);
        session_vars(fake_session(f))->protocol = protocol; /* whatever HELLO did */
    }
    fake_free(f);
}

static void test_as_redis(void **state)
{
    (void)state;
    check_cases(redis_cases, redis_case_count, 2);
    check_cases(redis_cases, redis_case_count, 3);
    check_cases(redis_keys_cases, redis_keys_case_count, 2);
    check_cases(redis_keys_cases, redis_keys_case_count, 3);
}

static void test_bits_as_redis(void **state)
{
    (void)state;
    check_cases(bit_cases, bit_case_count, 2);
    check_cases(bit_cases, bit_case_count, 3);
}

static void test_hyperloglogs_as_redis(void **state)
{
    (void)state;
    check_cases(hyperloglog_cases, hyperloglog_case_count, 2);
    check_cases(hyperloglog_cases, hyperloglog_case_count, 3);
}

static void test_our_own(void **state)
{
    (void)state;
    check_cases(our_cases, ARRAY_SIZE(our_cases), 2);
    check_cases(our_cases, ARRAY_SIZE(our_cases), 3);
    check_cases(our_keys_cases, our_keys_case_count, 2);
    check_cases(our_keys_cases, our_keys_case_count, 3);
}

/* --- the session ------------------------------------------------------------------------------ */

static void test_session_commands(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct session_vars *vars = session_vars(fake_session(f));
    fake_line(f, "SELECT 5");
    assert_int_equal(vars->db_number, 5);
    fake_line(f, "SELECT 16");
    assert_int_equal(vars->db_number, 5);
    struct slice reply = fake_line(f, "HELLO 3 SETNAME bob");
    assert_int_equal(reply.p[0], '%');
    assert_int_equal(vars->protocol, 3);
    assert_true(slice_eq(session_name(fake_session(f), SESSION_NAME), SLICE("bob")));
    fake_line(f, "HELLO 2 AUTH bob x");
    assert_int_equal(vars->protocol, 3);
    reply = fake_line(f, "RESET");
    assert_true(slice_eq(reply, SLICE("+RESET\r\n")));
    assert_int_equal(vars->protocol, 2);
    assert_int_equal(vars->db_number, 0);
    reply = fake_line(f, "QUIT now");
    assert_true(slice_eq(reply, SLICE("+OK\r\n")));
    assert_true(fake_has_quit(f));
    fake_free(f);
}

static void test_watch_remembers_the_revision(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    fake_line(f, "SET k v");
    struct entry *e = ws_entry(fake_set(f), 0, SLICE("k"));
    e->revision = 42;
    fake_line(f, "WATCH k");
    assert_int_equal(fake_watched(f), 42);
    fake_line(f, "UNWATCH");
    fake_line(f, "WATCH missing");
    assert_int_equal(fake_watched(f), 0);
    fake_free(f);
}

static bool contains(struct slice text, const char *part)
{
    return memmem(text.p, text.len, part, strlen(part)) != NULL;
}

static void test_client_info_cannot_be_forged(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct frame_open *open = (struct frame_open *)session_open_info(fake_session(f));
    open->identity = SLICE("cn:eve user=cn:alice\nid=1");
    struct slice reply = fake_line(f, "CLIENT INFO");
    assert_true(contains(reply, " user=cn:eve\\x20user=cn:alice\\x0aid=1 "));
    assert_true(contains(
        reply, " flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=26 qbuf-free=0 argv-mem=10 "));
    assert_true(contains(reply, "id=7 addr=127.0.0.1:50110 laddr=127.0.0.1:6380 fd=-1 name= age="));
    assert_true(contains(reply, " tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256 identity="));
    assert_true(contains(fake_line(f, "CLIENT LIST ID 7"), "id=7 "));
    assert_true(contains(fake_line(f, "CLIENT LIST TYPE normal"), "id=7 "));
    fake_free(f);
}

static void check_deed(const struct fake *f, const struct deed *expected)
{
    size_t count = 0;
    const struct deed *d = fake_deeds(f, &count);
    assert_int_equal(count, 1);
    assert_int_equal(d->kind, expected->kind);
    assert_int_equal(d->writes_only, expected->writes_only);
    assert_int_equal(d->keyspace, expected->keyspace);
    assert_int_equal(d->session, expected->session);
    assert_int_equal(d->ms, expected->ms);
}

/* What is done to others is noted, with the keyspace of who asks, and not done. */
static void test_deeds(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    size_t count = 1;
    session_vars(fake_session(f))->keyspace = 3;
    fake_line(f, "CLIENT PAUSE 100");
    check_deed(f, &(struct deed){ .kind = DEED_PAUSE, .keyspace = 3, .ms = 100 });
    fake_line(f, "CLIENT PAUSE 0 all");
    check_deed(f, &(struct deed){ .kind = DEED_PAUSE, .keyspace = 3 });
    fake_line(f, "CLIENT PAUSE 9223372036854775807 write");
    check_deed(f, &(struct deed){
                      .kind = DEED_PAUSE, .keyspace = 3, .writes_only = true, .ms = INT32_MAX });
    fake_line(f, "CLIENT UNPAUSE");
    check_deed(f, &(struct deed){ .kind = DEED_UNPAUSE, .keyspace = 3 });
    fake_line(f, "CLIENT KILL ID 7 SKIPME no");
    check_deed(f, &(struct deed){ .kind = DEED_KILL, .session = 7 });
    fake_line(f, "CLIENT KILL ID 7");
    (void)fake_deeds(f, &count);
    assert_int_equal(count, 0);
    fake_free(f);
}

static void test_switches(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    struct session *s = fake_session(f);
    fake_line(f, "CLIENT REPLY OFF");
    assert_int_equal(session_switches(s), SESSION_REPLY_OFF);
    fake_line(f, "CLIENT REPLY SKIP"); /* of no effect while all are off */
    assert_int_equal(session_switches(s), SESSION_REPLY_OFF);
    fake_line(f, "CLIENT REPLY ON");
    fake_line(f, "CLIENT REPLY SKIP");
    assert_int_equal(session_switches(s), SESSION_REPLY_SKIP_NEXT);
    fake_line(f, "RESET");
    fake_line(f, "CLIENT NO-EVICT ON");
    fake_line(f, "CLIENT NO-TOUCH ON");
    assert_int_equal(session_switches(s), SESSION_NO_EVICT | SESSION_NO_TOUCH);
    assert_true(contains(fake_line(f, "CLIENT LIST"), " flags=eT "));
    assert_true(slice_eq(fake_line(f, "MONITOR"), SLICE("+OK\r\n")));
    assert_true(contains(fake_line(f, "CLIENT INFO"), " flags=OeT "));
    fake_free(f);
}

static void test_info_sections(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    fake_line(f, "GET missing");
    struct slice reply = fake_line(f, "INFO");
    assert_true(contains(reply, "# Server\r\nredis_version:7.0.15\r\n"));
    assert_true(contains(reply, "\r\ntcp_port:6380\r\n"));
    assert_true(contains(reply, "\r\nkeyspace_misses:1\r\n"));
    assert_true(contains(reply, "\r\n\r\n# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=60000\r\n"));
    assert_true(contains(reply, "\r\ndatabase_state:up\r\n"));
    assert_true(contains(reply, "\r\ngateway_connections:7\r\ngateway_max_connections:10000\r\n"));
    assert_true(contains(reply, "\r\ngateway_sha256_crl_1:0f\r\n"));
    reply = fake_line(f, "INFO keyspace CPU");
    assert_true(contains(reply, "# CPU\r\n"));
    assert_true(contains(reply, "# Keyspace\r\n"));
    assert_false(contains(reply, "# Server\r\n"));
    fake_free(f);
}

/* --- what is kept to be watched by ------------------------------------------------------------- */

/* note_call notes a call that ran, as dispatch and turn do. */
static void note_call(struct fake *f, const char *name, uint64_t cost_us, const char *error)
{
    struct telemetry *t = core_telemetry(fake_core(f));
    const struct slice argv[] = { slice_of(name), SLICE("key") };
    const struct telemetry_call call = {
        .command = command_find(argv[0]),
        .argv = argv,
        .argc = ARRAY_SIZE(argv),
        .error = command_stats_code(t->commands, slice_of(error)),
        .cost_ns = cost_us * 1000,
        .latency_ns = cost_us * 2000,
        .now_ms = FAKE_NOW_MS,
    };
    telemetry_call(t, fake_session(f), &call);
}

static void test_info_about_commands(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    note_call(f, "get", 100, "");
    note_call(f, "get", 301, "-WRONGTYPE x\r\n");
    assert_false(contains(fake_line(f, "INFO"), "cmdstat_"));
    assert_false(contains(fake_line(f, "INFO default"), "latency_percentiles"));
    struct slice reply = fake_line(f, "INFO everything");
    assert_true(contains(reply,
                         "# Commandstats\r\ncmdstat_get:calls=2,usec=401,usec_per_call=200.50,"
                         "rejected_calls=0,failed_calls=1\r\n"));
    assert_true(contains(reply, "# Errorstats\r\nerrorstat_WRONGTYPE:count=1\r\n"));
    reply = fake_line(f, "INFO LATENCYSTATS commandstats");
    assert_true(contains(reply, "latency_percentiles_usec_get:p50="));
    assert_true(contains(reply, ",p99.9=602.000\r\n"));
    assert_true(contains(reply, "# Commandstats\r\n"));
    assert_false(contains(reply, "# Errorstats\r\n"));
    fake_line(f, "CONFIG SET latency-tracking-info-percentiles \"0 100\"");
    assert_true(contains(fake_line(f, "INFO latencystats"), ",p100=602.000\r\n"));
    fake_line(f, "CONFIG RESETSTAT");
    assert_false(contains(fake_line(f, "INFO all"), "cmdstat_get"));
    fake_free(f);
}

static void test_slowlog(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    fake_line(f, "CONFIG SET slowlog-log-slower-than 200 slowlog-max-len 2");
    note_call(f, "get", 199, "");
    assert_true(slice_eq(fake_line(f, "SLOWLOG LEN"), SLICE(":0\r\n")));
    note_call(f, "get", 200, "");
    assert_true(
        slice_eq(fake_line(f, "SLOWLOG GET"),
                 SLICE("*1\r\n*6\r\n:0\r\n:1700000000\r\n:200\r\n*2\r\n$3\r\nget\r\n$3\r\nkey\r\n"
                       "$15\r\n127.0.0.1:50110\r\n$0\r\n\r\n")));
    note_call(f, "exec", 5000, ""); /* what it runs is there in its place */
    assert_true(slice_eq(fake_line(f, "SLOWLOG LEN"), SLICE(":1\r\n")));
    note_call(f, "strlen", 300, "");
    note_call(f, "append", 300, "");
    assert_true(contains(fake_line(f, "SLOWLOG GET 1"), "*1\r\n*6\r\n:2\r\n"));
    assert_true(slice_eq(fake_line(f, "SLOWLOG LEN"), SLICE(":2\r\n")));
    session_vars(fake_session(f))->keyspace = 1;
    assert_true(slice_eq(fake_line(f, "SLOWLOG GET"), SLICE("*0\r\n")));
    fake_line(f, "SLOWLOG RESET");
    session_vars(fake_session(f))->keyspace = 0;
    assert_true(slice_eq(fake_line(f, "SLOWLOG LEN"), SLICE(":2\r\n")));
    fake_line(f, "CONFIG SET slowlog-log-slower-than -1");
    note_call(f, "get", UINT32_MAX, "");
    assert_true(contains(fake_line(f, "SLOWLOG GET 1"), "*1\r\n*6\r\n:2\r\n"));
    fake_free(f);
}

static void test_latency(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    assert_true(contains(fake_line(f, "LATENCY DOCTOR"), "not watched"));
    fake_line(f, "CONFIG SET latency-monitor-threshold 20");
    assert_true(contains(fake_line(f, "LATENCY DOCTOR"), "Nothing took 20 ms"));
    note_call(f, "get", 19999, "");
    note_call(f, "get", 25000, "");
    note_call(f, "append", 70000, "");
    note_call(f, "keys", 90000, "");
    assert_true(slice_eq(fake_line(f, "LATENCY LATEST"),
                         SLICE("*2\r\n*4\r\n$7\r\ncommand\r\n:1700000000\r\n:90\r\n:90\r\n"
                               "*4\r\n$12\r\nfast-command\r\n:1700000000\r\n:70\r\n:70\r\n")));
    assert_true(slice_eq(fake_line(f, "LATENCY HISTORY FAST-command"),
                         SLICE("*1\r\n*2\r\n:1700000000\r\n:70\r\n")));
    assert_true(contains(fake_line(f, "LATENCY DOCTOR"), "1. command: 1 seconds"));
    struct slice graph = fake_line(f, "LATENCY GRAPH command");
    assert_true(contains(graph, "command - high 90 ms, low 90 ms (all time high 90 ms)\n---"));
    assert_true(contains(graph, "\n_\n\n0\ns\n"));
    assert_true(slice_eq(fake_line(f, "LATENCY RESET command turn"), SLICE(":1\r\n")));
    assert_true(slice_eq(fake_line(f, "LATENCY RESET"), SLICE(":1\r\n")));
    fake_free(f);
}

static void test_latency_histogram(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    note_call(f, "get", 1, ""); /* latency: twice that */
    note_call(f, "get", 3, "");
    note_call(f, "get", 3, "");
    note_call(f, "append", 1000, "");
    const struct slice get =
        SLICE("$3\r\nget\r\n*4\r\n$5\r\ncalls\r\n:3\r\n$14\r\nhistogram_usec\r\n"
              "*4\r\n:4\r\n:1\r\n:8\r\n:3\r\n");
    struct slice reply = fake_line(f, "LATENCY HISTOGRAM nope GET config|get nope|get");
    assert_true(slice_starts_with(reply, SLICE("*2\r\n")));
    assert_true(slice_eq((struct slice){ reply.p + 4, reply.len - 4 }, get));
    assert_true(slice_starts_with(fake_line(f, "LATENCY HISTOGRAM"), SLICE("*4\r\n$6\r\nappend")));
    assert_true(slice_eq(fake_line(f, "LATENCY HISTOGRAM client"), SLICE("*0\r\n")));
    session_vars(fake_session(f))->protocol = 3;
    assert_true(
        contains(fake_line(f, "LATENCY HISTOGRAM append"),
                 "%1\r\n$6\r\nappend\r\n%2\r\n$5\r\ncalls\r\n:1\r\n$14\r\nhistogram_usec\r\n"
                 "%1\r\n:2048\r\n:1\r\n"));
    fake_free(f);
}

static void assert_config(struct fake *f, const char *name, const char *value)
{
    char line[128];
    snprintf(line, sizeof(line), "CONFIG GET %s", name);
    struct slice reply = fake_line(f, line);
    char expected[256];
    snprintf(expected, sizeof(expected), "*2\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(name), name,
             strlen(value), value);
    if (!slice_eq(reply, slice_of(expected))) {
        fail_msg("%s is not %s: %.*s", name, value, (int)reply.len, (const char *)reply.p);
    }
}

static void test_config_set(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    const struct slice ok = SLICE("+OK\r\n");
    assert_true(slice_eq(fake_line(f, "CONFIG SET cofre-max-value 2mb cofre-max-key 100"), ok));
    assert_int_equal(fake_options(f)->max_value, 2 * 1024 * 1024);
    assert_config(f, "proto-max-bulk-len", "2097152");
    assert_config(f, "cofre-max-key", "100");
    /* all or nothing, whichever is wrong */
    assert_true(contains(fake_line(f, "CONFIG SET cofre-max-key 50 cofre-max-value 0"), "-ERR"));
    assert_true(contains(fake_line(f, "CONFIG SET cofre-max-key 50 save \"900 1\""), "-ERR"));
    assert_true(contains(fake_line(f, "CONFIG SET cofre-max-key 50 save"), "-ERR"));
    assert_config(f, "cofre-max-key", "100");
    assert_true(slice_eq(fake_line(f, "CONFIG SET cofre-store-timeout 0.5"), ok));
    assert_int_equal(fake_options(f)->store_timeout_ms, 500);
    assert_config(f, "cofre-store-timeout", "0.5");
    assert_true(contains(fake_line(f, "CONFIG SET cofre-store-timeout nan"), "-ERR"));
    assert_true(contains(fake_line(f, "CONFIG SET cofre-store-timeout 3601"), "-ERR"));
    assert_true(contains(fake_line(f, "CONFIG SET cofre-cache-size 1000000gb"), "-ERR"));
    assert_true(slice_eq(fake_line(f, "CONFIG SET cofre-cache-size 64MB"), ok));
    assert_config(f, "cofre-cache-size", "67108864");
    fake_free(f);
}

/* What clients set at their start is accepted where it is true, and refused where it is not. */
static void test_config_set_of_what_never_changes(void **state)
{
    static const char *const fine[] = {
        "save \"\"",
        "appendonly yes",
        "appendonly YES",
        "maxmemory 0",
        "maxmemory 0mb",
        "maxmemory-policy noeviction",
        "maxmemory-policy NOEVICTION",
        "requirepass \"\"",
        "timeout 0",
        "maxclients 10000",
        "lazyfree-lazy-user-del yes",
        "port 0",
        "replicaof \"\"",
        "cofre-audit none",
    };
    static const char *const wrong[] = {
        "save \"900 1\"",
        "appendonly no",
        "maxmemory 100mb",
        "maxmemory-policy allkeys-lru",
        "requirepass x",
        "timeout 300",
        "maxclients 5",
        "lazyfree-lazy-user-del no",
        "port 6379",
        "replicaof \"h 1\"",
        "cofre-audit file",
        "cofre-audit-writes yes",
        "hash-max-listpack-entries 512",
    };
    (void)state;
    struct fake *f = fake_new();
    char line[128];
    for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
        snprintf(line, sizeof(line), "CONFIG SET %s", fine[i]);
        struct slice reply = fake_line(f, line);
        if (!slice_eq(reply, SLICE("+OK\r\n"))) {
            fail_msg("%s: %.*s", line, (int)reply.len, (const char *)reply.p);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        snprintf(line, sizeof(line), "CONFIG SET %s", wrong[i]);
        if (!contains(fake_line(f, line), "-ERR ")) {
            fail_msg("%s is accepted", line);
        }
    }
    fake_free(f);
}

static void test_log_level_can_be_set(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    const enum log_level before = log_level();
    fake_line(f, "CONFIG SET loglevel DEBUG");
    assert_int_equal(log_level(), LOG_DEBUG);
    assert_config(f, "cofre-log-level", "debug");
    fake_line(f, "CONFIG SET cofre-log-level error");
    assert_int_equal(log_level(), LOG_ERROR);
    assert_config(f, "loglevel", "warning");
    fake_line(f, "CONFIG SET loglevel warning"); /* what it shows already changes nothing */
    assert_int_equal(log_level(), LOG_ERROR);
    fake_line(f, "CONFIG SET loglevel notice");
    assert_int_equal(log_level(), LOG_INFO);
    log_set_level(before);
    fake_free(f);
}

/* --- the table -------------------------------------------------------------------------------- */

static void test_rows_are_sorted(void **state)
{
    (void)state;
    for (size_t i = 1; i < command_count(); i++) {
        assert_true(strcmp(command_at(i - 1)->name, command_at(i)->name) < 0);
    }
    for (size_t i = 0; i < command_count(); i++) {
        assert_ptr_equal(command_find(slice_of(command_at(i)->name)), command_at(i));
    }
}

static void check_row(const struct command *row)
{
    struct syntax syntax;
    if (syntax_parse(row->syntax, &syntax) != ERR_OK) {
        fail_msg("%s: syntax %s", row->name, row->syntax);
    }
    bool lane = (row->flags & (CMD_WRITE | CMD_READONLY | CMD_LOCAL | CMD_ALONE | CMD_EXEC)) != 0;
    assert_true(lane || (row->run == NULL && row->subcommand_count > 0));
    assert_int_equal(row->first == 0, row->step == 0);
    assert_true((row->flags & CMD_WRITE) == 0 || (row->categories & CAT_WRITE) != 0);
    assert_true((row->categories & (CAT_FAST | CAT_SLOW)) != 0);
    for (size_t i = 0; i < row->subcommand_count; i++) {
        const struct command *sub = &row->subcommands[i];
        size_t prefix = strlen(row->name);
        assert_true(strncmp(sub->name, row->name, prefix) == 0 && sub->name[prefix] == '|');
        assert_ptr_equal(command_find_sub(row, slice_of(sub->name + prefix + 1)), sub);
        check_row(sub);
    }
}

static void test_rows_are_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count(); i++) {
        check_row(command_at(i));
    }
}

static void test_unknown_names(void **state)
{
    static const struct slice names[] = {
        { NULL, 0 },
        { (const uint8_t *)"ge", 2 },
        { (const uint8_t *)"gett", 4 },
        { NULL, 0 },
        { (const uint8_t *)"get\0", 4 },
        { (const uint8_t *)"\0", 1 },
        { (const uint8_t *)"\xff", 1 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_null(command_find(names[i]));
    }
}

/* --- needs ------------------------------------------------------------------------------------ */

/* line; what must be known of key k before it runs */
static const struct {
    const char *line;
    enum entry_need need;
} need_rows[] = {
    { "SET k v", NEED_NOTHING },
    { "SET k v EX 10", NEED_NOTHING },
    { "SET k v NX", NEED_META },
    { "SET k v XX", NEED_META },
    { "SET k v KEEPTTL", NEED_META },
    { "SET k v GET", NEED_VALUE },
    { "SET k v NX GET", NEED_VALUE },
    { "SET k v IFEQ x", NEED_VALUE },
    { "SET k v IFDNE 0123456789abcdef", NEED_VALUE },
    { "SET k v IFREV 3", NEED_META },
    { "SET k v IFREV 3 GET", NEED_VALUE },
    { "DELEX k", NEED_META },
    { "DELEX k IFEQ v", NEED_VALUE },
    { "DELIFEQ k v", NEED_VALUE },
    { "DELIFREV k 3", NEED_META },
    { "DIGEST k", NEED_VALUE },
    { "MSETEX 2 a 1 k 2", NEED_NOTHING },
    { "MSETEX 2 a 1 k 2 EX 10", NEED_NOTHING },
    { "MSETEX 2 a 1 k 2 XX", NEED_META },
    { "MSETEX 2 a 1 k 2 KEEPTTL", NEED_META },
    { "KEYINFO k", NEED_META },
    { "OBJECT ENCODING k", NEED_VALUE },
    { "OBJECT IDLETIME k", NEED_META },
    { "MEMORY USAGE k", NEED_META },
    { "DUMP k", NEED_VALUE },
    { "RESTORE k 0 x", NEED_META },
    { "RESTORE k 0 x REPLACE", NEED_META },
    { "MOVE k 1", NEED_VALUE },
    { "SORT k", NEED_META },
    { "SORT a STORE k", NEED_META },
    { "SETEX k 10 v", NEED_NOTHING },
    { "PSETEX k 10 v", NEED_NOTHING },
    { "MSET a 1 k 2", NEED_NOTHING },
    { "MSETNX a 1 k 2", NEED_META },
    { "SETNX k v", NEED_META },
    { "GET k", NEED_VALUE },
    { "MGET a k", NEED_VALUE },
    { "INCR k", NEED_VALUE },
    { "DEL a b k", NEED_META },
    { "STRLEN k", NEED_META },
    { "EXPIRE k 10", NEED_META },
    { "TTL k", NEED_META },
    { "RENAME k a", NEED_VALUE },
    { "RENAME a k", NEED_META },
    { "COPY k a", NEED_VALUE },
    { "COPY a k", NEED_META },
    { "COPY k a DB 1", NEED_VALUE },
    { "WATCH a k", NEED_META },
    { "GETBIT k 1", NEED_VALUE },
    { "SETBIT k 1 1", NEED_VALUE },
    { "BITOP AND k a", NEED_META },
    { "BITOP AND a k", NEED_VALUE },
    { "BITOP AND k k", NEED_VALUE },
    { "LCS a k", NEED_VALUE },
};

static void test_needs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(need_rows); i++) {
        struct fake *f = fake_new();
        fake_line(f, need_rows[i].line);
        struct entry *e = ws_entry(fake_set(f), 0, SLICE("k"));
        assert_non_null(e);
        if (e->wanted != need_rows[i].need) {
            fail_msg("%s wants %d", need_rows[i].line, (int)e->wanted);
        }
        fake_free(f);
    }
}

/* line; whether key k has been written then, where bit 0 is 1 and there are 8 */
static const struct {
    const char *line;
    bool writes;
} unchanged_rows[] = {
    { "SETBIT k 0 1", false },
    { "SETBIT k 1 0", false },
    { "SETBIT k 0 0", true },
    { "SETBIT k 8 0", true },
    { "BITFIELD k SET u2 0 2 GET u8 0 INCRBY u8 0 256", false },
    { "BITFIELD k OVERFLOW FAIL SET u2 0 5 OVERFLOW SAT INCRBY u1 0 1", false },
    { "BITFIELD k SET u2 0 3", true },
    { "BITFIELD k OVERFLOW FAIL SET u2 7 5", true },
    { "BITFIELD k GET u2 7", false },
};

static void test_unchanged_bits_are_no_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(unchanged_rows); i++) {
        struct fake *f = fake_new();
        fake_line(f, "SETBIT k 0 1");
        struct entry *e = ws_entry(fake_set(f), 0, SLICE("k"));
        e->dirty = false;
        fake_line(f, unchanged_rows[i].line);
        if (e->dirty != unchanged_rows[i].writes) {
            fail_msg("%s", unchanged_rows[i].line);
        }
        fake_free(f);
    }
}

static void test_copy_wants_the_other_database(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    fake_line(f, "COPY k a DB 3");
    assert_non_null(ws_entry(fake_set(f), db_ref(0, 3), SLICE("a")));
    assert_null(ws_entry(fake_set(f), 0, SLICE("a")));
    fake_free(f);
}

static void test_move_wants_the_other_database(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    fake_line(f, "MOVE k 3");
    struct entry *e = ws_entry(fake_set(f), db_ref(0, 3), SLICE("k"));
    assert_non_null(e);
    assert_int_equal(e->wanted, NEED_META);
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_redis),
        cmocka_unit_test(test_bits_as_redis),
        cmocka_unit_test(test_hyperloglogs_as_redis),
        cmocka_unit_test(test_our_own),
        cmocka_unit_test(test_session_commands),
        cmocka_unit_test(test_watch_remembers_the_revision),
        cmocka_unit_test(test_client_info_cannot_be_forged),
        cmocka_unit_test(test_deeds),
        cmocka_unit_test(test_switches),
        cmocka_unit_test(test_info_sections),
        cmocka_unit_test(test_info_about_commands),
        cmocka_unit_test(test_slowlog),
        cmocka_unit_test(test_latency),
        cmocka_unit_test(test_latency_histogram),
        cmocka_unit_test(test_config_set),
        cmocka_unit_test(test_config_set_of_what_never_changes),
        cmocka_unit_test(test_log_level_can_be_set),
        cmocka_unit_test(test_rows_are_sorted),
        cmocka_unit_test(test_rows_are_whole),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_needs),
        cmocka_unit_test(test_unchanged_bits_are_no_write),
        cmocka_unit_test(test_copy_wants_the_other_database),
        cmocka_unit_test(test_move_wants_the_other_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
