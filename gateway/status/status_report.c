/*
 * status_report: two ways to write the same. Names of figures are those of INFO, but for its "gateway_".
 */
#include "status/status_report.h"

#include <inttypes.h>

#include "address.h"
#include "status/json.h"

/* JSON. */

struct json_metrics {
    struct buf *out;
    const char *family; /* that is open */
};

static void write_json_metric(void *arg, const struct metric *m)
{
    struct json_metrics *j = arg;
    if (m->value == METRIC_NONE) {
        return;
    }
    const char *family = m->label == NULL ? NULL : m->name;
    if (j->family != NULL && j->family != family) {
        buf_printf(j->out, "}");
    }
    if (family != NULL && j->family != family) {
        buf_printf(j->out, ",\"%s\":{", family);
    } else {
        buf_printf(j->out, ",");
    }
    j->family = family;
    buf_printf(j->out, "\"%s\":%" PRIu64,
               family == NULL     ? m->name
               : m->of[0] != '\0' ? m->of
                                  : m->label,
               m->value);
}

static void write_metrics(const struct metrics *m, struct buf *out)
{
    struct json_metrics j = { .out = out };
    metrics_each(m, write_json_metric, &j);
    if (j.family != NULL) {
        buf_printf(out, "}");
    }
}

static void write_issuers(const struct survey *s, struct buf *out)
{
    buf_printf(out, ",\"sessions_by_issuer\":{");
    for (size_t i = 0; i < s->issuer_count; i++) {
        buf_printf(out, "%s", i == 0 ? "" : ",");
        json_text(out, slice_of(s->issuers[i].name));
        buf_printf(out, ":%zu", s->issuers[i].sessions);
    }
    buf_printf(out, "}");
}

static void write_listeners(const struct status_facts *f, struct buf *out)
{
    buf_printf(out, ",\"listeners\":[");
    for (size_t i = 0; i < f->listener_count; i++) {
        char text[ADDRESS_TEXT];
        address_text(&f->listeners[i], text);
        buf_printf(out, "%s\"%s\"", i == 0 ? "" : ",", text);
    }
    buf_printf(out, "]");
}

static void hex(struct buf *out, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        buf_printf(out, "%02x", p[i]);
    }
}

static void write_files(const struct status_facts *f, struct buf *out)
{
    size_t count;
    const struct tls_file *files = tls_context_files(f->context, &count);
    buf_printf(out, ",\"files\":[");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s{\"name\":\"%s\",\"path\":", i == 0 ? "" : ",", files[i].name);
        json_text(out, slice_of(files[i].path));
        buf_printf(out, ",\"sha256\":\"");
        hex(out, files[i].sha256, sizeof(files[i].sha256));
        buf_printf(out, "\"}");
    }
    buf_printf(out, "]");
}

void status_report_json(const struct status_facts *f, const struct survey *s, struct buf *out)
{
    buf_printf(out, "{\"version\":\"%s\",\"pid\":%d,\"state\":\"%s\",\"uptime_seconds\":%" PRId64,
               COFRE_VERSION, f->pid, f->state, f->now - f->started_at);
    buf_printf(out, ",\"workers\":%zu", f->workers);
    write_listeners(f, out);
    write_files(f, out);
    write_issuers(s, out);
    write_metrics(&s->metrics, out);
    buf_printf(out, "}\n");
}

/* Prometheus. */

static void label_text(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        if (c == '\n') {
            buf_printf(out, "\\n");
        } else {
            buf_printf(out, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
        }
    }
}

static void write_head(struct buf *out, const char *name, const char *ending, const char *type,
                       const char *help)
{
    buf_printf(out, "# HELP cofre_gateway_%s%s %s\n# TYPE cofre_gateway_%s%s %s\n", name, ending,
               help, name, ending, type);
}

struct prometheus {
    struct buf *out;
    const char *family; /* whose head was written last */
};

static const struct {
    const char *type;
    const char *ending; /* of the name */
} kinds[] = {
    [METRIC_COUNTER] = { "counter", "_total" }, [METRIC_GAUGE] = { "gauge", "" },
    [METRIC_HISTOGRAM] = { "histogram", "" },   [METRIC_LEAST] = { "gauge", "" },
    [METRIC_GREATEST] = { "gauge", "" },
};

static void write_histogram_line(struct buf *out, const struct metric *m)
{
    bool is_count = strcmp(m->label, "count") == 0;
    if (m->of[0] != '\0') {
        buf_printf(out, "cofre_gateway_%s_bucket{le=\"%s\"} %" PRIu64 "\n", m->name, m->of,
                   m->value);
        return;
    }
    if (is_count) {
        buf_printf(out, "cofre_gateway_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", m->name, m->value);
    }
    buf_printf(out, "cofre_gateway_%s_%s %" PRIu64 "\n", m->name, m->label, m->value);
}

static void write_prometheus_metric(void *arg, const struct metric *m)
{
    struct prometheus *p = arg;
    if (m->value == METRIC_NONE) {
        return;
    }
    if (m->label == NULL || p->family != m->name) {
        write_head(p->out, m->name, kinds[m->kind].ending, kinds[m->kind].type, m->help);
    }
    p->family = m->name;
    if (m->kind == METRIC_HISTOGRAM) {
        write_histogram_line(p->out, m);
        return;
    }
    buf_printf(p->out, "cofre_gateway_%s%s", m->name, kinds[m->kind].ending);
    if (m->label != NULL) {
        buf_printf(p->out, "{%s=\"%s\"}", m->label, m->of);
    }
    buf_printf(p->out, " %" PRIu64 "\n", m->value);
}

static void write_prometheus_files(const struct status_facts *f, struct buf *out)
{
    size_t count;
    const struct tls_file *files = tls_context_files(f->context, &count);
    write_head(out, "file_info", "", "gauge", "A file in use, and the SHA-256 of what it holds");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "cofre_gateway_file_info{name=\"%s\",path=\"", files[i].name);
        label_text(out, slice_of(files[i].path));
        buf_printf(out, "\",sha256=\"");
        hex(out, files[i].sha256, sizeof(files[i].sha256));
        buf_printf(out, "\"} 1\n");
    }
}

static void write_prometheus_issuers(const struct survey *s, struct buf *out)
{
    write_head(out, "sessions", "", "gauge", "Sessions by the issuer of the client's certificate");
    for (size_t i = 0; i < s->issuer_count; i++) {
        buf_printf(out, "cofre_gateway_sessions{issuer=\"");
        label_text(out, slice_of(s->issuers[i].name));
        buf_printf(out, "\"} %zu\n", s->issuers[i].sessions);
    }
}

void status_report_prometheus(const struct status_facts *f, const struct survey *s, struct buf *out)
{
    struct prometheus p = { .out = out };
    write_head(out, "info", "", "gauge", "What runs");
    buf_printf(out, "cofre_gateway_info{version=\"%s\",state=\"%s\"} 1\n", COFRE_VERSION, f->state);
    write_head(out, "start_time_seconds", "", "gauge", "When it started, unix time");
    buf_printf(out, "cofre_gateway_start_time_seconds %" PRId64 "\n", f->started_at);
    write_head(out, "workers", "", "gauge", "Threads that serve clients");
    buf_printf(out, "cofre_gateway_workers %zu\n", f->workers);
    write_prometheus_files(f, out);
    write_prometheus_issuers(s, out);
    metrics_each(&s->metrics, write_prometheus_metric, &p);
}
