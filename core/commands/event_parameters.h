/*
 * event_parameters: the parameters of CONFIG that are about what clients hear: notify-keyspace-events,
 * tracking-table-max-keys, client-output-buffer-limit. Rows with a getter and a setter.
 */
#ifndef COFRE_EVENT_PARAMETERS_H
#define COFRE_EVENT_PARAMETERS_H

#include "core.h"

/*
 * name
 * get    appends the value's text
 * set    changes nothing and returns why not (Redis's words, without "ERR"), or returns NULL; `check` only looks
 */
struct event_parameter {
    const char *name;
    void (*get)(struct core *core, struct buf *out);
    const char *(*set)(struct core *core, struct slice value, bool check);
};

extern const struct event_parameter event_parameters[];
extern const size_t event_parameter_count;

#endif
