/*
 * server: TIME, LOLWUT, and the form of HELP replies.
 */
#include "commands/commands.h"

#include <stdio.h>

void run_time(struct call *call)
{
    resp_array(call->reply, 2);
    resp_bulk_int(call->reply, call->now_ms / 1000);
    resp_bulk_int(call->reply, call->now_ms % 1000 * 1000);
}

/* run_lolwut: VERSION and its number are Redis's; there is one drawing, whatever the number. */
void run_lolwut(struct call *call)
{
    static const char drawing[] = "  .---------------.\n"
                                  "  |  .---------.  |\n"
                                  "  |  |  12   3 |  |\n"
                                  "  |  |   \\|/   |==|\n"
                                  "  |  |  9-O-4  |==|\n"
                                  "  |  |    6    |  |\n"
                                  "  |  '---------'  |\n"
                                  "  '-[]---------[]-'\n"
                                  "\n"
                                  "Cofre ver. " COFRE_VERSION "\n";
    int64_t version = 0;
    if (call->argc > 2 && call_arg_is(call, 1, "version") && !call_i64(call, 2, &version)) {
        return;
    }
    resp_verbatim(call->reply, "txt", slice_of(drawing));
}

void reply_help(struct call *call, const char *command, const char *const *lines, size_t count)
{
    char heading[80];
    snprintf(heading, sizeof(heading),
             "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", command);
    resp_array(call->reply, count + 3);
    resp_simple(call->reply, heading);
    for (size_t i = 0; i < count; i++) {
        resp_simple(call->reply, lines[i]);
    }
    resp_simple(call->reply, "HELP");
    resp_simple(call->reply, "    Prints this help.");
}
