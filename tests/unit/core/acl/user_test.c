/* Users: names, good and bad rules, and that a description makes the same user again. */
#include "support.h"

/* --- names ------------------------------------------------------------------------------------ */

static void test_names(void **state)
{
    static const struct {
        struct slice name;
        int kind; /* -1: refused */
    } rows[] = {
        { SLICE("default"), ACL_NAME_DEFAULT },
        { SLICE("cn:alice"), ACL_NAME_EXACT },
        { SLICE("cn:Andrei Silva"), ACL_NAME_EXACT },
        { SLICE("uri:spiffe://prod/web"), ACL_NAME_EXACT },
        { SLICE("dns:web.internal"), ACL_NAME_EXACT },
        { SLICE("email:a@b"), ACL_NAME_EXACT },
        { SLICE("uri:spiffe://prod/*"), ACL_NAME_GLOB },
        { SLICE("cn:*"), ACL_NAME_GLOB },
        { SLICE("cn:a?"), ACL_NAME_GLOB },
        { SLICE("cn:[ab]"), ACL_NAME_GLOB },
        { SLICE("dns:\\*.internal"), ACL_NAME_GLOB },
        { SLICE("alice"), ACL_NAME_NOBODY },
        { SLICE("CN:alice"), ACL_NAME_NOBODY },
        { SLICE("app:web"), ACL_NAME_NOBODY },
        { SLICE("*"), -1 },
        { SLICE("*:alice"), -1 },
        { SLICE("c?:alice"), -1 },
        { SLICE("uri*"), -1 },
        { SLICE("[cu]n:alice"), -1 },
        { SLICE(""), -1 },
        { SLICE("cn:"), -1 },
        { SLICE("a a"), -1 },
        { SLICE("cn:a\0b"), -1 },
        { SLICE("cn:a\nb"), -1 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        enum acl_name_kind kind;
        const char *error = acl_name_check(rows[i].name, &kind);
        assert_int_equal(error == NULL ? (int)kind : -1, rows[i].kind);
    }
}

static void test_overlong_names_are_refused(void **state)
{
    static uint8_t name[ACL_NAME_MAX + 1];
    enum acl_name_kind kind;
    (void)state;
    memset(name, 'a', sizeof(name));
    assert_null(acl_name_check((struct slice){ name, ACL_NAME_MAX }, &kind));
    assert_non_null(acl_name_check((struct slice){ name, ACL_NAME_MAX + 1 }, &kind));
}

/* --- rules ------------------------------------------------------------------------------------ */

/* What rules come to, as ACL LIST shows it. */
static const struct {
    const char *rules;
    const char *shown;
} good_rows[] = {
    { "", "off resetchannels -@all" },
    { "on", "on resetchannels -@all" },
    { "ON", "on resetchannels -@all" },
    { "on off", "off resetchannels -@all" },
    { "\"\" on", "on resetchannels -@all" },
    { "on ~* &* +@all", "on ~* &* +@all" },
    { "on allkeys allchannels allcommands", "on ~* &* +@all" },
    { "+@all nocommands", "off resetchannels -@all" },
    { "nopass", "off nopass resetchannels -@all" },
    { "nopass resetpass", "off resetchannels -@all" },
    { "sanitize-payload", "off sanitize-payload resetchannels -@all" },
    { "sanitize-payload skip-sanitize-payload", "off skip-sanitize-payload resetchannels -@all" },
    { "on nopass ~a +get (+set) reset", "off sanitize-payload resetchannels -@all" },
    /* keys */
    { "~a ~b*", "off ~a ~b* resetchannels -@all" },
    { "~a ~a", "off ~a resetchannels -@all" },
    { "%R~a %W~b %RW~c %wr~d", "off %R~a %W~b ~c ~d resetchannels -@all" },
    { "%R~foo %W~foo %RW~bar", "off ~foo ~bar resetchannels -@all" },
    { "%R~*", "off %R~* resetchannels -@all" },
    { "~a resetkeys ~b", "off ~b resetchannels -@all" },
    { "~* resetkeys ~b", "off ~b resetchannels -@all" },
    { "~a ~*", "off ~* resetchannels -@all" },
    { "~", "off ~ resetchannels -@all" },
    { "'~a\"b'", "off \"~a\\\"b\" resetchannels -@all" },
    /* channels */
    { "&a &b*", "off resetchannels &a &b* -@all" },
    { "&a &*", "off &* -@all" },
    { "&* resetchannels &a", "off resetchannels &a -@all" },
    /* commands */
    { "+get", "off resetchannels -@all +get" },
    { "+GET -get", "off resetchannels -@all" },
    { "+@all -get", "off resetchannels +@all -get" },
    { "+@all -get +get", "off resetchannels +@all" },
    { "+@READ", "off resetchannels -@all +@read" },
    { "+@all -@dangerous", "off resetchannels +@all -@dangerous" },
    { "+config", "off resetchannels -@all +config" },
    { "+config|get", "off resetchannels -@all +config|get" },
    { "+config -config|get", "off resetchannels -@all +config -config|get" },
    { "+config|get +config", "off resetchannels -@all +config" },
    { "+@all -client|list", "off resetchannels +@all -client|list" },
    { "+select|0", "off resetchannels -@all +select|0" },
    { "+select|0 +select|0 +select|1", "off resetchannels -@all +select|0 +select|1" },
    { "+select|0 +select", "off resetchannels -@all +select" },
    { "+select|0 -select", "off resetchannels -@all" },
    { "+select|0 -@all", "off resetchannels -@all" },
    /* selectors */
    { "(+get ~a)", "off resetchannels -@all (~a resetchannels -@all +get)" },
    { "( +get  ~a )", "off resetchannels -@all (~a resetchannels -@all +get)" },
    { "()", "off resetchannels -@all (resetchannels -@all)" },
    { "(~* &* +@all)", "off resetchannels -@all (~* &* +@all)" },
    { "(~a) (~b)", "off resetchannels -@all (~a resetchannels -@all) (~b resetchannels -@all)" },
    { "(~a) clearselectors", "off resetchannels -@all" },
    { "'(\"~a)\" +get)'", "off resetchannels -@all \"(~a) resetchannels -@all +get)\"" },
    /* ours */
    { "issuer=CN=CA", "off issuer=CN=CA resetchannels -@all" },
    { "'issuer=CN=My CA,O=Us'", "off \"issuer=CN=My CA,O=Us\" resetchannels -@all" },
    { "ISSUER=CN=CA resetissuer", "off resetchannels -@all" },
    { "keyspace=team-a", "off keyspace=team-a resetchannels -@all" },
    { "keyspace=a keyspace=b", "off keyspace=b resetchannels -@all" },
    { "keyspace=a resetkeyspace", "off resetchannels -@all" },
    { "db=0", "off db=0 resetchannels -@all" },
    { "db=0,2-4", "off db=0,2-4 resetchannels -@all" },
    { "db=4,3,2,0-1", "off db=0-4 resetchannels -@all" },
    { "db=1 db=2", "off db=2 resetchannels -@all" },
    { "db=1023", "off db=1023 resetchannels -@all" },
    { "db=1 alldbs", "off resetchannels -@all" },
    { "issuer=x keyspace=y db=1 reset", "off sanitize-payload resetchannels -@all" },
};

static void test_good_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good_rows); i++) {
        struct acl_user *u = user_of("cn:x", good_rows[i].rules);
        struct buf text;
        buf_init(&text, SIZE_MAX / 2);
        acl_user_describe(u, &text);
        assert_string_equal(text_of(&text), good_rows[i].shown);
        acl_user_unref(u);
        /* and what is shown makes the same user */
        u = user_of("cn:x", good_rows[i].shown);
        buf_clear(&text);
        acl_user_describe(u, &text);
        assert_string_equal(text_of(&text), good_rows[i].shown);
        acl_user_unref(u);
        buf_release(&text);
    }
}

