/*
 * command_refused: Redis's commands that Cofre does not have, on purpose. They are no rows: COMMAND does not know them.
 */
#ifndef COFRE_COMMAND_REFUSED_H
#define COFRE_COMMAND_REFUSED_H

#include "wire/resp_write.h"

/*
 * command_reply_refused says why a command is not there, or returns false when its name means nothing to Redis either.
 * `sub` is the subcommand that a container lacks; empty: there is no such container.
 */
bool command_reply_refused(struct slice name, struct slice sub, struct resp_writer *reply);
/* command_refused_in_multi: in Redis it is there, but not inside a transaction. */
bool command_refused_in_multi(struct slice name);

#endif
