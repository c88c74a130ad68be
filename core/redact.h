/*
 * redact: arguments that hold a password. Cofre knows none, but clients send them all the same; they are shown nowhere:
 * neither in SLOWLOG nor in the audit log.
 */
#ifndef COFRE_REDACT_H
#define COFRE_REDACT_H

#include "command_table.h"

#define REDACTED "(redacted)"

/* redact_hides says whether argument i must not be shown. */
bool redact_hides(const struct command *command, const struct slice *argv, uint32_t argc,
                  uint32_t i);

#endif