#define SYNTAX   "Syntax error"
#define UNKNOWN  "Unknown command or category name in ACL"
#define KEYS     "Adding a pattern after the * pattern (or the 'allkeys' flag)"
#define CHANNELS "Adding a pattern after the * pattern (or the 'allchannels' flag)"
#define PASSWORD "There are no passwords here"

/* The rule that must be refused after those before it, and how the text begins. */
static const struct {
    const char *before;
    struct slice rule;
    const char *error;
} bad_rows[] = {
    { "", SLICE("this-is-invalid"), SYNTAX },
    { "", SLICE("get"), SYNTAX },
    { "", SLICE(")"), SYNTAX },
    { "", SLICE("("), SYNTAX },
    { "", SLICE(" () "), SYNTAX },
    { "", SLICE("(on)"), SYNTAX },
    { "", SLICE("((+get))"), SYNTAX },
    { "", SLICE("(\"+get)"), SYNTAX },
    { "", SLICE("(db=1)"), SYNTAX },
    { "", SLICE("+nosuch"), UNKNOWN },
    { "", SLICE("-nosuch"), UNKNOWN },
    { "", SLICE("+"), UNKNOWN },
    { "", SLICE("+@nosuch"), UNKNOWN },
    { "", SLICE("-@nosuch"), UNKNOWN },
    { "", SLICE("+@"), UNKNOWN },
    { "", SLICE("+config|nosuch"), UNKNOWN },
    { "", SLICE("-config|nosuch"), UNKNOWN },
    { "", SLICE("-select|0"), UNKNOWN },
    { "", SLICE("+get|a|b"), UNKNOWN },
    { "", SLICE("+config|"), SYNTAX },
    { "", SLICE("+|get"), UNKNOWN },
    { "", SLICE("+get\0x"), UNKNOWN },
    { "", SLICE("+config|get|appendonly"), "Allowing first-arg of a subcommand is not supported" },
    { "~*", SLICE("~a"), KEYS },
    { "~*", SLICE("%R~a"), KEYS },
    { "&*", SLICE("&a"), CHANNELS },
    { "", SLICE("(&* &fail)"), CHANNELS },
    { "", SLICE("~a b"), SYNTAX },
    { "", SLICE("~a\0b"), SYNTAX },
    { "", SLICE("&a b"), SYNTAX },
    { "", SLICE("%~a"), SYNTAX },
    { "", SLICE("%R"), SYNTAX },
    { "", SLICE("%RR~a"), SYNTAX },
    { "", SLICE("%X~a"), SYNTAX },
    { "", SLICE("%"), SYNTAX },
    { "", SLICE(">secret"), PASSWORD },
    { "", SLICE("<secret"), PASSWORD },
    { "", SLICE("#34344e4d60c2b6d639b7bd22e18f2b0b91bc34bf0ac5f9952744435093cfb4e6"), PASSWORD },
    { "", SLICE("!34344e4d60c2b6d639b7bd22e18f2b0b91bc34bf0ac5f9952744435093cfb4e6"), PASSWORD },
    { "", SLICE("issuer="), "issuer= needs an issuer" },
    { "", SLICE("issuer=a\nb"), SYNTAX },
    { "", SLICE("keyspace="), "keyspace= needs a name" },
    { "", SLICE("keyspace=a b"), "The name of a keyspace" },
    { "", SLICE("keyspace=\xff"), "The name of a keyspace" },
    { "", SLICE("keyspace=a\0b"), "The name of a keyspace" },
    { "", SLICE("db="), "db= is a list" },
    { "", SLICE("db=x"), "db= is a list" },
    { "", SLICE("db=1,"), "db= is a list" },
    { "", SLICE("db=,1"), "db= is a list" },
    { "", SLICE("db=-1"), "db= is a list" },
    { "", SLICE("db=4-2"), "db= is a list" },
    { "", SLICE("db=1-"), "db= is a list" },
    { "", SLICE("db=1024"), "db= is a list" },
    { "", SLICE("db=0-18446744073709551615"), "db= is a list" },
};

