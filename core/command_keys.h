/*
 * command_keys: where a command's keys are and what it does with them, in the words of COMMAND INFO and COMMAND
 * GETKEYSANDFLAGS.
 */
#ifndef COFRE_COMMAND_KEYS_H
#define COFRE_COMMAND_KEYS_H

#include "command_table.h"

/* command_reply_key_specs writes the set that COMMAND INFO has of each command. */
void command_reply_key_specs(struct resp_writer *w, const struct command *command);

/* command_reply_key_access writes the set of words for enum key_access. */
void command_reply_key_access(struct resp_writer *w, uint32_t access);

#endif
