/* docs: syntax, hints and completion from COMMAND DOCS as Redis 7 answers it, in RESP2; and from nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "docs.h"
#include "support.h"

/* name, or name and flag, type and token, of one argument */
#define ARG(name, type) "*4\r\n+name\r\n+" name "\r\n+type\r\n+" type "\r\n"
#define TOKEN(name, token) \
    "*6\r\n+name\r\n+" name "\r\n+type\r\n+pure-token\r\n+token\r\n+" token "\r\n"
#define FLAGS(flag) "+flags\r\n*1\r\n+" flag "\r\n"

static const char set_like[] =
    "*6\r\n"
    "+set\r\n*6\r\n+summary\r\n+Sets it\r\n+group\r\n+string\r\n+arguments\r\n*5\r\n" ARG("key",
                                                                                          "key")
        ARG("value", "string") "*8\r\n+name\r\n+condition\r\n+type\r\n+oneof\r\n" FLAGS(
            "optional") "+arguments\r\n*2\r\n" TOKEN("nx", "NX")
            TOKEN("xx", "XX") "*8\r\n+name\r\n+get\r\n+type\r\n+pure-token\r\n+token\r\n+GET\r\n" FLAGS("optional") "*8\r\n+name\r\n+seconds\r\n+type\r\n+integer\r\n+token\r\n+EX\r\n" FLAGS("optional") "+mget\r\n*2\r\n+arguments\r\n*1\r\n*6\r\n+name\r\n+key\r\n+type\r\n+key\r\n" FLAGS(
                "multiple") "+config\r\n*4\r\n+summary\r\n+Container\r\n+subcommands\r\n*4\r\n+config|get\r\n*4\r\n+summary\r\n+Gets\r\n+arguments\r\n*1\r\n" ARG("parameter",
                                                                                                                                                                  "string") "+config|set\r\n*0\r\n";

struct fixture {
    struct docs *docs;
    struct buf out;
};

static int set_up(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    struct reply *reply = reply_of(set_like);
    assert_non_null(reply);
    f->docs = docs_new(reply);
    buf_init(&f->out, 1 << 16);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    docs_free(f->docs);
    buf_release(&f->out);
    free(f);
    return 0;
}

static void check_hint(struct fixture *f, const char *line, const char *hint)
{
    struct words w;
    words_split_partial(slice_of(line), &w);
    buf_clear(&f->out);
    docs_hint(f->docs, &w, &f->out);
    buf_append(&f->out, "", 1);
    assert_string_equal((const char *)buf_slice(&f->out).p, hint);
    words_release(&w);
}

static void test_hint(void **state)
{
    struct fixture *f = *state;
    check_hint(f, "", "");
    check_hint(f, "se", "");
    check_hint(f, "set", "");
    check_hint(f, "set ", "key value [NX | XX] [GET] [EX seconds]");
    check_hint(f, "SET k", "value [NX | XX] [GET] [EX seconds]");
    check_hint(f, "set k v ", "[NX | XX] [GET] [EX seconds]");
    check_hint(f, "set k v xx ", "[GET] [EX seconds]");
    check_hint(f, "set k v NX get ex 10", "");
    check_hint(f, "mget a b ", "key [key ...]");
    check_hint(f, "config ", "subcommand");
    check_hint(f, "config get ", "parameter");
    check_hint(f, "nosuch ", "");
}

static void collect(struct slice candidate, void *arg)
{
    struct buf *out = arg;
    buf_append_slice(out, candidate);
    buf_printf(out, " ");
}

static void check_completion(struct fixture *f, const char *line, const char *words)
{
    struct words w;
    words_split_partial(slice_of(line), &w);
    buf_clear(&f->out);
    docs_complete(f->docs, &w, collect, &f->out);
    buf_append(&f->out, "", 1);
    assert_string_equal((const char *)buf_slice(&f->out).p, words);
    words_release(&w);
}

static void test_completion(void **state)
{
    struct fixture *f = *state;
    check_completion(f, "", "CONFIG MGET SET ");
    check_completion(f, "s", "SET ");
    check_completion(f, "x", "");
    check_completion(f, "config ", "GET SET ");
    check_completion(f, "config s", "SET ");
    check_completion(f, "set k v ", "NX XX GET EX ");
    check_completion(f, "set k v g", "GET ");
    check_completion(f, "set k v nx e", "EX ");
    check_completion(f, "set k v nx x", "");
    check_completion(f, "nosuch ", "");
}

static void test_help(void **state)
{
    struct fixture *f = *state;
    struct slice set[] = { SLICE("set") };
    struct slice nosuch[] = { SLICE("nosuch") };
    assert_int_equal(docs_help(f->docs, set, 1, &f->out), ERR_OK);
    buf_append(&f->out, "", 1);
    assert_string_equal(
        (const char *)buf_slice(&f->out).p,
        "\n  SET key value [NX | XX] [GET] [EX seconds]\n  summary: Sets it\n  group: string\n\n");
    assert_int_equal(docs_help(f->docs, nosuch, 1, &f->out), ERR_NOT_FOUND);
}

/* Whatever a server answers to COMMAND DOCS, the prompt works. */
static void test_nonsense(void **state)
{
    (void)state;
    static const char *const replies[] = {
        "-ERR unknown command\r\n",
        "+OK\r\n",
        "$-1\r\n",
        "*0\r\n",
        "*1\r\n+set\r\n",
        "*2\r\n+set\r\n+x\r\n",
        "*2\r\n:1\r\n*0\r\n",
        "*2\r\n+set\r\n*2\r\n+arguments\r\n+x\r\n",
        "*2\r\n+set\r\n*2\r\n+arguments\r\n*2\r\n+x\r\n*2\r\n+flags\r\n:1\r\n",
        "*2\r\n+set\r\n*2\r\n+subcommands\r\n*3\r\n:1\r\n:2\r\n:3\r\n",
        "%1\r\n+set\r\n%1\r\n+subcommands\r\n%1\r\n:1\r\n*0\r\n",
    };
    static const char *const lines[] = { "", "s", "set", "set ", "set a ", "set a b c" };
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
        struct fixture f = { .docs = docs_new(reply_of(replies[i])) };
        struct slice set[] = { SLICE("set") };
        buf_init(&f.out, 1 << 16);
        for (size_t k = 0; k < ARRAY_SIZE(lines); k++) {
            struct words w;
            words_split_partial(slice_of(lines[k]), &w);
            docs_hint(f.docs, &w, &f.out);
            docs_complete(f.docs, &w, collect, &f.out);
            words_release(&w);
        }
        docs_list(f.docs, &f.out);
        (void)!docs_help(f.docs, set, 1, &f.out);
        buf_release(&f.out);
        docs_free(f.docs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_completion, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_help, set_up, tear_down),
        cmocka_unit_test(test_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
