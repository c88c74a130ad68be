/*
 * scripting: there is none, so there is nothing to flush, and the FLUSH with which test suites begin is answered OK. The
 * rest of SCRIPT and FUNCTION is refused (command_refused.c).
 */
#include "commands/commands.h"

static bool is_mode(const struct call *call, uint32_t i)
{
    return call_arg_is(call, i, "async") || call_arg_is(call, i, "sync");
}

void run_script_flush(struct call *call)
{
    if (call->argc == 2 || (call->argc == 3 && is_mode(call, 2))) {
        resp_ok(call->reply);
    } else {
        resp_error(call->reply, "ERR SCRIPT FLUSH only support SYNC|ASYNC option");
    }
}

void run_function_flush(struct call *call)
{
    if (call->argc > 3) {
        resp_error(call->reply,
                   "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try FUNCTION "
                   "HELP.",
                   (int)call->argv[1].len, (const char *)call->argv[1].p);
    } else if (call->argc == 2 || is_mode(call, 2)) {
        resp_ok(call->reply);
    } else {
        resp_error(call->reply, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    }
}
