/* ACL's subcommands: replies in both protocols, errors in Redis's words. That sessions follow is shown with real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "commands_fake.h"

/* line; the reply to it, NULL: any. Lines build on those before them. */
struct step {
    const char *line;
    const char *reply;
};

static const struct step resp2_steps[] = {
    { "ACL WHOAMI", "$8\r\ncn:alice\r\n" },
    { "ACL USERS", "*1\r\n$7\r\ndefault\r\n" },
    { "ACL LIST", "*1\r\n$29\r\nuser default on ~* &* +@all\r\n" },
    { "ACL GETUSER nobody", "$-1\r\n" },
    { "ACL SETUSER newuser", "+OK\r\n" },
    { "ACL LIST",
      "*2\r\n$29\r\nuser default on ~* &* +@all\r\n$40\r\nuser newuser off resetchannels -@all\r\n" },
    { "ACL SETUSER \"a a\"", "-ERR Usernames can't contain spaces or null characters\r\n" },
    { "ACL SETUSER \"a\\0a\"", "-ERR Usernames can't contain spaces or null characters\r\n" },
    { "ACL SETUSER *",
      "-ERR A pattern of identities begins with a kind: uri:, dns:, email: or cn:\r\n" },
    { "ACL SETUSER newuser +nosuch",
      "-ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL\r\n" },
    { "ACL SETUSER newuser (this-is-invalid)",
      "-ERR Error in ACL SETUSER modifier '(this-is-invalid)': Syntax error\r\n" },
    { "ACL SETUSER newuser (+get ~a",
      "-ERR Unmatched parenthesis in acl selector starting at '(+get'.\r\n" },
    { "ACL SETUSER newuser on >secret",
      "-ERR Error in ACL SETUSER modifier '>(hidden)': There are no passwords here: a client is who its "
      "certificate says\r\n" },
    { "ACL GETUSER newuser", "*12\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$9\r\npasswords\r\n*0\r\n"
                             "$8\r\ncommands\r\n$5\r\n-@all\r\n$4\r\nkeys\r\n$0\r\n\r\n"
                             "$8\r\nchannels\r\n$0\r\n\r\n$9\r\nselectors\r\n*0\r\n" },
    { "ACL DELUSER newuser nobody", ":1\r\n" },
    { "ACL DELUSER newuser", ":0\r\n" },
    { "ACL DELUSER default", "-ERR The 'default' user cannot be removed\r\n" },
    { "ACL DELUSER newuser default", "-ERR The 'default' user cannot be removed\r\n" },
    { "ACL SETUSER cn:bob on nopass %R~a ~b (+get ~c) &ch keyspace=k db=0,2-3 \"issuer=CN=My CA\"",
      "+OK\r\n" },
    { "ACL GETUSER cn:bob",
      "*18\r\n$5\r\nflags\r\n*2\r\n$2\r\non\r\n$6\r\nnopass\r\n$9\r\npasswords\r\n*0\r\n"
      "$8\r\ncommands\r\n$5\r\n-@all\r\n$4\r\nkeys\r\n$7\r\n%R~a ~b\r\n$8\r\nchannels\r\n$3\r\n&ch\r\n"
      "$9\r\nselectors\r\n*1\r\n*6\r\n$8\r\ncommands\r\n$10\r\n-@all +get\r\n$4\r\nkeys\r\n$2\r\n~c\r\n"
      "$8\r\nchannels\r\n$0\r\n\r\n$6\r\nissuer\r\n$8\r\nCN=My CA\r\n$8\r\nkeyspace\r\n$1\r\nk\r\n"
      "$9\r\ndatabases\r\n$5\r\n0,2-3\r\n" },
    { "ACL CAT nosuch", "-ERR Unknown category 'nosuch'\r\n" },
    { "ACL CAT transaction",
      "*5\r\n$7\r\ndiscard\r\n$4\r\nexec\r\n$5\r\nmulti\r\n$7\r\nunwatch\r\n$5\r\nwatch\r\n" },
    { "ACL CAT geo", "*0\r\n" },
    { "ACL CAT a b", "-ERR wrong number of arguments for 'acl|cat' command\r\n" },
    { "ACL LOAD",
      "-ERR This Redis instance is not configured to use an ACL file. You may want to start "
      "cofre-core with --acl-file FILE.\r\n" },
    { "ACL SAVE",
      "-ERR This Redis instance is not configured to use an ACL file. You may want to start "
      "cofre-core with --acl-file FILE.\r\n" },
    { "ACL GENPASS -236",
      "-ERR ACL GENPASS argument must be the number of bits for the output password, a "
      "positive number up to 4096\r\n" },
    { "ACL GENPASS 4097",
      "-ERR ACL GENPASS argument must be the number of bits for the output password, a "
      "positive number up to 4096\r\n" },
    { "ACL GENPASS x", "-ERR value is not an integer or out of range\r\n" },
    { "ACL HELP x", "-ERR wrong number of arguments for 'acl|help' command\r\n" },
    { "ACL NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try ACL HELP.\r\n" },
    /* DRYRUN: users, and identities that no user is named after */
    { "ACL SETUSER dry +@all %R~read* %W~write* %RW~rw*", "+OK\r\n" },
    { "ACL DRYRUN dry GET read", "+OK\r\n" },
    { "ACL DRYRUN dry GET write",
      "$60\r\nThis user has no permissions to access the 'write' key\r\n" },
    { "ACL DRYRUN dry CONFIG GET x", "+OK\r\n" },
    { "ACL DRYRUN dry CONFIG NOSUCH x", "-ERR Command 'CONFIG' not found\r\n" },
    { "ACL DRYRUN nobody GET read", "-ERR User 'nobody' not found\r\n" },
    { "ACL DRYRUN dry nosuch read", "-ERR Command 'nosuch' not found\r\n" },
    { "ACL DRYRUN dry SET v", "-ERR wrong number of arguments for 'set' command\r\n" },
    { "ACL DRYRUN dry SET", "-ERR wrong number of arguments for 'set' command\r\n" },
    { "ACL SETUSER cn:p* ~p +get", "+OK\r\n" },
    { "ACL DRYRUN cn:paul GET p", "+OK\r\n" },
    { "ACL DRYRUN cn:paul SET p v",
      "$58\r\nThis user has no permissions to run the 'set' command\r\n" },
    { "ACL DRYRUN cn:anna SET p v", "+OK\r\n" }, /* the default user */
    /* LOG */
    { "ACL LOG", "*0\r\n" },
    { "AUTH cn:bob x", NULL },
    { "ACL LOG",
      "*1\r\n*14\r\n$5\r\ncount\r\n:1\r\n$6\r\nreason\r\n$4\r\nauth\r\n$7\r\ncontext\r\n"
      "$8\r\ntoplevel\r\n$6\r\nobject\r\n$4\r\nAUTH\r\n$8\r\nusername\r\n$6\r\ncn:bob\r\n"
      "$11\r\nage-seconds\r\n$1\r\n0\r\n$11\r\nclient-info\r\n$4\r\nid=7\r\n" },
    { "ACL LOG 0", "*0\r\n" },
    { "ACL LOG -5", "*0\r\n" },
    { "ACL LOG x", "-ERR value is not an integer or out of range\r\n" },
    { "ACL LOG 1 2", "-ERR wrong number of arguments for 'acl|log' command\r\n" },
    { "ACL LOG reset", "+OK\r\n" },
    { "ACL LOG", "*0\r\n" },
};

