/* The slow log: for each keyspace that has entries a list, newest first. */
#include "slowlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redact.h"

struct list {
    uint32_t keyspace;
    int64_t next_id;
    size_t count;
    struct slow_entry *newest;
    struct slow_entry *oldest;
};

struct slowlog {
    size_t max;
    struct list *lists;
    size_t list_count;
};

struct slowlog *slowlog_new(size_t max)
{
    struct slowlog *log = mem_zalloc(sizeof(*log));
    log->max = max;
    return log;
}

/* keep frees the oldest until no more than `most` are left. */
static void keep(struct list *list, size_t most)
{
    struct slow_entry *e;
    while (list->count > most && (e = list->oldest)) {
        list->oldest = e->newer;
        if (list->oldest)
            list->oldest->next = NULL;
        else
            list->newest = NULL;
        free(e);
        list->count--;
    }
}

void slowlog_free(struct slowlog *log)
{
    if (log == NULL)
        return;
    slowlog_limit(log, 0);
    free(log->lists);
    free(log);
}

void slowlog_limit(struct slowlog *log, size_t max)
{
    log->max = max;
    for (size_t i = 0; i < log->list_count; i++)
        keep(&log->lists[i], max);
}

static struct list *find(const struct slowlog *log, uint32_t keyspace)
{
    for (size_t i = 0; i < log->list_count; i++)
        if (log->lists[i].keyspace == keyspace)
            return &log->lists[i];
    return NULL;
}

static struct list *find_or_add(struct slowlog *log, uint32_t keyspace)
{
    struct list *list = find(log, keyspace);
    if (list)
        return list;
    log->lists = mem_realloc(log->lists, (log->list_count + 1) * sizeof(*log->lists));
    list = &log->lists[log->list_count++];
    *list = (struct list){ .keyspace = keyspace };
    return list;
}

/* --- an entry -------------------------------------------------------------------------------- */

enum { NOTE_BYTES = 64 }; /* "... (N more bytes)" */

/* What is shown of a call's argument: the text, then a note of what was cut. */
struct shown {
    struct slice text;
    char note[NOTE_BYTES];
    size_t note_length;
};

static struct shown show(const struct slow_call *call, uint32_t i)
{
    struct shown s = { .text = call->argv[i] };
    if (i == SLOWLOG_ARGS - 1 && call->argc > SLOWLOG_ARGS) {
        s.text.len = 0;
        s.note_length = (size_t)snprintf(s.note, sizeof(s.note), "... (%u more arguments)",
                                         call->argc - SLOWLOG_ARGS + 1);
    } else if (redact_hides(call->command, call->argv, call->argc, i)) {
        s.text = SLICE(REDACTED);
    } else if (s.text.len > SLOWLOG_ARG_BYTES) {
        s.note_length = (size_t)snprintf(s.note, sizeof(s.note), "... (%zu more bytes)",
                                         s.text.len - SLOWLOG_ARG_BYTES);
        s.text.len = SLOWLOG_ARG_BYTES;
    }
    return s;
}

static struct slice put(uint8_t **at, const void *bytes, size_t n)
{
    const struct slice copy = { *at, n };
    if (n)
        memcpy(*at, bytes, n);
    *at += n;
    return copy;
}

static struct slow_entry *make(const struct slow_call *call)
{
    const uint32_t argc = call->argc < SLOWLOG_ARGS ? call->argc : SLOWLOG_ARGS;
    struct shown shown[SLOWLOG_ARGS];
    size_t size = call->peer.len + call->name.len;
    for (uint32_t i = 0; i < argc; i++) {
        shown[i] = show(call, i);
        size += shown[i].text.len + shown[i].note_length;
    }
    struct slow_entry *e = mem_alloc(sizeof(*e) + size);
    *e = (struct slow_entry){ .at = call->at, .cost_us = call->cost_us, .argc = argc };
    uint8_t *at = e->bytes;
    e->peer = put(&at, call->peer.p, call->peer.len);
    e->name = put(&at, call->name.p, call->name.len);
    for (uint32_t i = 0; i < argc; i++) {
        e->argv[i] = put(&at, shown[i].text.p, shown[i].text.len);
        e->argv[i].len += put(&at, shown[i].note, shown[i].note_length).len;
    }
    return e;
}

/* --- the log --------------------------------------------------------------------------------- */

void slowlog_add(struct slowlog *log, uint32_t keyspace, const struct slow_call *call)
{
    struct list *list = find_or_add(log, keyspace);
    struct slow_entry *e = make(call);
    e->id = list->next_id++;
    e->next = list->newest;
    if (list->newest)
        list->newest->newer = e;
    else
        list->oldest = e;
    list->newest = e;
    list->count++;
    keep(list, log->max);
}

void slowlog_reset(struct slowlog *log, uint32_t keyspace)
{
    struct list *list = find(log, keyspace);
    if (list)
        keep(list, 0);
}

size_t slowlog_length(const struct slowlog *log, uint32_t keyspace)
{
    const struct list *list = find(log, keyspace);
    return list ? list->count : 0;
}

const struct slow_entry *slowlog_first(const struct slowlog *log, uint32_t keyspace)
{
    const struct list *list = find(log, keyspace);
    return list ? list->newest : NULL;
}
