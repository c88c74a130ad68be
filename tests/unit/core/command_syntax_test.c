/*
 * command_syntax_test: the notation of `syntax`, written back in a form that shows the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "command_docs.h"

static void show_run(struct buf *out, const struct syntax *s, int first);

/* show_arg writes token:name, ? for optional, + for multiple, (...) for a block, <...> for a choice. */
static void show_arg(struct buf *out, const struct syntax *s, const struct syntax_arg *arg)
{
    if (arg->token.len > 0) {
        buf_printf(out, "%.*s", (int)arg->token.len, (const char *)arg->token.p);
    }
    if (arg->token.len > 0 && arg->type != SYNTAX_PURE_TOKEN) {
        buf_printf(out, ":");
    }
    if (arg->type == SYNTAX_BLOCK || arg->type == SYNTAX_ONEOF) {
        buf_printf(out, arg->type == SYNTAX_BLOCK ? "(" : "<");
        show_run(out, s, arg->first_child);
        buf_printf(out, arg->type == SYNTAX_BLOCK ? ")" : ">");
    } else if (arg->type != SYNTAX_PURE_TOKEN) {
        buf_printf(out, "%.*s", (int)arg->name.len, (const char *)arg->name.p);
    }
    buf_printf(out, "%s%s", arg->optional ? "?" : "", arg->multiple ? "+" : "");
}

static void show_run(struct buf *out, const struct syntax *s, int first)
{
    for (int i = first; i >= 0; i = s->args[i].next) {
        buf_printf(out, i == first ? "" : " ");
        show_arg(out, s, &s->args[i]);
    }
}

/* text; its tree, or NULL when it does not follow the notation */
static const struct {
    const char *text;
    const char *tree;
} rows[] = {
    { "", "" },
    { "key", "key" },
    { "key value", "key value" },
    { "[message]", "message?" },
    { "[username] password", "username? password" },
    { "key [key ...]", "key+" },
    { "[section [section ...]]", "section?+" },
    { "key value [key value ...]", "(key value)+" },
    { "[ASYNC | SYNC]", "<ASYNC SYNC>?" },
    { "key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL]",
      "key value <NX XX>? GET? <EX:seconds PX:milliseconds KEEPTTL>?" },
    { "cursor [MATCH pattern] [COUNT count]", "cursor MATCH:pattern? COUNT:count?" },
    { "[protover [AUTH username password] [SETNAME clientname]]",
      "(protover AUTH:(username password)? SETNAME:clientname?)?" },
    { "[TYPE <NORMAL | MASTER>] [ID client-id [client-id ...]]",
      "TYPE:<NORMAL MASTER>? ID:client-id?+" },
    { "<LIB-NAME libname | LIB-VER libver>", "<LIB-NAME:libname LIB-VER:libver>" },
    { "a b c [b c ...]", "a (b c)+" },
    { "[", NULL },
    { "]", NULL },
    { "[]", NULL },
    { "[a", NULL },
    { "<a | >", NULL },
    { "a | b", NULL },
    { "a ]", NULL },
    { "[a>", NULL },
    { "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a "
      "a a a a",
      NULL },
};

static void test_syntax(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct syntax syntax;
        struct buf out;
        buf_init(&out, 4096);
        enum err err = syntax_parse(rows[i].text, &syntax);
        if (err == ERR_OK) {
            show_run(&out, &syntax, syntax.first);
        }
        buf_append(&out, "", 1);
        if (rows[i].tree == NULL
                ? err == ERR_OK
                : err != ERR_OK || strcmp((char *)buf_slice(&out).p, rows[i].tree) != 0) {
            fail_msg("%s: %s", rows[i].text, (const char *)buf_slice(&out).p);
        }
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_syntax) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
