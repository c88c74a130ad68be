/*
 * acl_selector: one set of permissions: which commands, which keys, which channels. A user has one of its own (the root) and
 * one for each "(…)"; a command is allowed if one of them allows all of it. Pure.
 */
#ifndef COFRE_ACL_SELECTOR_H
#define COFRE_ACL_SELECTOR_H

#include "base/buf.h"
#include "command_table.h"

enum acl_access {
    ACL_READ = 1,
    ACL_WRITE = 2,
    ACL_READ_WRITE = 3,
};

struct acl_pattern {
    struct slice text; /* owned */
    uint8_t access;    /* enum acl_access; of channels: unused */
};

struct acl_patterns {
    struct acl_pattern *items; /* in the order they were added */
    size_t count;
    bool all;
};

/* A command that is allowed with this first argument alone ("+select|0"). */
struct acl_first_arg {
    size_t command;   /* command_id */
    struct slice arg; /* owned */
};

struct acl_selector {
    uint64_t commands[COMMAND_IDS_MAX / 64]; /* a bit for each command_id */
    bool all_commands;                       /* +@all, and nothing taken away since */
    bool from_all; /* +@all came after -@all: what it is told by what is missing */
    struct acl_patterns keys;
    struct acl_patterns channels;
    struct acl_first_arg *first_args;
    size_t first_arg_count;
};

void acl_selector_init(struct acl_selector *s); /* no permission at all */
void acl_selector_release(struct acl_selector *s);
void acl_selector_copy(const struct acl_selector *from, struct acl_selector *to); /* to is fresh */

/* acl_selector_apply applies one rule ("+get", "~a*", "resetkeys"); returns NULL, or why it cannot. */
MUST_CHECK const char *acl_selector_apply(struct acl_selector *s, struct slice rule);

/* As Redis describes them, so that acl_selector_apply reads them back: "~* &* +@all", and its three parts. */
void acl_selector_describe(const struct acl_selector *s, struct buf *out);
void acl_selector_describe_commands(const struct acl_selector *s, struct buf *out);
void acl_selector_describe_keys(const struct acl_selector *s, struct buf *out);
void acl_selector_describe_channels(const struct acl_selector *s, struct buf *out);

/* --- questions -------------------------------------------------------------------------------- */

static inline bool acl_selector_bit(const struct acl_selector *s, size_t id)
{
    return (s->commands[id / 64] >> (id % 64) & 1) != 0;
}

bool acl_selector_allows_command(const struct acl_selector *s, const struct command *command,
                                 const struct slice *argv, uint32_t argc);
/* need: the enum acl_access that one pattern must give. */
bool acl_selector_allows_key(const struct acl_selector *s, struct slice key, uint8_t need);
/* A channel is matched; a pattern (PSUBSCRIBE) must be there letter for letter. */
bool acl_selector_allows_channel(const struct acl_selector *s, struct slice channel,
                                 bool is_pattern);

/* For describing: as the rule "+name" or "-name" does it. */
void acl_selector_set_command(struct acl_selector *s, const struct command *command, bool allow);
void acl_selector_set_category(struct acl_selector *s, uint32_t category, bool allow);

#endif
