/* The entries of ACL LOG, in an array whose first is the newest. */
#include "acl/log.h"

#include <stdlib.h>

/* Redis's: equal refusals within so long are one entry, looked for among so many. */
enum { SAME_MS = 60000, LOOK_BACK = 10 };

struct acl_log {
    struct acl_log_entry *entries;
    size_t count;
    size_t cap;
    size_t most;
};

struct acl_log *acl_log_new(size_t most)
{
    struct acl_log *log = mem_zalloc(sizeof(*log));
    log->most = most;
    return log;
}

static void release(struct acl_log_entry *e)
{
    free((void *)e->object.p);
    free((void *)e->username.p);
    free((void *)e->client.p);
}

void acl_log_limit(struct acl_log *log, size_t most)
{
    log->most = most;
    while (log->count > most) {
        release(&log->entries[--log->count]);
    }
}

void acl_log_clear(struct acl_log *log)
{
    const size_t most = log->most;
    acl_log_limit(log, 0);
    log->most = most;
}

void acl_log_free(struct acl_log *log)
{
    if (log == NULL) {
        return;
    }
    acl_log_limit(log, 0);
    free(log->entries);
    free(log);
}

/* Reasons and contexts come from a few places, but one word may be there twice. */
static bool same(const struct acl_log_entry *a, const struct acl_log_entry *b)
{
    const int64_t apart = a->at_ms > b->at_ms ? a->at_ms - b->at_ms : b->at_ms - a->at_ms;
    return apart <= SAME_MS && strcmp(a->reason, b->reason) == 0 &&
           strcmp(a->context, b->context) == 0 && slice_eq(a->object, b->object) &&
           slice_eq(a->username, b->username);
}

static size_t find_same(const struct acl_log *log, const struct acl_log_entry *entry)
{
    size_t i = 0;
    while (i < log->count && i < LOOK_BACK && !same(&log->entries[i], entry)) {
        i++;
    }
    return i < LOOK_BACK ? i : log->count;
}

/* to_front makes room at the front by moving what is before a place back by one. */
static void to_front(struct acl_log *log, size_t place)
{
    memmove(log->entries + 1, log->entries, place * sizeof(*log->entries));
}

static void count_again(struct acl_log *log, size_t i, const struct acl_log_entry *entry)
{
    struct acl_log_entry old = log->entries[i];
    free((void *)old.client.p);
    old.client = slice_dup(entry->client);
    old.at_ms = entry->at_ms;
    old.count++;
    to_front(log, i);
    log->entries[0] = old;
}

void acl_log_add(struct acl_log *log, const struct acl_log_entry *entry)
{
    const size_t known = find_same(log, entry);
    if (known < log->count) {
        count_again(log, known, entry);
        return;
    }
    if (log->most == 0) {
        return;
    }
    acl_log_limit(log, log->most); /* what is over after a change of it */
    if (log->count == log->most) {
        release(&log->entries[--log->count]);
    }
    if (log->count == log->cap) {
        log->cap = log->cap > 0 ? log->cap * 2 : 16;
        log->entries = mem_realloc(log->entries, log->cap * sizeof(*log->entries));
    }
    to_front(log, log->count);
    log->count++;
    log->entries[0] = *entry;
    log->entries[0].count = 1;
    log->entries[0].object = slice_dup(entry->object);
    log->entries[0].username = slice_dup(entry->username);
    log->entries[0].client = slice_dup(entry->client);
}

size_t acl_log_count(const struct acl_log *log)
{
    return log->count;
}

const struct acl_log_entry *acl_log_at(const struct acl_log *log, size_t i)
{
    return &log->entries[i];
}
