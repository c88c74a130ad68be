/*
 * source_test: when sets are given, how long a bad one is waited for, and what is said of it.
 */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "files/source.h"

enum { WAIT_MS = 5000, STILL_MS = 500 };

struct fixture {
    char path[32];
    char log[32]; /* standard error goes there */
    int stderr_fd;
    const char *items[1];
    struct gateway_options options;
    uv_loop_t loop;
    struct source *source;
    const char *fault; /* the taker finds this wrong with each set; NULL: nothing */
    int taken, asked, refused;
};

static const char *const one = "-----BEGIN CERTIFICATE-----\nMQ==\n-----END CERTIFICATE-----\n";
static const char *const two = "-----BEGIN CERTIFICATE-----\nMg==\n-----END CERTIFICATE-----\n";
static const char *const half = "-----BEGIN CERTIFICATE-----\nMg==\n";

static void put(const struct fixture *f, const char *text)
{
    char fresh[48];
    snprintf(fresh, sizeof(fresh), "%s.new", f->path);
    FILE *file = fopen(fresh, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(fresh, f->path), 0);
}

static enum err take(void *arg, struct material *m, bool asked, struct load_error *why)
{
    struct fixture *f = arg;
    f->asked += asked;
    if (f->fault != NULL) {
        f->refused++;
        return load_error_set(why, "%s", f->fault);
    }
    f->taken++;
    material_free(m);
    uv_stop(&f->loop);
    return ERR_OK;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct material *m;
    struct load_error why;
    memcpy(f->path, "/tmp/cofre-source-XXXXXX", sizeof("/tmp/cofre-source-XXXXXX"));
    close(mkstemp(f->path));
    memcpy(f->log, "/tmp/cofre-source-XXXXXX", sizeof("/tmp/cofre-source-XXXXXX"));
    int log = mkstemp(f->log);
    f->items[0] = f->path;
    f->options.client_ca = (struct option_list){ f->items, 1 };
    put(f, one);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(material_read(&f->options, &m, &why), ERR_OK);
    f->source = source_new(&f->loop, &f->options, material_digest(m), take, f);
    material_free(m);
    f->stderr_fd = dup(STDERR_FILENO);
    dup2(log, STDERR_FILENO);
    close(log);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    dup2(f->stderr_fd, STDERR_FILENO);
    close(f->stderr_fd);
    source_close(f->source);
    while (uv_run(&f->loop, UV_RUN_DEFAULT) != 0) {
        /* a uv_stop from before the loop ran ends the first run */
    }
    assert_int_equal(uv_loop_close(&f->loop), 0);
    unlink(f->path);
    unlink(f->log);
    free(f);
    return 0;
}

/* said counts lines of the log that hold this. */
static int said(const struct fixture *f, const char *text)
{
    char line[1024];
    int count = 0;
    FILE *log = fopen(f->log, "r");
    assert_non_null(log);
    while (fgets(line, sizeof(line), log) != NULL) {
        count += strstr(line, text) != NULL;
    }
    fclose(log);
    return count;
}

static void on_time(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* run_for runs so long, or until a set is taken. */
static void run_for(struct fixture *f, uint64_t ms)
{
    uv_timer_t timer;
    uv_timer_init(&f->loop, &timer);
    uv_timer_start(&timer, on_time, ms, 0);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void test_only_what_changed_is_given(void **state)
{
    struct fixture *f = *state;
    run_for(f, STILL_MS);
    assert_int_equal(f->taken, 0);
    put(f, one);
    run_for(f, STILL_MS);
    assert_int_equal(f->taken, 0);
    put(f, two);
    run_for(f, WAIT_MS);
    assert_int_equal(f->taken, 1);
    run_for(f, STILL_MS);
    assert_int_equal(f->taken, 1);
    source_ask(f->source); /* whoever asks gets it, changed or not */
    assert_int_equal(f->taken, 2);
    assert_int_equal(f->asked, 1);
}

static void test_a_change_before_the_start(void **state)
{
    struct fixture *f = *state;
    put(f, two); /* the loop has not run yet */
    run_for(f, WAIT_MS);
    assert_int_equal(f->taken, 1);
}

static void test_a_half_written_file_is_waited_for(void **state)
{
    struct fixture *f = *state;
    put(f, half);
    run_for(f, 700);
    put(f, two);
    run_for(f, WAIT_MS);
    assert_int_equal(f->taken, 1);
    assert_int_equal(said(f, " error "), 0);
}

static void test_one_that_stays_bad_is_refused_once(void **state)
{
    struct fixture *f = *state;
    put(f, half);
    run_for(f, SOURCE_PATIENCE_MS - 300);
    assert_int_equal(said(f, "refused"), 0);
    run_for(f, 300 + 2 * SOURCE_MAX_PAUSE_MS);
    assert_int_equal(said(f, "still being written"), 1);
    put(f, half); /* the same mistake once more */
    run_for(f, SOURCE_PATIENCE_MS + 2 * SOURCE_MAX_PAUSE_MS);
    assert_int_equal(said(f, " error "), 1);
    put(f, one);
    run_for(f, STILL_MS);
    assert_int_equal(said(f, "can be used again"), 1);
    assert_int_equal(f->taken, 0); /* it is what was there before */
}

static void test_the_takers_word_counts(void **state)
{
    struct fixture *f = *state;
    f->fault = "the key does not fit";
    put(f, two);
    run_for(f, 700);
    assert_in_range(f->refused, 2, 6); /* with growing pauses */
    f->fault = NULL;
    run_for(f, WAIT_MS);
    assert_int_equal(f->taken, 1);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_only_what_changed_is_given),
        EACH(test_a_change_before_the_start),
        EACH(test_a_half_written_file_is_waited_for),
        EACH(test_one_that_stays_bad_is_refused_once),
        EACH(test_the_takers_word_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
