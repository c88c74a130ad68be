/*
 * names: what clients call themselves, and what we tell them that we are.
 */
#ifndef COFRE_NAMES_H
#define COFRE_NAMES_H

#include "command_table.h"
#include "session.h"

/* The Redis whose commands, replies and error texts these are. */
#define REDIS_VERSION "7.0.15"

/* is_plain_name: printable ASCII without spaces, as CLIENT LIST can show it. */
bool is_plain_name(struct slice s);

/* set_name sets one of the session's names (printable ASCII without spaces), or writes an error and returns false. */
MUST_CHECK bool set_name(struct call *call, enum session_name which, struct slice name);

#endif
