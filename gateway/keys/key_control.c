/*
 * key_control: one socket pair for notes and one for each worker, then fork. What comes from the holder is
 * parsed as if it were hostile, although it is the better guarded of the two.
 */
#include "keys/key_control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "keys/key_holder.h"
#include "keys/key_wire.h"

enum {
    READ_AT_ONCE = 256 * 1024,
    OUT_MAX = 1024 * 1024, /* notes to the holder are short */
    END_WAIT_MS = 1000,
    END_POLL_MS = 2,
    LOOK_MS = 500,
};

struct key_control {
    pid_t pid;
    int fd; /* notes; -1: lost */
    int *signing;
    size_t signing_count;
    uv_poll_t poll;
    uv_timer_t look; /* for leases that nobody has any more */
    bool watched;
    struct key_lease **leases; /* one reference of each; the newest last */
    size_t lease_count;
    const struct gateway_options *options;
    struct key_control_owner owner;
    struct buf in;
    struct buf out;
};

/* Starting. */

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

static enum err make_pair(int *ours, int *theirs, struct load_error *why)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return load_error_set(why, "no socket for the key holder: %s", strerror(errno));
    }
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    *ours = pair[0];
    *theirs = pair[1];
    return ERR_OK;
}

static void become_holder(struct key_control *k, const struct gateway_options *o, const int *theirs,
                          pid_t parent)
{
    struct key_holder_fds fds = { .control = theirs[0],
                                  .signing = theirs + 1,
                                  .count = k->signing_count };
    close(k->fd);
    close_all(k->signing, k->signing_count);
    exit(key_holder_run(o, &fds, (int)parent));
}

static enum err fork_holder(struct key_control *k, const struct gateway_options *o,
                            const int *theirs, struct load_error *why)
{
    pid_t parent = getpid();
    k->pid = fork();
    if (k->pid < 0) {
        return load_error_set(why, "the key holder cannot be started: %s", strerror(errno));
    }
    if (k->pid == 0) {
        become_holder(k, o, theirs, parent);
    }
    return ERR_OK;
}

enum err key_control_fork(const struct gateway_options *o, struct key_control **out,
                          struct load_error *why)
{
    struct key_control *k = mem_zalloc(sizeof(*k));
    size_t workers = (size_t)o->workers;
    int *theirs = mem_alloc((workers + 1) * sizeof(int));
    k->fd = -1;
    k->options = o;
    k->signing = mem_alloc(workers * sizeof(int));
    buf_init(&k->in, KEY_NOTE_MAX + READ_AT_ONCE);
    buf_init(&k->out, OUT_MAX);
    enum err err = make_pair(&k->fd, &theirs[0], why);
    size_t made = err == ERR_OK;
    for (size_t i = 0; i < workers && err == ERR_OK; i++) {
        err = make_pair(&k->signing[i], &theirs[i + 1], why);
        k->signing_count += err == ERR_OK;
        made += err == ERR_OK;
    }
    if (err == ERR_OK) {
        err = fork_holder(k, o, theirs, why);
    }
    close_all(theirs, made);
    free(theirs);
    if (err != ERR_OK) {
        k->pid = 0;
        key_control_free(k);
        return err;
    }
    *out = k;
    return ERR_OK;
}

int key_control_take_fd(struct key_control *k, size_t worker)
{
    int fd = k->signing[worker];
    k->signing[worker] = -1;
    return fd;
}

/* The end of the holder. */

/* ended tells how the process ended, and waits a moment for that: its sockets close before it is gone. */
static void ended(struct key_control *k, char *how, size_t size)
{
    int status;
    for (int waited = 0; waited < END_WAIT_MS && k->pid > 0; waited += END_POLL_MS) {
        pid_t pid = waitpid(k->pid, &status, WNOHANG);
        if (pid == 0) {
            poll(NULL, 0, END_POLL_MS);
            continue;
        }
        k->pid = 0;
        if (pid > 0 && WIFSIGNALED(status)) {
            snprintf(how, size, "killed by signal %d", WTERMSIG(status));
        } else if (pid > 0) {
            snprintf(how, size, "exit status %d", WEXITSTATUS(status));
        }
    }
}

static void hang_up(struct key_control *k)
{
    if (k->fd >= 0) {
        close(k->fd);
        k->fd = -1;
    }
}

static void lost(struct key_control *k, const char *why)
{
    char how[128];
    snprintf(how, sizeof(how), "%s", why);
    uv_poll_stop(&k->poll);
    hang_up(k); /* which ends it, should it still be there */
    ended(k, how, sizeof(how));
    k->owner.on_lost(k->owner.lost_arg, how);
}

/* Leases: a set that nobody signs under is one that the holder has to forget. */

static struct key_lease *lease_new(struct key_control *k, uint32_t set)
{
    size_t size = (k->lease_count + 1) * sizeof(struct key_lease *);
    k->leases = mem_realloc(k->leases, size);
    k->leases[k->lease_count] = key_lease_new(set);
    return k->leases[k->lease_count++];
}

static void say(struct key_control *k, const struct key_note *note);

static void give_back(struct key_control *k)
{
    size_t kept = 0;
    for (size_t i = 0; i < k->lease_count; i++) {
        struct key_lease *l = k->leases[i];
        if (key_lease_is_last(l)) {
            say(k, &(struct key_note){ .type = KEY_DROP, .set = key_lease_set(l) });
            key_lease_unref(l);
        } else {
            k->leases[kept++] = l;
        }
    }
    k->lease_count = kept;
}

static void on_look(uv_timer_t *timer)
{
    give_back(container_of(timer, struct key_control, look));
}