static void test_bad_rules_change_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad_rows); i++) {
        struct acl_user *u = user_of("cn:x", bad_rows[i].before);
        struct buf before;
        struct buf after;
        buf_init(&before, SIZE_MAX / 2);
        buf_init(&after, SIZE_MAX / 2);
        acl_user_describe(u, &before);
        const char *error = acl_user_apply(u, bad_rows[i].rule);
        assert_non_null(error);
        assert_memory_equal(error, bad_rows[i].error, strlen(bad_rows[i].error));
        acl_user_describe(u, &after);
        assert_string_equal(text_of(&after), text_of(&before));
        buf_release(&before);
        buf_release(&after);
        acl_user_unref(u);
    }
}

static void test_default_is_for_every_issuer(void **state)
{
    struct acl_user *u = acl_user_new(SLICE("default"), ACL_NAME_DEFAULT);
    (void)state;
    assert_string_equal(acl_user_apply(u, SLICE("issuer=CN=CA")),
                        "The default user is for every issuer");
    acl_user_unref(u);
}

/* --- descriptions of any set of commands -------------------------------------------------------- */

static void assert_same_commands(const struct acl_user *a, const struct acl_user *b)
{
    for (size_t id = 0; id < command_id_count(); id++) {
        assert_int_equal(acl_selector_bit(&a->selectors[0], id),
                         acl_selector_bit(&b->selectors[0], id));
    }
}

