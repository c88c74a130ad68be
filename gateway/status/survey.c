/*
 * survey: one part for each worker, which goes to its thread and comes back until its table of connections
 * is through. Nothing is shared while it is under way.
 */
#include "status/survey.h"

#include <inttypes.h>
#include <stdlib.h>

#include "conn.h"
#include "status/json.h"
#include "trust/peer.h"

enum {
    STRIDE = 256, /* connections at a time: some 100 µs with texts */
    SESSIONS_MAX = 512 * 1024 * 1024,
};

struct part {
    struct worker_call call;
    struct worker *worker;
    struct run *run;
    size_t next_slot;
    bool ran; /* since it was sent; a worker that has ended runs nothing */
    bool done;
    struct survey found;
};

struct run {
    enum survey_want want;
    void (*done)(void *arg, const struct survey *survey);
    void *arg;
    size_t left; /* parts that are not done */
    size_t count;
    struct part parts[];
};

static void count_issuer(struct survey *s, struct slice name, size_t sessions)
{
    size_t i = 0;
    while (i < s->issuer_count && !slice_eq(slice_of(s->issuers[i].name), name)) {
        i++;
    }
    if (i == SURVEY_ISSUERS_MAX) {
        count_issuer(s, SLICE(""), sessions);
        return;
    }
    if (i == s->issuer_count) {
        /* The last place is for all others. */
        if (i == SURVEY_ISSUERS_MAX - 1) {
            name = SLICE("");
        }
        s->issuers = mem_realloc(s->issuers, (i + 1) * sizeof(s->issuers[0]));
        s->issuers[i] = (struct survey_issuer){ .name = (char *)slice_dup(name).p };
        s->issuer_count++;
    }
    s->issuers[i].sessions += sessions;
}

static void hex(struct buf *out, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        buf_printf(out, "%02x", p[i]);
    }
}

static void write_session(struct buf *out, const struct conn_facts *f)
{
    buf_printf(out, "{\"identity\":");
    json_text(out, f->peer->identity);
    buf_printf(out, ",\"issuer\":");
    json_text(out, f->peer->issuer);
    buf_printf(out, ",\"serial\":");
    json_text(out, f->peer->serial);
    buf_printf(out, ",\"fingerprint\":\"");
    hex(out, f->peer->fingerprint, sizeof(f->peer->fingerprint));
    buf_printf(out, "\",\"peer\":");
    json_text(out, slice_of(f->address));
    buf_printf(out, ",\"tls\":\"%s\",\"cipher\":\"%s\",\"resumed\":%s", f->tls.version,
               f->tls.cipher, f->tls.resumed ? "true" : "false");
    buf_printf(out,
               ",\"since\":%" PRId64 ",\"not_after\":%" PRId64 ",\"trusted_until\":%" PRId64
               ",\"path\":\"",
               f->opened_at / 1000, f->peer->not_after, f->peer->trusted_until);
    trust_path_text(&f->peer->path, out);
    buf_printf(out, "\"}\n");
}

static void look_at(struct part *p, const struct conn *c)
{
    struct conn_facts facts;
    if (!conn_facts(c, &facts)) {
        return;
    }
    if (p->run->want & SURVEY_ISSUERS) {
        count_issuer(&p->found, facts.peer->issuer, 1);
    }
    if (p->run->want & SURVEY_SESSIONS) {
        write_session(&p->found.sessions, &facts);
    }
}

static void run_part(struct worker *w, struct worker_call *c)
{
    struct part *p = container_of(c, struct part, call);
    p->ran = true;
    const struct conn *conn = NULL;
    size_t seen = p->run->want == SURVEY_METRICS ? STRIDE : 0;
    for (; seen < STRIDE && (conn = worker_next_conn(w, &p->next_slot)) != NULL; seen++) {
        look_at(p, conn);
    }
    p->done = conn == NULL;
    if (p->done) {
        p->found.metrics = *worker_figures(w);
    }
}

static void survey_init(struct survey *s)
{
    *s = (struct survey){ .issuer_count = 0 };
    metrics_init(&s->metrics);
    buf_init(&s->sessions, SESSIONS_MAX);
}

static void survey_release(struct survey *s)
{
    for (size_t i = 0; i < s->issuer_count; i++) {
        free(s->issuers[i].name);
    }
    free(s->issuers);
    buf_release(&s->sessions);
}

static void survey_add(struct survey *total, const struct survey *s)
{
    metrics_add(&total->metrics, &s->metrics);
    for (size_t i = 0; i < s->issuer_count; i++) {
        count_issuer(total, slice_of(s->issuers[i].name), s->issuers[i].sessions);
    }
    buf_append_slice(&total->sessions, buf_slice(&s->sessions));
}

static void finish(struct run *r)
{
    struct survey total;
    survey_init(&total);
    for (size_t i = 0; i < r->count; i++) {
        survey_add(&total, &r->parts[i].found);
        survey_release(&r->parts[i].found);
    }
    r->done(r->arg, &total);
    survey_release(&total);
    free(r);
}

static void send_part(struct part *p)
{
    p->ran = false;
    worker_call(p->worker, &p->call);
}

/* What a worker had said before it ended counts. */
static void part_done(struct worker_call *c)
{
    struct part *p = container_of(c, struct part, call);
    if (p->ran && !p->done) {
        send_part(p);
    } else if (--p->run->left == 0) {
        finish(p->run);
    }
}

void survey_start(struct worker **workers, size_t count, enum survey_want want,
                  void (*done)(void *arg, const struct survey *survey), void *arg)
{
    struct run *r = mem_zalloc(sizeof(*r) + count * sizeof(r->parts[0]));
    *r = (struct run){ .want = want, .done = done, .arg = arg, .left = count, .count = count };
    for (size_t i = 0; i < count; i++) {
        struct part *p = &r->parts[i];
        *p = (struct part){ .call = { .run = run_part, .done = part_done },
                            .worker = workers[i],
                            .run = r };
        survey_init(&p->found);
        send_part(p);
    }
}