/* Notes from the holder. */

/* read_some returns what recv(2) does, and 0 as well when more is unread than a note may have. */
static ssize_t read_some(struct key_control *k)
{
    uint8_t *to = buf_reserve(&k->in, READ_AT_ONCE);
    ssize_t n = to == NULL ? 0 : recv(k->fd, to, READ_AT_ONCE, 0);
    if (n > 0) {
        buf_commit(&k->in, (size_t)n);
    }
    return n;
}

static enum err decode(struct key_control *k, const struct key_note *note, struct material **out,
                       struct load_error *why)
{
    if (material_decode(k->options, note->body, out) != ERR_OK) {
        return load_error_set(why, "what the key holder sent is no set of files");
    }
    material_set_lease(*out, lease_new(k, note->set));
    return ERR_OK;
}

/* take_material is the holder's source's take: the answer goes back. */
static void take_material(struct key_control *k, const struct key_note *note)
{
    struct key_note answer = { .type = KEY_TAKEN, .set = note->set };
    struct load_error why;
    struct material *m;
    enum err err = decode(k, note, &m, &why);
    if (err == ERR_OK && (err = k->owner.take(k->owner.take_arg, m, note->asked, &why)) != ERR_OK) {
        material_free(m);
    }
    if (err != ERR_OK) {
        answer.type = KEY_BAD;
        answer.body = slice_of(why.text);
    }
    say(k, &answer);
}

static void take_notes(struct key_control *k)
{
    struct key_note note;
    size_t used;
    enum key_wire_status status;
    while ((status = key_read_note(buf_slice(&k->in), false, &note, &used)) == KEY_WIRE_READY) {
        if (note.type == KEY_MATERIAL) { /* the others are said before there is a loop */
            take_material(k, &note);
        }
        buf_consume(&k->in, used);
    }
    if (buf_len(&k->in) == 0) {
        buf_release(&k->in);
    }
    if (status == KEY_WIRE_BAD) {
        lost(k, "it sent what breaks the format");
    }
}

static void flush(struct key_control *k);

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct key_control *k = container_of(poll, struct key_control, poll);
    ssize_t n = status < 0 ? 0 : 1;
    if (n > 0 && (events & UV_READABLE)) {
        n = read_some(k);
    }
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        lost(k, n == 0 ? "it closed the connection" : strerror(errno));
        return;
    }
    take_notes(k);
    flush(k);
}

/* wait_for_note: until the first note is whole, before there is a loop. */
static enum key_wire_status wait_for_note(struct key_control *k, struct key_note *note,
                                          size_t *used)
{
    enum key_wire_status status;
    while ((status = key_read_note(buf_slice(&k->in), false, note, used)) == KEY_WIRE_NEED_MORE) {
        struct pollfd p = { .fd = k->fd, .events = POLLIN };
        poll(&p, 1, -1);
        ssize_t n = read_some(k);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return KEY_WIRE_BAD;
        }
    }
    return status;
}

enum err key_control_first(struct key_control *k, struct material **out, struct load_error *why)
{
    struct key_note note;
    size_t used;
    if (wait_for_note(k, &note, &used) == KEY_WIRE_BAD) {
        char how[128] = "it said nothing";
        hang_up(k);
        ended(k, how, sizeof(how));
        return load_error_set(why, "the key holder ended at once: %s", how);
    }
    enum err err = note.type == KEY_MATERIAL
                       ? decode(k, &note, out, why)
                       : load_error_set(why, "%.*s", (int)note.body.len, (const char *)note.body.p);
    buf_consume(&k->in, used);
    return err;
}

/* Notes to the holder. */

static void flush(struct key_control *k)
{
    if (k->fd < 0) {
        return;
    }
    struct slice s = buf_slice(&k->out);
    ssize_t n = s.len == 0 ? 0 : send(k->fd, s.p, s.len, MSG_NOSIGNAL);
    buf_consume(&k->out, n < 0 ? 0 : (size_t)n); /* an error shows in the next read, too */
    uv_poll_start(&k->poll, UV_READABLE | (buf_len(&k->out) > 0 ? UV_WRITABLE : 0), on_poll);
}

static void say(struct key_control *k, const struct key_note *note)
{
    if (k->fd >= 0) {
        key_write_note(&k->out, note);
        flush(k);
    }
}

void key_control_reload(struct key_control *k)
{
    say(k, &(struct key_note){ .type = KEY_RELOAD });
}

void key_control_watch(struct key_control *k, uv_loop_t *loop,
                       const struct key_control_owner *owner)
{
    k->owner = *owner;
    k->watched = true;
    uv_poll_init(loop, &k->poll, k->fd);
    uv_timer_init(loop, &k->look);
    uv_timer_start(&k->look, on_look, LOOK_MS, LOOK_MS);
    say(k, &(struct key_note){ .type = KEY_TAKEN });
}

void key_control_unwatch(struct key_control *k)
{
    if (k->watched) {
        k->watched = false;
        uv_close((uv_handle_t *)&k->poll, NULL);
        uv_close((uv_handle_t *)&k->look, NULL);
        hang_up(k);
    }
}

void key_control_free(struct key_control *k)
{
    if (k != NULL) {
        char how[128];
        hang_up(k);
        close_all(k->signing, k->signing_count);
        ended(k, how, sizeof(how));
        buf_release(&k->in);
        buf_release(&k->out);
        for (size_t i = 0; i < k->lease_count; i++) {
            key_lease_unref(k->leases[i]);
        }
        free(k->leases);
        free(k->signing);
        free(k);
    }
}
