/* The gate's question: commands, keys by what is done with them, databases, selectors that do not add up. */
#include "support.h"

#include "acl/check.h"

/*
 * line     the command, in words; runs in database 0
 * denied   "" when allowed; else the reason and the object, as acl_denial_text words it behind "has no permissions to"
 */
struct row {
    const char *rules;
    const char *line;
    const char *denied;
};

#define RUN(command) "run the '" command "' command"
#define KEY(key)     "access the '" key "' key"
#define DB(number)   "access database " number

static const struct row rows[] = {
    /* commands */
    { "~* +@all", "GET k", "" },
    { "~*", "GET k", RUN("get") },
    { "~* +get", "GET k", "" },
    { "~* +get", "SET k v", RUN("set") },
    { "~* +@all -get", "GET k", RUN("get") },
    { "~* +@read", "GET k", "" },
    { "~* +@read", "SET k v", RUN("set") },
    { "~* +@all -@write", "SET k v", RUN("set") },
    { "+config|get", "CONFIG GET x", "" },
    { "+config|get", "CONFIG HELP", RUN("config|help") },
    { "+config -config|get", "CONFIG GET x", RUN("config|get") },
    { "+config -config|get", "CONFIG HELP", "" },
    { "+@all -client|list", "CLIENT LIST", RUN("client|list") },
    { "+@all -client|list", "CLIENT ID", "" },
    { "-@all", "COMMAND", RUN("command") },
    { "+command", "COMMAND", "" },
    { "+command", "COMMAND COUNT", "" },
    { "+command|count", "COMMAND", RUN("command") },
    /* what Redis marks no_auth is always there */
    { "-@all", "AUTH a b", "" },
    { "-@all", "HELLO", "" },
    { "-@all", "QUIT", "" },
    { "-@all", "RESET", "" },
    { "-@all", "PING", RUN("ping") },
    /* first arguments */
    { "+select|0", "SELECT 0", "" },
    { "+select|0", "SELECT 1", RUN("select") },
    { "~* +get|k", "GET K", "" },
    { "~* +get|k", "GET j", RUN("get") },
    /* keys: reading, writing, both, neither */
    { "+@all", "GET k", KEY("k") },
    { "~k +@all", "GET k", "" },
    { "~k* +@all", "GET key", "" },
    { "~k +@all", "GET key", KEY("key") },
    { "~a ~b +@all", "MGET a b", "" },
    { "~a ~b +@all", "MGET a b c", KEY("c") },
    { "%R~r %W~w ~x +@all", "GET r", "" },
    { "%R~r %W~w ~x +@all", "GET w", KEY("w") },
    { "%R~r %W~w ~x +@all", "GET x", "" },
    { "%R~r %W~w ~x +@all", "SET r v", KEY("r") },
    { "%R~r %W~w ~x +@all", "SET w v", "" },
    { "%R~r %W~w ~x +@all", "SET w v EX 10", "" },
    { "%R~r %W~w ~x +@all", "SET w v GET", KEY("w") },
    { "%R~r %W~w ~x +@all", "SET w v ex get", KEY("w") },
    { "%R~r %W~w ~x +@all", "SET w GET", "" },
    { "%R~r %W~w ~x +@all", "SET x v GET", "" },
    { "%R~r %W~w ~x +@all", "MSET w v x v", "" },
    { "%R~r %W~w ~x +@all", "MSET w r r v", KEY("r") },
    { "%R~r %W~w ~x +@all", "MSETNX w v", "" },
    { "%R~r %W~w ~x +@all", "SETEX w 1 v", "" },
    { "%R~r %W~w ~x +@all", "PSETEX r 1 v", KEY("r") },
    { "%R~r %W~w ~x +@all", "SETNX w v", "" },
    { "%R~r %W~w ~x +@all", "APPEND w v", "" },
    { "%R~r %W~w ~x +@all", "SETRANGE w 0 v", "" },
    { "%R~r %W~w ~x +@all", "INCR w", KEY("w") },
    { "%R~r %W~w ~x +@all", "INCRBY r 1", KEY("r") },
    { "%R~r %W~w ~x +@all", "INCR x", "" },
    { "%R~r %W~w ~x +@all", "GETSET w v", KEY("w") },
    { "%R~r %W~w ~x +@all", "GETDEL r", KEY("r") },
    { "%R~r %W~w ~x +@all", "GETDEL x", "" },
    { "%R~r %W~w ~x +@all", "GETEX r", KEY("r") },
    { "%R~r %W~w ~x +@all", "DEL w", "" },
    { "%R~r %W~w ~x +@all", "DEL r", KEY("r") },
    { "%R~r %W~w ~x +@all", "UNLINK w x r", KEY("r") },
    { "%R~r %W~w ~x +@all", "EXPIRE w 1", "" },
    { "%R~r %W~w ~x +@all", "PERSIST r", KEY("r") },
    { "%R~r %W~w ~x +@all", "TTL r", "" },
    { "%R~r %W~w ~x +@all", "TTL w", KEY("w") },
    { "%R~r %W~w ~x +@all", "EXISTS r w x", "" },
    { "%R~r %W~w ~x +@all", "EXISTS r no", KEY("no") },
    { "%R~r %W~w ~x +@all", "TOUCH w", "" },
    { "%R~r %W~w ~x +@all", "TYPE w", "" },
    { "%R~r %W~w ~x +@all", "STRLEN w", "" },
    { "%R~r %W~w ~x +@all", "STRLEN no", KEY("no") },
    { "%R~r %W~w ~x +@all", "WATCH w", "" },
    { "%R~r %W~w ~x +@all", "COPY r w", "" },
    { "%R~r %W~w ~x +@all", "COPY w r", KEY("w") },
    { "%R~r %W~w ~x +@all", "RENAME x w", "" },
    { "%R~r %W~w ~x +@all", "RENAME r w", KEY("r") },
    { "%R~r %W~w ~x +@all", "RENAME w x", KEY("w") },
    { "%R~r %W~w ~x +@all", "RENAMENX x r", KEY("r") },
    { "%R~k %W~k +@all", "INCR k", "" },
    { "%R~r %W~w ~x +@all", "BITFIELD r GET u4 0", "" },
    { "%R~r %W~w ~x +@all", "BITFIELD r GET u4 0 SET u4 0 1", KEY("r") },
    { "%R~r %W~w ~x +@all", "BITFIELD w GET u4 0", KEY("w") },
    { "%R~r %W~w ~x +@all", "BITFIELD w INCRBY u4 0 1", KEY("w") },
    { "%R~r %W~w ~x +@all", "BITFIELD x INCRBY u4 0 1", "" },
    { "%R~r %W~w ~x +@all", "BITFIELD_RO r GET u4 0", "" },
    { "%R~r %W~w ~x +@all", "SETBIT w 0 1", KEY("w") },
    { "%R~r %W~w ~x +@all", "BITOP AND w r x", "" },
    { "%R~r %W~w ~x +@all", "BITOP AND x w r", KEY("w") },
    { "%R~r %W~w ~x +@all", "PFADD w a", "" },
    { "%R~r %W~w ~x +@all", "PFCOUNT r", "" },
    { "%R~r %W~w ~x +@all", "PFCOUNT w r", KEY("w") },
    { "%R~r %W~w ~x +@all", "PFMERGE x r", "" },
    { "%R~r %W~w ~x +@all", "PFMERGE w r", KEY("w") },
    { "%R~r %W~w ~x +@all", "LCS r x", "" },
    { "%R~r %W~w ~x +@all", "SORT r STORE w", "" },
    { "%R~r %W~w ~x +@all", "SORT r STORE r", KEY("r") },
    { "%R~r %W~w ~x +@all", "SORT w STORE w", KEY("w") },
    { "%R~r %W~w ~x +@all", "SORT r LIMIT 0 1 STORE no", KEY("no") },
    { "%R~r %W~w ~x +@all", "SORT_RO r", "" },
    { "%R~r %W~w ~x +@all", "MSETEX 2 w v x v", "" },
    { "%R~r %W~w ~x +@all", "MSETEX 2 w v r v", KEY("r") },
    { "%R~r %W~w ~x +@all", "MSETEX 1 w v EX 10", "" },
    { "%R~r %W~w ~x +@all", "SET w v IFEQ old", KEY("w") },
    { "%R~r %W~w ~x +@all", "SET x v IFEQ old", "" },
    { "%R~r %W~w ~x +@all", "SET w v IFREV 3", "" },
    { "%R~r %W~w ~x +@all", "DELEX w", "" },
    { "%R~r %W~w ~x +@all", "DELEX w IFEQ v", KEY("w") },
    { "%R~r %W~w ~x +@all", "DELIFEQ w v", KEY("w") },
    { "%R~r %W~w ~x +@all", "DELIFREV w 3", "" },
    { "%R~r %W~w ~x +@all", "DIGEST w", KEY("w") },
    { "%R~r %W~w ~x +@all", "DUMP r", "" },
    { "%R~r %W~w ~x +@all", "DUMP w", KEY("w") },
    { "%R~r %W~w ~x +@all", "RESTORE w 0 x", "" },
    { "%R~r %W~w ~x +@all", "MOVE w 1", KEY("w") },
    { "%R~r %W~w ~x +@all", "MOVE x 1", "" },
    { "%R~r %W~w ~x +@all", "KEYINFO w", KEY("w") },
    { "%R~r %W~w ~x +@all", "KEYINFO r", "" },
    { "%R~r %W~w ~x +@all", "OBJECT ENCODING w", "" },
    { "%R~r %W~w ~x +@all", "OBJECT ENCODING no", KEY("no") },
    { "%R~r %W~w ~x +@all", "MEMORY USAGE w", "" },
    { "%R~r %W~w ~x +@all", "MEMORY USAGE no", KEY("no") },
    { "%R~* +@all", "GET k", "" },
    { "%R~* +@all", "SET k v", KEY("k") },
    { "+@all", "KEYS *", "" },
    { "+@all", "FLUSHDB", "" },
    /* selectors: one must allow all of it; what came furthest is told */
    { "(~k +get)", "GET k", "" },
    { "(~k +get)", "GET j", KEY("j") },
    { "(~k +get)", "SET k v", RUN("set") },
    { "~a +get (~b +set)", "SET b v", "" },
    { "~a +get (~b +set)", "GET b", KEY("b") },
    { "~a +get (~b +set)", "SET a v", KEY("a") },
    { "(%R~read* +@all) (%W~write* +@all)", "COPY read write", KEY("write") },
    { "+mget ~key (+mget ~key ~otherkey)", "MGET otherkey someotherkey", KEY("someotherkey") },
    { "+mget ~key (+mget ~key ~otherkey)", "MGET key otherkey someotherkey", KEY("someotherkey") },
    { "+mget ~key (+mget ~key ~otherkey)", "GET key", RUN("get") },
    { "(~* +get) (~* +set)", "SET k v", "" },
    { "(+@all ~a) (+@all ~b)", "MGET a b", KEY("b") },
    /* databases */
    { "~* +@all db=0", "GET k", "" },
    { "~* +@all db=1", "GET k", DB("0") },
    { "~* +@all db=1", "FLUSHDB", DB("0") },
    { "~* +@all db=1", "DBSIZE", DB("0") },
    { "~* +@all db=1", "SELECT 1", "" },
    { "~* +@all db=1", "SELECT 0", DB("0") },
    { "~* +@all db=1", "PING", "" },
    { "~* +@all db=1", "MULTI", "" },
    { "~* +@all db=1", "EXEC", "" },
    { "~* +@all db=1", "WATCH k", DB("0") },
    { "~* +@all db=0", "SELECT x", "" },
    { "~* +@all db=0", "SELECT -1", "" },
    { "~* +@all db=0", "FLUSHALL", DB("1") },
    { "~* +@all db=0-1023", "FLUSHALL", DB("1024") },
    { "~* +@all", "FLUSHALL", "" },
    { "~* +@all db=0,2", "COPY a b DB 2", "" },
    { "~* +@all db=0,2", "COPY a b REPLACE db 1", DB("1") },
    { "~* +@all db=0,2", "COPY a b", "" },
    { "~* +@all db=0,2", "MOVE a 2", "" },
    { "~* +@all db=0,2", "MOVE a 1", DB("1") },
    { "~* +@all db=0,2", "SWAPDB 0 2", "" },
    { "~* +@all db=0,2", "SWAPDB 0 1", DB("1") },
    { "~* +@all db=0,2", "SWAPDB 1 0", DB("1") },
    { "~* +get db=1", "SET k v", RUN("set") },
    { "~a +get db=1", "GET b", DB("0") },
};

