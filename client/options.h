/* options: what the command line and COFRE_* say. Texts live as long as the process. */
#ifndef COFRE_CLIENT_OPTIONS_H
#define COFRE_CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "output.h"

struct options {
    const char *host;
    int64_t port;
    const char *cert;
    const char *key;
    const char *cacert;
    const char *pin;
    const char *sni; /* NULL: host */
    int64_t db;
    int64_t timeout_ms;
    int protocol; /* 2 or 3 */
    enum output_form form;
    bool last_from_stdin;
};

/*
 * options_parse prints a clear line and returns ERR_INVALID when something is wrong (exit 2);
 * *operand is argv's index of the command, argc without one.
 */
MUST_CHECK enum err options_parse(struct options *o, int argc, char **argv, int *operand);

#endif
