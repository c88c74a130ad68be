/*
 * The audit log as a file: appended to with write(2), once per loop iteration and before replies leave. A record is then with
 * the operating system: a crash of the core loses none that a client has an answer for, a crash of the machine may lose the
 * last seconds.
 */
#include "audit_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum { WAITING_MAX = 16 * 1024 * 1024, RETRY_MS = 100 };

/*
 * lines: [0, sent) of the first line is in the file already, the rest waits. Whole lines alone are taken out, so that the file
 * that follows after a rotation begins with a whole one.
 */
struct audit_file {
    struct audit_sink sink;
    const char *path;
    int fd;
    struct buf lines;
    size_t sent;
    uint64_t retry_ms; /* not before, after a failure */
};

static struct audit_file *file_of(struct audit_sink *sink)
{
    return container_of(sink, struct audit_file, sink);
}

/* end_last_line: a process that was killed may have left half a line. */
static void end_last_line(int fd)
{
    struct stat st;
    char last = '\n';
    if (fstat(fd, &st) == 0 && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 &&
        last != '\n' && write(fd, "\n", 1) != 1)
        return; /* the first record tells of it */
}

static int open_file(const char *path, char *why, size_t why_size)
{
    const int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
                        S_IRUSR | S_IWUSR);
    struct stat st;
    if (fd < 0) {
        snprintf(why, why_size, "--audit-file %s: %s", path, strerror(errno));
        return -1;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        snprintf(why, why_size, "--audit-file %s: it is not a regular file", path);
        close(fd);
        return -1;
    }
    end_last_line(fd);
    return fd;
}

static bool add(struct audit_sink *sink, const char *event, int64_t at_ms, struct slice line)
{
    struct audit_file *f = file_of(sink);
    (void)event;
    (void)at_ms;
    if (buf_len(&f->lines) + line.len > WAITING_MAX)
        return false;
    buf_append_slice(&f->lines, line);
    return true;
}

/* take_out drops the lines that are in the file whole. */
static void take_out(struct audit_file *f)
{
    const struct slice lines = buf_slice(&f->lines);
    const uint8_t *end = memrchr(lines.p, '\n', f->sent);
    if (end == NULL)
        return;
    const size_t whole = (size_t)(end - lines.p) + 1;
    for (const uint8_t *p = lines.p; p <= end; p++)
        f->sink.written += *p == '\n';
    f->sent -= whole;
    buf_consume(&f->lines, whole);
}

static void flush(struct audit_sink *sink)
{
    struct audit_file *f = file_of(sink);
    if (buf_len(&f->lines) == 0 || uv_now(sink->core->loop) < f->retry_ms)
        return;
    const struct slice lines = buf_slice(&f->lines);
    while (f->sent < lines.len) {
        const ssize_t n = write(f->fd, lines.p + f->sent, lines.len - f->sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            f->retry_ms = uv_now(sink->core->loop) + RETRY_MS;
            audit_sink_fail(sink, n < 0 ? strerror(errno) : "nothing is written");
            break;
        }
        f->sent += (size_t)n;
    }
    if (f->sent == lines.len)
        audit_sink_works(sink);
    take_out(f);
}

static void reopen(struct audit_sink *sink)
{
    struct audit_file *f = file_of(sink);
    char why[256];
    flush(sink);
    const int fd = open_file(f->path, why, sizeof(why));
    if (fd < 0) {
        log_event(LOG_ERROR, "the audit file cannot be opened anew; the former one is still in use",
                  LF_STR("error", why));
        return;
    }
    close(f->fd);
    f->fd = fd;
    f->sent = 0;
    log_event(LOG_INFO, "the audit file is opened anew", LF_STR("file", f->path));
}

static void free_file(struct audit_sink *sink)
{
    struct audit_file *f = file_of(sink);
    f->retry_ms = 0;
    flush(sink);
    close(f->fd);
    buf_release(&f->lines);
    free(f);
}

static const struct audit_sink_type type = {
    .add = add,
    .flush = flush,
    .reopen = reopen,
    .free = free_file,
};

struct audit_sink *audit_file_new(struct core *core, const char *path, char *why, size_t why_size)
{
    const int fd = open_file(path, why, why_size);
    if (fd < 0)
        return NULL;
    struct audit_file *f = mem_zalloc(sizeof(*f));
    f->sink = (struct audit_sink){ .type = &type, .core = core };
    f->path = path;
    f->fd = fd;
    buf_init(&f->lines, WAITING_MAX);
    return &f->sink;
}