static struct acl_verdict ask(const struct acl_user *u, const struct acl_words *w)
{
    const struct command *command = command_find(w->items[0]);
    assert_non_null(command);
    if (command->subcommands != NULL && w->count > 1) {
        command = command_find_sub(command, w->items[1]);
        assert_non_null(command);
    }
    return acl_check(u, command, w->items, (uint32_t)w->count, 0);
}

static void test_what_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct acl_user *u = user_of("cn:x", rows[i].rules);
        struct acl_words words;
        struct buf text;
        buf_init(&text, SIZE_MAX / 2);
        assert_int_equal(acl_words_split(slice_of(rows[i].line), &words), ERR_OK);
        const struct acl_verdict v = ask(u, &words);
        buf_append_slice(&text, SLICE("")); /* a buf without memory has no text */
        acl_denial_text(&v, &text);
        const char *said = text_of(&text);
        static const char start[] = "has no permissions to ";
        if (v.denial != ACL_ALLOWED) {
            assert_memory_equal(said, start, sizeof(start) - 1);
            said += sizeof(start) - 1;
        }
        if (strcmp(said, rows[i].denied) != 0) {
            fail_msg("%s: %s: \"%s\", not \"%s\"", rows[i].rules, rows[i].line, said,
                     rows[i].denied);
        }
        buf_release(&text);
        acl_words_release(&words);
        acl_user_unref(u);
    }
}

