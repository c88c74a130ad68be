/* Who an identity is: exact names, patterns by how specific they are, issuers, the default. */
#include "support.h"

static struct acl_set *set_of(const char *text)
{
    struct acl_set *set = NULL;
    struct acl_faults faults = { NULL, 0 };
    if (acl_parse(slice_of(text), &set, &faults) != ERR_OK) {
        fail_msg("line %zu: %s", faults.items[0].line, faults.items[0].text);
    }
    return set;
}

static const char users[] = "user cn:alice on\n"
                            "user cn:a* on\n"
                            "user cn:al* on\n"
                            "user cn:*ce on\n"
                            "user cn:* on\n"
                            "user uri:spiffe://prod/web on\n"
                            "user uri:spiffe://prod/* on\n"
                            "user uri:spiffe://*/web on\n"
                            "user uri:spiffe://prod/we? on\n"
                            "user uri:spiffe://prod/w?? on\n"
                            "user \"cn:Andrei Silva\" on\n"
                            "user dns:\\*.internal on\n"
                            "user dns:*.internal on\n"
                            "user email:bob@x issuer=CN=One on\n"
                            "user email:*@x on\n"
                            "user email:b* issuer=CN=Two on\n"
                            "user cn:off off\n"
                            "user default on\n";

static const struct {
    const char *identity;
    const char *issuer;
    const char *user;
} rows[] = {
    { "cn:alice", "", "cn:alice" },
    { "cn:alfred", "", "cn:al*" },
    { "cn:anna", "", "cn:a*" },
    { "cn:bernice", "", "cn:*ce" },
    { "cn:bob", "", "cn:*" },
    { "cn:Alice", "", "cn:*ce" },
    { "cn:Andrei Silva", "", "cn:Andrei Silva" },
    /* one that is off is who the client is, though others match */
    { "cn:off", "", "cn:off" },
    /* a pattern's own text is an identity like others */
    { "cn:*", "", "cn:*" },
    { "cn:a*", "", "cn:a*" },
    /* a kind is never left: a CN that reads like a URI is a CN */
    { "cn:uri:spiffe://prod/web", "", "cn:*" },
    { "cn:spiffe://prod/web", "", "cn:*" },
    { "dns:spiffe://prod/web", "", "default" },
    { "email:uri:spiffe://prod/web", "", "default" },
    { "uri:spiffe://prod/web", "", "uri:spiffe://prod/web" },
    { "uri:spiffe://prod/db", "", "uri:spiffe://prod/*" },
    { "uri:spiffe://test/web", "", "uri:spiffe://*/web" },
    { "uri:spiffe://prod/wex", "", "uri:spiffe://prod/we?" },
    { "uri:spiffe://prod/wax", "", "uri:spiffe://prod/w??" },
    { "uri:spiffe://prod/a/b", "", "uri:spiffe://prod/*" },
    { "uri:http://x", "", "default" },
    /* a backslash takes a star literally */
    { "dns:*.internal", "", "dns:\\*.internal" },
    { "dns:web.internal", "", "dns:*.internal" },
    { "dns:web.external", "", "default" },
    /* issuers: one that does not match is passed over */
    { "email:bob@x", "CN=One", "email:bob@x" },
    { "email:bob@x", "CN=Two", "email:b*" },
    { "email:bob@x", "CN=Three", "email:*@x" },
    { "email:bob@x", "", "email:*@x" },
    { "email:bob@x", "CN=On", "email:*@x" },
    { "email:ann@x", "CN=One", "email:*@x" },
    { "email:ann@y", "CN=One", "default" },
};

static void test_who_an_identity_is(void **state)
{
    struct acl_set *set = set_of(users);
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct acl_user *u =
            acl_set_match(set, slice_of(rows[i].identity), slice_of(rows[i].issuer));
        if (!slice_eq(u->name, slice_of(rows[i].user))) {
            fail_msg("%s is %.*s, not %s", rows[i].identity, (int)u->name.len,
                     (const char *)u->name.p, rows[i].user);
        }
    }
    acl_set_free(set);
}

/* Of two patterns with the same literal start the longer wins, then the first by its bytes; whatever the order of lines. */
static void test_order_of_lines_does_not_matter(void **state)
{
    static const char *const texts[] = {
        "user cn:a*c on\nuser cn:a* on\nuser cn:a*d on\nuser cn:a?? on\n",
        "user cn:a?? on\nuser cn:a*d on\nuser cn:a* on\nuser cn:a*c on\n",
    };
    static const struct {
        const char *identity;
        const char *user;
    } cases[] = {
        { "cn:abc", "cn:a*c" },
        { "cn:abd", "cn:a*d" },
        { "cn:abe", "cn:a\?\?" },
        { "cn:abbe", "cn:a*" },
    };
    (void)state;
    for (size_t t = 0; t < ARRAY_SIZE(texts); t++) {
        struct acl_set *set = set_of(texts[t]);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
            const struct acl_user *u =
                acl_set_match(set, slice_of(cases[i].identity), SLICE("CN=CA"));
            assert_true(slice_eq(u->name, slice_of(cases[i].user)));
        }
        acl_set_free(set);
    }
}

static void test_default_fails_closed(void **state)
{
    struct acl_set *open = acl_set_new(true);
    struct acl_set *closed = set_of("user cn:alice on ~* +@all\n");
    (void)state;
    assert_true(acl_set_match(open, SLICE("cn:bob"), SLICE(""))->unlimited);
    assert_false(acl_set_match(closed, SLICE("cn:bob"), SLICE(""))->on);
    assert_int_equal(acl_set_count(closed), 2);
    acl_set_free(open);
    acl_set_free(closed);
}

static void test_put_replaces_and_remove_forgets(void **state)
{
    struct acl_set *set = set_of("user cn:a* on\nuser cn:* on\n");
    struct acl_set *copy = acl_set_copy(set);
    (void)state;
    acl_set_put(set, user_of("cn:a*", "on ~x"));
    assert_int_equal(acl_set_count(set), 3);
    assert_int_equal(acl_set_match(set, SLICE("cn:ab"), SLICE(""))->selectors[0].keys.count, 1);
    assert_int_equal(acl_set_match(copy, SLICE("cn:ab"), SLICE(""))->selectors[0].keys.count, 0);
    assert_true(acl_set_remove(set, SLICE("cn:a*")));
    assert_false(acl_set_remove(set, SLICE("cn:a*")));
    assert_false(acl_set_remove(set, SLICE("default")));
    assert_true(slice_eq(acl_set_match(set, SLICE("cn:ab"), SLICE(""))->name, SLICE("cn:*")));
    acl_set_put(set, user_of("default", "on"));
    assert_true(acl_set_match(set, SLICE("uri:x"), SLICE(""))->on);
    acl_set_free(set);
    acl_set_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_an_identity_is),
        cmocka_unit_test(test_order_of_lines_does_not_matter),
        cmocka_unit_test(test_default_fails_closed),
        cmocka_unit_test(test_put_replaces_and_remove_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
