/*
 * dry_run: a blocking client of the status socket, and the judgement of each session that it names. What it
 * reads may come from anybody: every line is checked, and nothing of it is printed that could steer a terminal.
 */
#include "status/dry_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "status/json.h"
#include "status/status_reply.h"
#include "status/status_socket.h"

enum {
    NOBODY_CUT = 0,
    SOMEBODY_CUT = 1,
    CANNOT_SAY = 2,
    WAIT_S = 15,
    ANSWER_MAX = 1024 * 1024 * 1024,
};

/* Lines. */

static const struct {
    struct slice name;
    size_t offset;
} members[] = {
    { SLICE("identity"), offsetof(struct dry_run_session, identity) },
    { SLICE("issuer"), offsetof(struct dry_run_session, issuer) },
    { SLICE("serial"), offsetof(struct dry_run_session, serial) },
    { SLICE("path"), offsetof(struct dry_run_session, text) },
};

/* keep copies a member that matters; control characters become question marks. */
static bool keep(struct dry_run_session *s, const struct json_member *m)
{
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        if (!slice_eq(m->name, members[i].name)) {
            continue;
        }
        char *to = (char *)s + members[i].offset;
        if (!m->is_string || m->text.len >= DRY_RUN_TEXT_MAX || to[0] != '\0') {
            return false;
        }
        for (size_t k = 0; k < m->text.len; k++) {
            uint8_t c = m->text.p[k];
            to[k] = c < 0x20 || c == 0x7f ? '?' : (char)c;
        }
        to[m->text.len] = '\0';
    }
    return true;
}

enum err dry_run_parse(struct slice line, struct dry_run_session *out)
{
    struct json_member m;
    struct buf scratch;
    bool first = true;
    enum err err;
    out->identity[0] = out->issuer[0] = out->serial[0] = out->text[0] = '\0';
    buf_init(&scratch, DRY_RUN_TEXT_MAX);
    while ((err = json_next(&line, &first, &scratch, &m)) == ERR_OK && keep(out, &m)) {
    }
    buf_release(&scratch);
    if (err != ERR_NOT_FOUND || out->identity[0] == '\0' ||
        trust_path_parse(slice_of(out->text), out->steps, &out->path) != ERR_OK) {
        return ERR_PROTOCOL;
    }
    return ERR_OK;
}

/* Asking. */

static int connect_to(const char *path)
{
    const struct timeval wait = { .tv_sec = WAIT_S };
    struct sockaddr_un addr;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    errno = ENAMETOOLONG;
    if (status_socket_address(path, &addr) != ERR_OK ||
        connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* read_all returns NULL, or what went wrong. */
static const char *read_all(int fd, struct buf *answer)
{
    static const char request[] = "GET /sessions HTTP/1.1\r\nHost: cofre\r\n\r\n";
    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(request) - 1) {
        return strerror(errno);
    }
    for (;;) {
        uint8_t *to = buf_reserve(answer, 64 * 1024);
        ssize_t n = to == NULL ? 0 : recv(fd, to, 64 * 1024, 0);
        if (to == NULL) {
            return "its answer has no end";
        }
        if (n < 0) {
            return errno == EAGAIN ? "it does not answer" : strerror(errno);
        }
        if (n == 0) {
            return NULL;
        }
        buf_commit(answer, (size_t)n);
    }
}

static const char *find_body(struct slice answer, struct slice *body)
{
    struct status_reply reply = { .code = 0 };
    if (status_reply_parse(answer, &reply) != ERR_OK || reply.code != 200) {
        return "what answers there is not a gateway's status";
    }
    *body = (struct slice){ answer.p + reply.head, answer.len - reply.head };
    return (int64_t)body->len == reply.length ? NULL : "its answer was cut short";
}

static const char *ask(const char *path, struct buf *answer, struct slice *body)
{
    int fd = connect_to(path);
    if (fd < 0) {
        return strerror(errno);
    }
    const char *fault = read_all(fd, answer);
    close(fd);
    return fault != NULL ? fault : find_body(buf_slice(answer), body);
}

/* Judging. Lists of lines, to be sorted: equal ones are counted together. */

struct lines {
    char **all;
    size_t count;
};

static void lines_add(struct lines *l, char *line)
{
    if ((l->count & (l->count - 1)) == 0) { /* 0, 1, 2, 4, 8 … */
        l->all = mem_realloc(l->all, (l->count == 0 ? 1 : 2 * l->count) * sizeof(l->all[0]));
    }
    l->all[l->count++] = line;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* run_length is how many equal lines begin at `at`. */
static size_t run_length(const struct lines *l, size_t at)
{
    size_t end = at;
    while (end < l->count && strcmp(l->all[end], l->all[at]) == 0) {
        end++;
    }
    return end - at;
}

static size_t lines_sort(struct lines *l)
{
    size_t distinct = 0;
    if (l->count > 0) {
        qsort(l->all, l->count, sizeof(l->all[0]), compare_lines);
    }
    for (size_t at = 0; at < l->count; at += run_length(l, at)) {
        distinct++;
    }
    return distinct;
}

static void lines_release(struct lines *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->all[i]);
    }
    free(l->all);
}

