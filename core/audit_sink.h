/*
 * audit_sink: where the records of the audit log go: a file, or the table cofre.audit. A sink takes whole records and keeps
 * them, up to a bound, until they are written; what is over the bound is lost, counted, and told in the log itself.
 */
#ifndef COFRE_AUDIT_SINK_H
#define COFRE_AUDIT_SINK_H

#include "core_private.h"

struct audit_sink {
    const struct audit_sink_type *type;
    struct core *core;
    uint64_t written; /* records */
    uint64_t lost;    /* records, since the start */
    uint64_t untold;  /* of them, those that the log does not tell of yet */
    size_t waiting;   /* records */
    char error[256];  /* why it cannot be written now; empty: it can */
};

struct audit_sink_type {
    /* add takes one record, a line of JSON; false: there was no room. */
    bool (*add)(struct audit_sink *sink, const char *event, int64_t at_ms, struct slice line);
    /* flush writes what waits, or as much as goes without waiting. */
    void (*flush)(struct audit_sink *sink);
    void (*reopen)(struct audit_sink *sink);
    void (*free)(struct audit_sink *sink);
};

/* Both return NULL with a text in why[] when they cannot begin. */
struct audit_sink *audit_file_new(struct core *core, const char *path, char *why, size_t why_size);
struct audit_sink *audit_table_new(struct core *core);

/* For sinks: audit_sink_fail notes, and logs once, that writing fails; audit_sink_works that it does again. */
void audit_sink_fail(struct audit_sink *sink, const char *error);
void audit_sink_works(struct audit_sink *sink);

#endif
