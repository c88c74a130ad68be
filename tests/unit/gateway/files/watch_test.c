/*
 * watch_test: which directories lead to a file, and that what changes in them is noticed, and nothing else.
 */
#include "test.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/stamp.h"
#include "files/watch.h"

enum {
    WAIT_MS = 5000,              /* for what must happen */
    SETTLE_MS = 120,             /* for the rest of what happened; more than WATCH_QUIET_MS */
    STILL_MS = 400,              /* for what must not; more than WATCH_PATIENT_MS */
    NEVER_MS = 24 * 3600 * 1000, /* a poll that does not come */
};

struct fixture {
    char root[PATH_MAX]; /* a new directory, without links; and we are in it */
    char before[PATH_MAX];
    char visited[4096]; /* one path a line, those in root from there */
    uv_loop_t loop;
    struct watch *watch;
    int changes;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char made[] = "/tmp/cofre-watch-XXXXXX";
    assert_non_null(mkdtemp(made));
    assert_non_null(realpath(made, f->root));
    assert_non_null(getcwd(f->before, sizeof(f->before)));
    assert_int_equal(chdir(f->root), 0);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    watch_close(f->watch);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0); /* every handle was closed */
    assert_int_equal(chdir(f->before), 0);
    assert_int_equal(nftw(f->root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(f);
    return 0;
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void must(int rc)
{
    assert_int_equal(rc, 0);
}

/* Following. */

static void visit(void *arg, const char *path)
{
    struct fixture *f = arg;
    size_t root = strlen(f->root);
    if (strncmp(path, f->root, root) == 0) {
        size_t len = strlen(f->visited);
        snprintf(f->visited + len, sizeof(f->visited) - len, "%s\n",
                 path[root] == '/' ? path + root + 1 : ".");
    }
}

static void leads(struct fixture *f, const char *path, const char *expect)
{
    f->visited[0] = '\0';
    watch_follow(path, visit, f);
    assert_string_equal(f->visited, expect);
}

static void test_every_directory_on_the_way(void **state)
{
    struct fixture *f = *state;
    char absolute[PATH_MAX + 16], text[PATH_MAX];
    must(mkdir("a", 0700));
    must(mkdir("a/b", 0700));
    must(mkdir("c", 0700));
    put("a/file", "");
    put("c/other", "");
    leads(f, "a/file", ".\na\na/file\n");
    leads(f, "./a//file", ".\na\na/file\n");
    leads(f, "a/b/../file", ".\na\na\na/file\n");
    snprintf(absolute, sizeof(absolute), "%s/a/file", f->root);
    leads(f, absolute, ".\na\na/file\n");

    must(symlink("../../c/other", "a/b/link"));
    leads(f, "a/b/link", ".\na\na/b\n.\nc\nc/other\n");
    snprintf(text, sizeof(text), "%.4000s/c", f->root);
    must(symlink(text, "a/far"));
    leads(f, "a/far/other", ".\na\n.\nc\nc/other\n");
    must(symlink("c", "a-directory"));
    leads(f, "a-directory/other", ".\n.\nc\nc/other\n");
    leads(f, "a-directory/../c/other", ".\n.\n.\nc\nc/other\n");
}

static void test_what_leads_nowhere(void **state)
{
    struct fixture *f = *state;
    char name[NAME_MAX + 2];
    char deep[PATH_MAX + 64];
    put("file", "");
    leads(f, "missing", ".\n");
    leads(f, "missing/file", ".\n");
    leads(f, "file/below", ".\nfile\n");
    leads(f, "", "");
    leads(f, ".", "");
    must(symlink("gone/file", "dangling"));
    leads(f, "dangling", ".\n.\n");

    must(symlink("turn", "round"));
    must(symlink("round", "turn"));
    f->visited[0] = '\0';
    watch_follow("round", visit, f); /* ends */
    assert_in_range(strlen(f->visited), 2, 2 * 42);

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    leads(f, name, "");
    for (size_t i = 0; i < sizeof(deep) - 2; i += 2) {
        memcpy(deep + i, "d/", 3);
    }
    watch_follow(deep, visit, f);
    put("long", "");
    must(unlink("long"));
    must(mkdir("d", 0700));
    must(symlink(".", "d/d"));
    watch_follow(deep, visit, f); /* more links than the kernel takes; ends */
    memset(deep, '/', sizeof(deep) - 1);
    leads(f, deep, "");
}

/* Noticing. */

static void on_changed(void *arg)
{
    struct fixture *f = arg;
    f->changes++;
    watch_arm(f->watch);
    uv_stop(&f->loop);
}

static void on_time(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void run_for(struct fixture *f, uint64_t ms)
{
    uv_timer_t timer;
    uv_timer_init(&f->loop, &timer);
    uv_timer_start(&timer, on_time, ms, 0);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

/* quiet runs until nothing is left to be noticed. */
static void quiet(struct fixture *f)
{
    int before;
    do {
        before = f->changes;
        run_for(f, SETTLE_MS);
    } while (f->changes != before);
}

static void noticed(struct fixture *f, const char *what)
{
    int before = f->changes;
    run_for(f, WAIT_MS);
    if (f->changes == before) {
        fail_msg("not noticed: %s", what);
    }
    quiet(f);
}

static void start(struct fixture *f, const char *path, uint64_t poll_ms)
{
    f->watch = watch_new(&f->loop, &path, 1, poll_ms, on_changed, f);
    watch_arm(f->watch);
    quiet(f);
}

static void test_a_file_that_changes(void **state)
{
    struct fixture *f = *state;
    must(mkdir("a", 0700));
    must(mkdir("far", 0700));
    put("a/file", "1");
    must(link("a/file", "far/same"));
    start(f, "a/file", NEVER_MS);
    put("a/file", "2");
    noticed(f, "a write in place");
    put("far/same", "3");
    noticed(f, "a write by another name of the file, as with a bind mount");
    put("a/new", "4");
    must(rename("a/new", "a/file"));
    noticed(f, "a rename over");
    must(chmod("a/file", 0400));
    noticed(f, "other permissions");
    must(unlink("a/file"));
    noticed(f, "its end");
    must(symlink("../far/same", "a/file"));
    noticed(f, "a link in its place");
    must(rename("a", "b"));
    noticed(f, "its directory's end");
    must(mkdir("a", 0700));
    put("a/file", "5");
    noticed(f, "another directory in its place");
    put("a/file", "6");
    noticed(f, "a write there");
}

static void test_a_link_that_turns(void **state)
{
    struct fixture *f = *state;
    must(mkdir("secret", 0700));
    must(mkdir("secret/..1", 0700));
    must(mkdir("secret/..2", 0700));
    put("secret/..1/file", "1");
    put("secret/..2/file", "2");
    must(symlink("..1", "secret/..data"));
    must(symlink("..data/file", "secret/file"));
    start(f, "secret/file", NEVER_MS);
    must(symlink("..2", "secret/..data_tmp"));
    must(rename("secret/..data_tmp", "secret/..data"));
    noticed(f, "..data");
    put("secret/..2/file", "3");
    noticed(f, "a write behind the link");
}

static void test_others_do_not_matter(void **state)
{
    struct fixture *f = *state;
    char name[32];
    put("file", "1");
    for (struct stamp s = stamp_take("file"); stamp_is_fresh(&s);) {
        usleep(50 * 1000); /* until its times tell all */
    }
    start(f, "file", NEVER_MS);
    int before = f->changes;
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "other%d", i);
        put(name, "x");
    }
    run_for(f, STILL_MS);
    assert_int_equal(f->changes, before);
}

/* inotify says nothing of a page that was written to. */
static void test_the_poll_sees_what_events_do_not(void **state)
{
    struct fixture *f = *state;
    put("file", "1");
    start(f, "file", 50);
    int fd = open("file", O_RDWR);
    char *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(page != MAP_FAILED);
    page[0] = '2';
    must(msync(page, 1, MS_SYNC));
    munmap(page, 1);
    noticed(f, "a mapped page");
    close(fd);
}

static void test_a_burst_is_one_change(void **state)
{
    struct fixture *f = *state;
    put("file", "0");
    start(f, "file", NEVER_MS);
    int before = f->changes;
    for (int i = 0; i < 50; i++) {
        put("file", i % 2 ? "odd" : "even");
    }
    noticed(f, "the burst");
    assert_in_range(f->changes - before, 1, 2);
}

static void test_stamps(void **state)
{
    (void)state;
    put("file", "1");
    struct stamp first = stamp_take("file");
    struct stamp again = stamp_take("file");
    assert_true(stamp_equal(&first, &again));
    assert_true(stamp_is_fresh(&first));
    put("file", "22");
    again = stamp_take("file");
    assert_false(stamp_equal(&first, &again));
    must(unlink("file"));
    first = stamp_take("file");
    assert_int_not_equal(first.error, 0);
    assert_false(stamp_equal(&first, &again));
    again = stamp_take("file");
    assert_true(stamp_equal(&first, &again));
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_every_directory_on_the_way), EACH(test_what_leads_nowhere),
        EACH(test_a_file_that_changes),        EACH(test_a_link_that_turns),
        EACH(test_others_do_not_matter),       EACH(test_the_poll_sees_what_events_do_not),
        EACH(test_a_burst_is_one_change),      EACH(test_stamps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