static void test_many_keys(void **state)
{
    struct acl_user *u = user_of("cn:x", "~k* +mget (~k* +get)");
    struct slice argv[100] = { SLICE("MGET") };
    (void)state;
    for (size_t i = 1; i < ARRAY_SIZE(argv); i++) {
        argv[i] = SLICE("key");
    }
    const struct command *mget = command_find(SLICE("mget"));
    assert_int_equal(acl_check(u, mget, argv, ARRAY_SIZE(argv), 0).denial, ACL_ALLOWED);
    argv[99] = SLICE("other");
    const struct acl_verdict v = acl_check(u, mget, argv, ARRAY_SIZE(argv), 0);
    assert_int_equal(v.denial, ACL_DENIED_KEY);
    assert_true(slice_eq(v.object, SLICE("other")));
    acl_user_unref(u);
}

static void test_who_may_read_what_is_found(void **state)
{
    static const struct {
        const char *rules;
        const char *key;
        bool may;
    } cases[] = {
        { "~* +find", "k", true },
        { "~a* +find", "ab", true },
        { "~a* +find", "b", false },
        { "%R~a* +find", "ab", true },
        { "%W~a* +find", "ab", false },
        { "+find (~a +get)", "a", false }, /* that selector does not allow FIND */
        { "+find (~a +find)", "a", true },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct acl_user *u = user_of("cn:x", cases[i].rules);
        assert_int_equal(acl_may_read(u, command_find(SLICE("find")), slice_of(cases[i].key)),
                         cases[i].may);
        acl_user_unref(u);
    }
}

static void test_channels(void **state)
{
    static const struct {
        const char *rules;
        const char *channel;
        bool is_pattern;
        bool allowed;
    } cases[] = {
        { "&*", "any", false, true },
        { "&*", "any*", true, true },
        { "&news:*", "news:1", false, true },
        { "&news:*", "old:1", false, false },
        { "&news:*", "news:*", true, true },
        { "&news:*", "news:1*", true, false }, /* a pattern must be there letter for letter */
        { "&a (&b)", "b", false, true },
        { "", "a", false, false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct acl_user *u = user_of("cn:x", cases[i].rules);
        assert_int_equal(acl_channel_allowed(u, slice_of(cases[i].channel), cases[i].is_pattern),
                         cases[i].allowed);
        acl_user_unref(u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_allowed),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_who_may_read_what_is_found),
        cmocka_unit_test(test_channels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