static const struct step resp3_steps[] = {
    { "HELLO 3", NULL },
    { "ACL GETUSER nobody", "_\r\n" },
    { "ACL SETUSER cn:bob on (+get ~c)", "+OK\r\n" },
    { "ACL GETUSER cn:bob",
      "%6\r\n$5\r\nflags\r\n~1\r\n$2\r\non\r\n$9\r\npasswords\r\n*0\r\n$8\r\ncommands\r\n$5\r\n-@all\r\n"
      "$4\r\nkeys\r\n$0\r\n\r\n$8\r\nchannels\r\n$0\r\n\r\n$9\r\nselectors\r\n*1\r\n%3\r\n"
      "$8\r\ncommands\r\n$10\r\n-@all +get\r\n$4\r\nkeys\r\n$2\r\n~c\r\n$8\r\nchannels\r\n$0\r\n\r\n" },
    { "AUTH cn:bob x", NULL },
    { "@now 1700000001500", "" },
    { "ACL LOG 1",
      "*1\r\n%7\r\n$5\r\ncount\r\n:1\r\n$6\r\nreason\r\n$4\r\nauth\r\n$7\r\ncontext\r\n"
      "$8\r\ntoplevel\r\n$6\r\nobject\r\n$4\r\nAUTH\r\n$8\r\nusername\r\n$6\r\ncn:bob\r\n"
      "$11\r\nage-seconds\r\n,1.5\r\n$11\r\nclient-info\r\n$4\r\nid=7\r\n" },
};

