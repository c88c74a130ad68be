/*
 * main: reads the options and runs the gateway.
 */
#include <signal.h>
#include <uv.h>

#include "base/log.h"
#include "gateway.h"

enum { EXIT_BAD_START = 2 };

int main(int argc, char **argv)
{
    argv = uv_setup_args(argc, argv);      /* so that the key holder can have a title of its own */
    static struct gateway_options options; /* what it points to lives as long as the process */
    if (options_parse(&options, argc, argv) != ERR_OK) {
        return EXIT_BAD_START;
    }
    log_setup("cofre-gateway", (enum log_level)options.log_level,
              (enum log_format)options.log_format);
    signal(SIGPIPE, SIG_IGN);
    return options.check ? gateway_check(&options) : gateway_run(&options);
}
