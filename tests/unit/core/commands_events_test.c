/*
 * commands_events_test: the keyspace events that commands declare, in name and order those of Redis 7.0.15 (but for what is
 * ours). What is made of them is in tests/integration/test_events.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "commands_fake.h"

/* clang-format off */

/* lines before; the line whose events count; the events. A line of @ lets 20 ms pass. */
static const struct {
    const char *before[3];
    const char *line;
    const char *heard;
} rows[] = {
    { { NULL }, "SET k v", "new=k set=k" },
    { { "SET k v" }, "SET k v", "set=k" },
    { { NULL }, "SET k v EX 10", "new=k set=k expire=k" },
    { { "SET k v" }, "SET k v EX 10", "set=k expire=k" },
    { { NULL }, "SET k v EXAT 1", "new=k set=k expire=k expired=k" },
    { { "SET k v PX 1", "@" }, "SET k v", "expired=k new=k set=k" },
    { { "SET k v" }, "SET k v NX", "" },
    { { NULL }, "SET k v XX", "" },
    { { NULL }, "SET k v GET", "keymiss=k new=k set=k" },
    { { "SET k v" }, "SET k w GET", "set=k" },
    { { "SET k v EX 10" }, "SET k w KEEPTTL", "set=k" },
    { { NULL }, "SETNX k v", "new=k set=k" },
    { { "SET k v" }, "SETNX k v", "" },
    { { NULL }, "SETEX k 10 v", "new=k set=k expire=k" },
    { { NULL }, "PSETEX k 10 v", "new=k set=k expire=k" },
    { { NULL }, "GETSET k v", "keymiss=k new=k set=k" },
    { { "SET k v" }, "GETSET k v", "set=k" },
    { { NULL }, "GETDEL k", "keymiss=k" },
    { { "SET k v" }, "GETDEL k", "del=k" },
    { { NULL }, "GETEX k", "keymiss=k" },
    { { "SET k v" }, "GETEX k", "" },
    { { "SET k v" }, "GETEX k EX 10", "expire=k" },
    { { "SET k v" }, "GETEX k EXAT 1", "del=k" },
    { { "SET k v" }, "GETEX k PERSIST", "" },
    { { "SET k v EX 10" }, "GETEX k PERSIST", "persist=k" },
    { { NULL }, "MSET a 1 b 2 a 3", "new=a set=a new=b set=b set=a" },
    { { "SET b 1" }, "MSET a 1 b 2", "new=a set=a set=b" },
    { { NULL }, "MSETNX a 1 b 2", "new=a set=a new=b set=b" },
    { { "SET b 1" }, "MSETNX a 1 b 2", "" },
    { { NULL }, "MSETEX 2 a 1 b 2 EX 10", "new=a set=a expire=a new=b set=b expire=b" },
    { { "SET a 1 EX 9" }, "MSETEX 1 a 2 KEEPTTL", "set=a" },
    { { NULL }, "GET k", "keymiss=k" },
    { { NULL }, "MGET a b", "keymiss=a keymiss=b" },
    { { "SET a 1" }, "MGET a b", "keymiss=b" },
    { { NULL }, "INCR k", "new=k incrby=k" },
    { { "SET k 1" }, "INCR k", "incrby=k" },
    { { NULL }, "DECR k", "new=k incrby=k" },
    { { NULL }, "INCRBY k 5", "new=k incrby=k" },
    { { NULL }, "DECRBY k 5", "new=k incrby=k" },
    { { NULL }, "INCRBYFLOAT k 1.5", "new=k incrbyfloat=k" },
    { { "SET k 1" }, "INCRBYFLOAT k 1.5", "incrbyfloat=k" },
    { { "SET k x" }, "INCR k", "" },
    { { NULL }, "APPEND k v", "new=k append=k" },
    { { "SET k v" }, "APPEND k v", "append=k" },
    { { "SET k v" }, "APPEND k \"\"", "append=k" },
    { { NULL }, "SETRANGE k 2 v", "new=k setrange=k" },
    { { "SET k v" }, "SETRANGE k 2 v", "setrange=k" },
    { { "SET k v" }, "SETRANGE k 2 \"\"", "" },
    { { NULL }, "STRLEN k", "keymiss=k" },
    { { NULL }, "GETRANGE k 0 1", "keymiss=k" },
    { { NULL }, "SUBSTR k 0 1", "keymiss=k" },
    { { NULL }, "LCS a b", "keymiss=a keymiss=b" },
    { { NULL }, "SETBIT k 3 1", "new=k setbit=k" },
    { { "SET k v" }, "SETBIT k 3 1", "" },
    { { NULL }, "GETBIT k 3", "keymiss=k" },
    { { NULL }, "BITCOUNT k", "keymiss=k" },
    { { NULL }, "BITPOS k 1", "keymiss=k" },
    { { NULL }, "BITOP AND d a b", "keymiss=a keymiss=b" },
    { { "SET d 1" }, "BITOP AND d a b", "keymiss=a keymiss=b del=d" },
    { { "SET a 1" }, "BITOP OR d a b", "keymiss=b new=d set=d" },
    { { "SET a 1", "SET d 1" }, "BITOP OR d a b", "keymiss=b set=d" },
    { { NULL }, "BITFIELD k GET u8 0", "keymiss=k" },
    { { NULL }, "BITFIELD k SET u8 0 1", "new=k setbit=k" },
    { { "SET k v" }, "BITFIELD k SET u8 0 1 INCRBY u8 8 1", "setbit=k" },
    { { "SET k v" }, "BITFIELD k SET u8 0 118", "" },
    { { "SET k v" }, "BITFIELD k SET u8 8 0", "setbit=k" },
    { { NULL }, "BITFIELD k OVERFLOW FAIL INCRBY u2 0 4", "new=k" },
    { { NULL }, "BITFIELD_RO k GET u8 0", "keymiss=k" },
    { { NULL }, "PFADD k a", "new=k pfadd=k" },
    { { "PFADD k a" }, "PFADD k a", "" },
    { { NULL }, "PFADD k", "new=k pfadd=k" },
    { { "PFADD k a" }, "PFADD k", "" },
    { { "PFADD k a" }, "PFADD k b", "pfadd=k" },
    { { NULL }, "PFCOUNT k", "keymiss=k" },
    { { "PFADD k a" }, "PFCOUNT k", "" },
    { { NULL }, "PFMERGE d a b", "keymiss=d keymiss=a keymiss=b new=d pfadd=d" },
    { { "PFADD a 1", "PFADD d 1" }, "PFMERGE d a b", "keymiss=b pfadd=d" },
    { { NULL }, "PFCOUNT a b", "keymiss=a keymiss=b" },
    { { NULL }, "DEL k", "" },
    { { "SET a 1" }, "DEL a b", "del=a" },
    { { "SET a 1", "SET b 1" }, "DEL a b a", "del=a del=b" },
    { { "SET a 1" }, "UNLINK a", "del=a" },
    { { "SET a 1" }, "DELIFEQ a 1", "del=a" },
    { { "SET a 1" }, "DELIFEQ a 2", "" },
    { { "SET a 1" }, "DELEX a", "del=a" },
    { { NULL }, "EXISTS a", "keymiss=a" },
    { { NULL }, "TOUCH a", "keymiss=a" },
    { { NULL }, "TYPE a", "keymiss=a" },
    { { NULL }, "TTL a", "keymiss=a" },
    { { NULL }, "PTTL a", "keymiss=a" },
    { { NULL }, "EXPIRETIME a", "keymiss=a" },
    { { NULL }, "OBJECT ENCODING a", "" },
    { { NULL }, "DUMP a", "keymiss=a" },
    { { NULL }, "EXPIRE k 10", "" },
    { { "SET k v" }, "EXPIRE k 10", "expire=k" },
    { { "SET k v" }, "EXPIRE k -1", "del=k" },
    { { "SET k v" }, "EXPIREAT k 1", "del=k" },
    { { "SET k v" }, "PEXPIRE k 10000", "expire=k" },
    { { "SET k v EX 10" }, "PERSIST k", "persist=k" },
    { { "SET k v" }, "PERSIST k", "" },
    { { "SET k v EX 100" }, "EXPIRE k 10 GT", "" },
    { { NULL }, "RENAME a b", "" },
    { { "SET a 1" }, "RENAME a b", "new=b rename_from=a rename_to=b" },
    { { "SET a 1", "SET b 1" }, "RENAME a b", "new=b rename_from=a rename_to=b" },
    { { "SET a 1" }, "RENAME a a", "" },
    { { "SET a 1" }, "RENAMENX a b", "new=b rename_from=a rename_to=b" },
    { { "SET a 1", "SET b 1" }, "RENAMENX a b", "" },
    { { "SET a 1 EX 10" }, "RENAME a b", "new=b rename_from=a rename_to=b" },
    { { NULL }, "COPY a b", "keymiss=a" },
    { { "SET a 1" }, "COPY a b", "new=b copy_to=b" },
    { { "SET a 1", "SET b 1" }, "COPY a b", "" },
    { { "SET a 1", "SET b 1" }, "COPY a b REPLACE", "new=b copy_to=b" },
    { { "SET a 1" }, "COPY a b DB 1", "1:new=b 1:copy_to=b" },
    { { NULL }, "MOVE a 1", "" },
    { { "SET a 1" }, "MOVE a 1", "1:new=a move_from=a 1:move_to=a" },
    { { NULL }, "SORT k", "keymiss=k" },
    { { NULL }, "SORT k STORE d", "keymiss=k" },
    { { "SET d 1" }, "SORT k STORE d", "keymiss=k del=d" },
    { { "SET a 1" }, "FLUSHDB", "" },
    { { "SET l v PX 1", "SET k v", "@" }, "RENAME k l", "expired=l new=l rename_from=k rename_to=l" },
    { { "SET a v PX 1", "@" }, "MSET a 1", "expired=a new=a set=a" },
};

