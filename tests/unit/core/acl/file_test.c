/* ACL files: mistakes are all told with their lines, what is written is read back, and a failed write leaves the old file. */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* faults: "LINE: text\n" for each, as they come */
static const struct {
    const char *text;
    const char *faults;
} rows[] = {
    { "", "" },
    { "\n \n\t\r\n", "" },
    { "# a comment\nuser cn:alice on\n#", "" },
    { "user cn:alice on ~* +@all\r\nuser default off", "" },
    { "user alice on nopass ~* &* +@all", "" },
    { "user cn:a on\nuser cn:a off\n", "2: Duplicate user 'cn:a' found\n" },
    { "user default on\nuser default on\n", "2: Duplicate user 'default' found\n" },
    { "cn:alice on\n", "1: should start with user keyword followed by the username\n" },
    { "user\n", "1: should start with user keyword followed by the username\n" },
    { "USER cn:a\n", "1: should start with user keyword followed by the username\n" },
    { "user \"cn:a on\n", "1: unbalanced quotes in acl line\n" },
    { "user cn:a (+get ~x\n", "1: Unmatched parenthesis in selector definition\n" },
    { "user * on\n",
      "1: username '*' is not valid: A pattern of identities begins with a kind: uri:, dns:, "
      "email: or cn:\n" },
    { "user \"a b\" on\n",
      "1: username 'a b' is not valid: Usernames can't contain spaces or null characters\n" },
    { "user cn:a >secret on\n",
      "1: Error in applying operation '>(hidden)': There are no passwords here: a "
      "client is who its certificate says\n" },
    { "user cn:a on\n\nuser cn:b +nosuch\nuser cn:c ~* ~x\nuser cn:d off\nx\n",
      "3: Error in applying operation '+nosuch': Unknown command or category name in ACL\n"
      "4: Error in applying operation '~x': Adding a pattern after the * pattern (or the 'allkeys' flag) is not "
      "valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns\n"
      "6: should start with user keyword followed by the username\n" },
};

static void test_mistakes_are_told_with_their_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct acl_set *set = NULL;
        struct acl_faults faults = { NULL, 0 };
        struct buf text;
        buf_init(&text, SIZE_MAX / 2);
        const enum err err = acl_parse(slice_of(rows[i].text), &set, &faults);
        for (size_t k = 0; k < faults.count; k++) {
            buf_printf(&text, "%zu: %s\n", faults.items[k].line, faults.items[k].text);
        }
        assert_string_equal(text_of(&text), rows[i].faults);
        assert_int_equal(err, faults.count > 0 ? ERR_INVALID : ERR_OK);
        assert_int_equal(set != NULL, faults.count == 0);
        acl_set_free(set);
        acl_faults_release(&faults);
        buf_release(&text);
    }
}

static const char round_trip[] =
    "user \"cn:Andrei Silva\" on \"issuer=CN=My CA,O=Us\" ~a* resetchannels &c -@all +get +select|0 "
    "(%R~b resetchannels -@all +get) \"(\\\"~c\\\\\\\"d\\\" resetchannels -@all)\"\n"
    "user default off resetchannels -@all\n"
    "user uri:spiffe://prod/* on keyspace=prod db=0,2-4 ~* &* +@all -flushall\n";

static void test_a_set_is_read_back(void **state)
{
    struct acl_set *set = NULL;
    struct acl_faults faults = { NULL, 0 };
    struct buf text;
    (void)state;
    buf_init(&text, SIZE_MAX / 2);
    assert_int_equal(acl_parse(slice_of(round_trip), &set, &faults), ERR_OK);
    acl_set_text(set, &text);
    assert_string_equal(text_of(&text), round_trip);
    acl_set_free(set);
    buf_release(&text);
}

/* --- on disk ---------------------------------------------------------------------------------- */

struct folder {
    char path[64];
    char file[96];
};

static int make_folder(void **state)
{
    struct folder *f = mem_zalloc(sizeof(*f));
    snprintf(f->path, sizeof(f->path), "%s", "acl-file-test-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    snprintf(f->file, sizeof(f->file), "%s/users.acl", f->path);
    *state = f;
    return 0;
}

static int remove_folder(void **state)
{
    struct folder *f = *state;
    unlink(f->file);
    const int rc = rmdir(f->path); /* fails when something was left beside the file */
    free(f);
    return rc;
}

static void put_file(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fchmod(fileno(f), mode), 0);
    fclose(f);
}

static void test_a_file_is_replaced_whole(void **state)
{
    const struct folder *f = *state;
    struct acl_set *set = NULL;
    struct acl_set *again = NULL;
    struct acl_faults faults = { NULL, 0 };
    struct stat st;
    char why[256];
    put_file(f->file, round_trip, 0604);
    assert_int_equal(acl_read_file(f->file, &set, &faults), ERR_OK);
    assert_true(acl_set_remove(set, SLICE("uri:spiffe://prod/*")));
    assert_int_equal(acl_write_file(f->file, set, why, sizeof(why)), ERR_OK);
    assert_int_equal(stat(f->file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
    assert_int_equal(acl_read_file(f->file, &again, &faults), ERR_OK);
    assert_int_equal(acl_set_count(again), 2);
    acl_set_free(set);
    acl_set_free(again);
}

static void test_what_cannot_be_read_or_written_says_why(void **state)
{
    const struct folder *f = *state;
    struct acl_set *set = acl_set_new(true);
    struct acl_set *none = NULL;
    struct acl_faults faults = { NULL, 0 };
    char missing[128];
    char why[256] = "";
    snprintf(missing, sizeof(missing), "%s/no/such.acl", f->path);
    assert_int_equal(acl_read_file(missing, &none, &faults), ERR_SYSTEM);
    assert_int_equal(faults.count, 1);
    assert_int_equal(faults.items[0].line, 0);
    assert_non_null(strstr(faults.items[0].text, strerror(ENOENT)));
    acl_faults_release(&faults);
    assert_int_equal(acl_read_file(f->path, &none, &faults), ERR_SYSTEM); /* a folder */
    acl_faults_release(&faults);
    assert_int_equal(acl_write_file(missing, set, why, sizeof(why)), ERR_SYSTEM);
    assert_non_null(strstr(why, strerror(ENOENT)));
    acl_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_are_told_with_their_lines),
        cmocka_unit_test(test_a_set_is_read_back),
        cmocka_unit_test_setup_teardown(test_a_file_is_replaced_whole, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read_or_written_says_why, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
