/*
 * command_keys: what commands do with their keys, in the words of COMMAND INFO and COMMAND GETKEYSANDFLAGS: whether a key is
 * read, written or both, and where in the arguments it stands. Where a key is, the row says; what is done with it
 * follows from the row's flags, and the table in command_keys.c has those that differ.
 */
#ifndef COFRE_COMMAND_KEYS_H
#define COFRE_COMMAND_KEYS_H

#include "command_table.h"

/*
 * The first four say what becomes of the key itself, exactly one of them is set: its value is read (RO), changed (RW),
 * replaced whatever it was (OW), taken away (RM). The next four say what the client learns or does with the data in it.
 */
enum key_flag {
    KEY_RO = 1 << 0,
    KEY_RW = 1 << 1,
    KEY_OW = 1 << 2,
    KEY_RM = 1 << 3,
    KEY_ACCESS = 1 << 4, /* the reply, or another key, depends on the value */
    KEY_UPDATE = 1 << 5,
    KEY_INSERT = 1 << 6,
    KEY_DELETE = 1 << 7,
    KEY_NOT_KEY = 1 << 8,        /* a channel */
    KEY_VARIABLE_FLAGS = 1 << 9, /* it depends on the arguments: command_key_flags knows */
};

/* command_key_flags says what a call does with its key number i, as command_keys counts them. */
uint32_t command_key_flags(const struct command *command, const struct slice *argv, uint32_t argc,
                           size_t i);

/* command_reply_key_specs writes the set that COMMAND INFO has of each command. */
void command_reply_key_specs(struct resp_writer *w, const struct command *command);

/* command_reply_key_flags writes the set of words for enum key_flag. */
void command_reply_key_flags(struct resp_writer *w, uint32_t flags);

#endif