struct verdict {
    struct lines identities; /* of all */
    struct lines cut;        /* whose sessions would be cut */
    struct lines reasons;    /* a line for each session that would be */
};

static void judge(const struct tls_trust *trust, const struct dry_run_session *s, struct verdict *v)
{
    struct refusal why = { .kind = REFUSAL_OTHER };
    char line[3 * DRY_RUN_TEXT_MAX];
    lines_add(&v->identities, mem_strdup(s->identity));
    if (tls_trust_still_path(trust, &s->path, slice_of(s->issuer), &why)) {
        return;
    }
    snprintf(line, sizeof(line), "%s serial=%s: %s", s->identity, s->serial, why.reason);
    lines_add(&v->cut, mem_strdup(s->identity));
    lines_add(&v->reasons, mem_strdup(line));
}

static const char *judge_all(const struct tls_trust *trust, struct slice body, struct verdict *v)
{
    struct dry_run_session *s = mem_alloc(sizeof(*s));
    const char *fault = NULL;
    while (body.len > 0 && fault == NULL) {
        const uint8_t *end = memchr(body.p, '\n', body.len);
        size_t len = end == NULL ? body.len : (size_t)(end - body.p);
        if (end == NULL || dry_run_parse((struct slice){ body.p, len }, s) != ERR_OK) {
            fault = "a line of its sessions cannot be read";
        } else {
            judge(trust, s, v);
            body = (struct slice){ end + 1, body.len - len - 1 };
        }
    }
    free(s);
    return fault;
}

static void print(struct verdict *v)
{
    size_t identities = lines_sort(&v->identities), cut = lines_sort(&v->cut);
    lines_sort(&v->reasons);
    for (size_t at = 0; at < v->reasons.count;) {
        size_t n = run_length(&v->reasons, at);
        printf("would be cut: %s (%zu session%s)\n", v->reasons.all[at], n, n == 1 ? "" : "s");
        at += n;
    }
    size_t all = v->identities.count;
    printf("%zu of %zu sessions (%.1f %%) would be cut, of %zu of %zu identities\n",
           v->reasons.count, all, all == 0 ? 0.0 : 100.0 * (double)v->reasons.count / (double)all,
           cut, identities);
}

int dry_run(const char *status_path, const struct tls_trust *trust)
{
    struct verdict v = { .cut = { .count = 0 } };
    struct slice body = { NULL, 0 };
    struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    const char *fault = ask(status_path, &answer, &body);
    if (fault == NULL) {
        fault = judge_all(trust, body, &v);
    }
    int status = v.reasons.count > 0 ? SOMEBODY_CUT : NOBODY_CUT;
    if (fault == NULL) {
        print(&v);
    } else {
        fprintf(stderr, "cofre-gateway: --status %s: %s\n", status_path, fault);
        status = CANNOT_SAY;
    }
    lines_release(&v.identities);
    lines_release(&v.cut);
    lines_release(&v.reasons);
    buf_release(&answer);
    return status;
}
