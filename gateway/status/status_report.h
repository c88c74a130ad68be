/*
 * status_report: writes what the status socket shows, from facts and figures that were gathered. Pure.
 */
#ifndef COFRE_GATEWAY_STATUS_REPORT_H
#define COFRE_GATEWAY_STATUS_REPORT_H

#include "status/survey.h"
#include "tls/tls_context.h"

/* What the main loop knows. */
struct status_facts {
    int64_t started_at; /* unix seconds */
    int64_t now;
    int pid;
    const char *state; /* "starting", "serving", "draining" */
    size_t workers;
    const struct sockaddr_storage *listeners;
    size_t listener_count;
    const struct tls_context *context;
};

/* status_report_json is one object; README.md says what is in it. */
void status_report_json(const struct status_facts *f, const struct survey *s, struct buf *out);

/* status_report_prometheus is the same as Prometheus's text format 0.0.4. */
void status_report_prometheus(const struct status_facts *f, const struct survey *s,
                              struct buf *out);

#endif