/* Whatever was allowed and taken away, in whatever order: the description says exactly that. */
static void test_random_rules_survive_a_round_trip(void **state)
{
    uint64_t random = 88172645463325252u; /* xorshift64 */
    (void)state;
    for (unsigned n = 0; n < 300; n++) {
        struct acl_user *u = acl_user_new(SLICE("cn:x"), ACL_NAME_EXACT);
        struct buf text;
        buf_init(&text, SIZE_MAX / 2);
        for (unsigned k = 0; k < n % 40; k++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            const bool allow = (random >> 40) & 1;
            const struct command *command =
                command_by_id((size_t)(random >> 8) % command_id_count());
            if (k % 9 == 8) {
                acl_selector_set_category(&u->selectors[0], UINT32_C(1) << (random >> 50) % 21,
                                          allow);
            } else if (k % 17 == 16) {
                assert_null(acl_user_apply(u, allow ? SLICE("+@all") : SLICE("-@all")));
            } else {
                acl_selector_set_command(&u->selectors[0], command, allow);
            }
        }
        acl_user_describe(u, &text);
        struct acl_user *again = user_of("cn:x", text_of(&text));
        assert_same_commands(u, again);
        acl_user_unref(again);
        acl_user_unref(u);
        buf_release(&text);
    }
}

static void test_unlimited_is_only_who_has_no_limit(void **state)
{
    static const struct {
        const char *rules;
        bool unlimited;
    } rows[] = {
        { "on ~* &* +@all", true },
        { "on ~* &* +@all keyspace=x", true },
        { "on ~* &* +@all issuer=x", true },
        { "~* &* +@all", false },
        { "on &* +@all", false },
        { "on %RW~* &* +@all", false },
        { "on ~* +@all", false },
        { "on ~* &* +@all -get", false },
        { "on ~* &* +@all -get +get", false },
        { "on ~* &* +@all db=0-15", false },
        { "on (~* &* +@all)", false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct acl_user *u = user_of("cn:x", rows[i].rules);
        assert_int_equal(u->unlimited, rows[i].unlimited);
        acl_user_unref(u);
    }
}

static void test_a_copy_is_a_user_of_its_own(void **state)
{
    struct acl_user *u =
        user_of("cn:x", "on ~a &b +get +select|0 (+set ~c) issuer=i keyspace=k db=3");
    struct acl_user *copy = acl_user_copy(u);
    struct buf a;
    struct buf b;
    (void)state;
    buf_init(&a, SIZE_MAX / 2);
    buf_init(&b, SIZE_MAX / 2);
    acl_user_line(u, &a);
    assert_null(acl_user_apply(u, SLICE("reset")));
    acl_user_line(copy, &b);
    assert_string_equal(text_of(&a), text_of(&b));
    acl_user_unref(u);
    acl_user_unref(copy);
    buf_release(&a);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_overlong_names_are_refused),
        cmocka_unit_test(test_good_rules),
        cmocka_unit_test(test_bad_rules_change_nothing),
        cmocka_unit_test(test_default_is_for_every_issuer),
        cmocka_unit_test(test_random_rules_survive_a_round_trip),
        cmocka_unit_test(test_unlimited_is_only_who_has_no_limit),
        cmocka_unit_test(test_a_copy_is_a_user_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
