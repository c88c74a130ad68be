/*
 * command_tips: what COMMAND INFO tells clients of many servers about a command: whether its answer may differ from time to
 * time, and how to ask several servers and put their answers together. The words are Redis's.
 */
#ifndef COFRE_COMMAND_TIPS_H
#define COFRE_COMMAND_TIPS_H

#include "command_table.h"

/* command_reply_tips writes the set of tips that COMMAND INFO has of each command. */
void command_reply_tips(struct resp_writer *w, const struct command *command);

#endif
