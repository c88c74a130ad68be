/*
 * acl_log: what was refused lately, for ACL LOG: the newest first, equal ones within a minute counted as one. A fixed number of
 * entries. Pure: times come in.
 */
#ifndef COFRE_ACL_LOG_H
#define COFRE_ACL_LOG_H

#include "base/buf.h"

struct acl_log_entry {
    uint64_t count;
    const char *reason;    /* "command", "key", "channel", "database", "auth"; static */
    const char *context;   /* "toplevel", "multi"; static */
    struct slice object;   /* owned, as the next two */
    struct slice username; /* the identity, or the name that AUTH was given */
    struct slice client;   /* as CLIENT INFO shows it */
    int64_t at_ms;         /* the last time */
};

struct acl_log;

struct acl_log *acl_log_new(size_t most);
void acl_log_free(struct acl_log *log);
/* acl_log_add copies the texts; count is not read. */
void acl_log_add(struct acl_log *log, const struct acl_log_entry *entry);
void acl_log_clear(struct acl_log *log);
void acl_log_limit(struct acl_log *log, size_t most); /* drops the oldest */

size_t acl_log_count(const struct acl_log *log);
const struct acl_log_entry *acl_log_at(const struct acl_log *log, size_t i); /* 0: the newest */

#endif