/* clang-format on */

enum { EVERYTHING = EVENT_ALL | EVENT_NEW | EVENT_MISS, PASSED_MS = 20 };

static void run(struct fake *f, const char *line, int64_t *now)
{
    if (strcmp(line, "@") == 0) {
        fake_set_now(f, *now += PASSED_MS);
    } else {
        (void)fake_line(f, line);
    }
}

/* The fake's store: what was written is a row from here on. */
static void store(struct fake *f)
{
    ws_clean(fake_set(f));
}

static void test_as_redis(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fake *f = fake_new();
        int64_t now = FAKE_NOW_MS;
        for (size_t k = 0; k < ARRAY_SIZE(rows[i].before) && rows[i].before[k]; k++) {
            run(f, rows[i].before[k], &now);
            store(f);
        }
        fake_listen(f, EVERYTHING);
        run(f, rows[i].line, &now);
        const char *heard = fake_heard(f);
        if (strcmp(heard, rows[i].heard) != 0) {
            fail_msg("%s: expected \"%s\", heard \"%s\"", rows[i].line, rows[i].heard, heard);
        }
        fake_free(f);
    }
}

static void test_only_what_is_asked_for(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    (void)fake_line(f, "SET k v EX 10");
    assert_string_equal(fake_heard(f), "");
    fake_listen(f, EVENT_GENERIC);
    (void)fake_line(f, "SET k v EX 10");
    (void)fake_line(f, "GET nothing");
    assert_string_equal(fake_heard(f), "expire=k");
    fake_listen(f, EVENT_MISS);
    (void)fake_line(f, "GET nothing");
    assert_string_equal(fake_heard(f), "keymiss=nothing");
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_redis),
        cmocka_unit_test(test_only_what_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
