/*
 * gateway: the process as a whole: what main starts, and what its signals do.
 */
#ifndef COFRE_GATEWAY_GATEWAY_H
#define COFRE_GATEWAY_GATEWAY_H

#include "options.h"

/* gateway_check loads every file, says what it holds, and returns the exit status: 0 or 2. */
int gateway_check(const struct gateway_options *o);

/* gateway_run serves until SIGTERM or SIGINT and returns the exit status. */
int gateway_run(const struct gateway_options *o);

#endif