/* same_but_lengths: bulk lengths in these tables are for the eye; the bytes behind them are what counts. */
static bool same_but_lengths(struct slice got, const char *want)
{
    size_t i = 0;
    while (i < got.len && *want != '\0') {
        if (got.p[i] != (uint8_t)*want) {
            return false;
        }
        const bool length = got.p[i] == '$' && (i == 0 || got.p[i - 1] == '\n') && want[1] != '-';
        i++;
        want++;
        while (length && i < got.len && got.p[i] >= '0' && got.p[i] <= '9') {
            i++;
        }
        while (length && *want >= '0' && *want <= '9') {
            want++;
        }
    }
    return i == got.len && *want == '\0';
}

static void run_steps(const struct step *steps, size_t count)
{
    struct fake *f = fake_new();
    for (size_t i = 0; i < count; i++) {
        const struct slice got = fake_line(f, steps[i].line);
        if (steps[i].reply != NULL && !same_but_lengths(got, steps[i].reply)) {
            fail_msg("%s\n  got  %.*s\n  want %s", steps[i].line, (int)got.len, (const char *)got.p,
                     steps[i].reply);
        }
    }
    fake_free(f);
}

static void test_replies(void **state)
{
    (void)state;
    run_steps(resp2_steps, ARRAY_SIZE(resp2_steps));
    run_steps(resp3_steps, ARRAY_SIZE(resp3_steps));
}

static void test_only_changes_are_told(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    fake_line(f, "ACL SETUSER cn:bob +nosuch");
    fake_line(f, "ACL DELUSER cn:bob");
    fake_line(f, "ACL DRYRUN default GET k");
    assert_int_equal(fake_acl_changes(f), 0);
    fake_line(f, "ACL SETUSER cn:bob +get");
    fake_line(f, "ACL DELUSER cn:bob");
    assert_int_equal(fake_acl_changes(f), 2);
    fake_free(f);
}

static void test_genpass(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    assert_int_equal(fake_line(f, "ACL GENPASS").len, sizeof("$64\r\n\r\n") - 1 + 64);
    assert_int_equal(fake_line(f, "ACL GENPASS 5").len, sizeof("$2\r\n\r\n") - 1 + 2);
    assert_int_equal(fake_line(f, "ACL GENPASS 4096").len, sizeof("$1024\r\n\r\n") - 1 + 1024);
    fake_free(f);
}

/* FIND shows values: only of keys that the user may read. SCAN and KEYS show names, as in Redis. */
static void test_find_shows_what_may_be_read(void **state)
{
    struct fake *f = fake_new();
    (void)state;
    fake_line(f, "MSET a:1 secret b:1 secret");
    fake_line(f, "ACL SETUSER cn:alice on +@all %R~b* &*");
    struct slice got = fake_line(f, "FIND secret");
    assert_true(slice_eq(got, SLICE("*2\r\n$1\r\n0\r\n*2\r\n$3\r\nb:1\r\n$6\r\nsecret\r\n")));
    got = fake_line(f, "KEYS *");
    assert_true(slice_starts_with(got, SLICE("*2\r\n")));
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_only_changes_are_told),
        cmocka_unit_test(test_genpass),
        cmocka_unit_test(test_find_shows_what_may_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
