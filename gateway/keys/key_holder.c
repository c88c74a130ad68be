/*
 * key_holder: the forked process. It gives up what it does not need before it reads the first key, then
 * runs a loop for files and notes, and a thread for each worker's signatures. It never reads a byte that
 * came from the network but in what it is asked to sign.
 */
#include "keys/key_holder.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "keys/key_sets.h"
#include "keys/key_signer.h"
#include "keys/key_wire.h"
#include "privilege.h"
#include "sandbox.h"
#include "files/source.h"

enum { IN_MAX = 64 * 1024 }; /* notes from the gateway are short */

struct key_holder {
    const struct gateway_options *options;
    uv_loop_t loop;
    uv_poll_t control;
    uv_timer_t reload;
    int fd;
    struct source *source;
    struct key_sets *sets;
    struct key_signer **signers;
    size_t signer_count;
    uint32_t last_set;
    bool waiting;    /* for the gateway's answer to a set */
    enum err answer; /* when that has come */
    struct load_error bad;
    struct buf in;
};

static void on_reload(uv_timer_t *timer);

/* Becoming no more than a key holder. */

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* What came with the fork is the gateway's business: listening sockets, whatever the starter left open. */
static void close_others(const struct key_holder_fds *fds)
{
    size_t count = fds->count + 1;
    int *keep = mem_alloc(count * sizeof(int));
    memcpy(keep, fds->signing, fds->count * sizeof(int));
    keep[fds->count] = fds->control;
    qsort(keep, count, sizeof(int), compare_ints);
    unsigned next = STDERR_FILENO + 1;
    for (size_t i = 0; i < count; i++) {
        if ((unsigned)keep[i] > next) {
            close_range(next, (unsigned)keep[i] - 1, 0);
        }
        next = (unsigned)keep[i] + 1;
    }
    close_range(next, ~0U, 0);
    free(keep);
}

/* Signals to the whole group or unit are the gateway's to act on: it drains, and signs meanwhile. */
static void ignore_signals(void)
{
    static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE };
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++) {
        signal(ignored[i], SIG_IGN);
    }
}

static void shed(const struct key_holder_fds *fds)
{
    static const struct sandbox_rule rules[] = { { "/", SANDBOX_READ } };
    uv_set_process_title("cofre-keys");
    close_others(fds);
    ignore_signals();
    privilege_shed(PRIVILEGE_READING);
    if (sandbox_enter(rules, ARRAY_SIZE(rules)) != ERR_OK) {
        log_event(LOG_DEBUG, "the key holder runs without Landlock",
                  LF_STR("reason", strerror(errno)));
    }
    privilege_no_dump();
}

/* Where both have one uid, this is quicker than the end of a socket; else the kernel does not allow it. */
static bool die_with(int parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == parent;
}

/* Notes to the gateway. */

static bool wait_for_room(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

/* say writes all of a note; nothing else in this thread is in a hurry. False: the gateway is gone. */
static bool say(const struct key_holder *h, const struct key_note *note)
{
    struct buf out;
    buf_init(&out, KEY_NOTE_MAX);
    key_write_note(&out, note);
    bool ok = !out.overflow;
    while (ok && buf_len(&out) > 0) {
        struct slice rest = buf_slice(&out);
        ssize_t n = send(h->fd, rest.p, rest.len, MSG_NOSIGNAL);
        ok = n >= 0 || errno == EINTR || (errno == EAGAIN && wait_for_room(h->fd));
        buf_consume(&out, n < 0 ? 0 : (size_t)n);
    }
    buf_release(&out);
    return ok;
}

/* Notes from the gateway. */

static void take_note(struct key_holder *h, const struct key_note *note)
{
    switch (note->type) {
    case KEY_DROP:
        key_sets_drop(h->sets, note->set);
        break;
    case KEY_RELOAD:
        uv_timer_start(&h->reload, on_reload, 0, 0); /* perhaps the last set is not answered yet */
        break;
    case KEY_BAD:
        load_error_set(&h->bad, "%.*s", (int)note->body.len, (const char *)note->body.p);
        h->answer = ERR_INVALID;
        h->waiting = false;
        break;
    default: /* KEY_TAKEN */
        h->answer = ERR_OK;
        h->waiting = false;
        break;
    }
}

/* take_notes returns false when they break the format. */
static bool take_notes(struct key_holder *h)
{
    struct key_note note;
    size_t used;
    enum key_wire_status status;
    while ((status = key_read_note(buf_slice(&h->in), true, &note, &used)) == KEY_WIRE_READY) {
        take_note(h, &note);
        buf_consume(&h->in, used);
    }
    return status != KEY_WIRE_BAD;
}

/* read_notes returns false when the gateway has gone. */
static bool read_notes(struct key_holder *h)
{
    enum { AT_ONCE = 1024 };
    uint8_t *to = buf_reserve(&h->in, AT_ONCE);
    ssize_t n = to == NULL ? 0 : recv(h->fd, to, AT_ONCE, MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    buf_commit(&h->in, (size_t)n);
    return n > 0 && take_notes(h);
}

static void on_control(uv_poll_t *poll, int status, int events)
{
    struct key_holder *h = container_of(poll, struct key_holder, control);
    (void)events;
    if (status < 0 || !read_notes(h)) {
        uv_stop(&h->loop); /* the gateway has gone: so do we */
    }
}

/* Sets. */

static uint32_t keep_keys(struct key_holder *h, const struct material *m)
{
    size_t count = material_count(m, MATERIAL_CERT);
    EVP_PKEY **keys = mem_alloc(count * sizeof(EVP_PKEY *));
    for (size_t i = 0; i < count; i++) {
        keys[i] = material_key(m, i)->key;
    }
    key_sets_add(h->sets, ++h->last_set, keys, count);
    free(keys);
    return h->last_set;
}

static bool send_material(struct key_holder *h, const struct material *m, bool asked, uint32_t set)
{
    struct buf bytes;
    buf_init(&bytes, MATERIAL_MAX_BYTES);
    material_encode(m, &bytes);
    bool ok =
        !bytes.overflow &&
        say(h, &(struct key_note){
                   .type = KEY_MATERIAL, .asked = asked, .set = set, .body = buf_slice(&bytes) });
    buf_release(&bytes);
    return ok;
}

/* wait_for_answer: signers are other threads, and nothing else here is in a hurry. */
static enum err wait_for_answer(struct key_holder *h, struct load_error *why)
{
    h->waiting = true;
    while (h->waiting) {
        struct pollfd p = { .fd = h->fd, .events = POLLIN };
        poll(&p, 1, -1);
        if (!read_notes(h)) {
            uv_stop(&h->loop);
            return load_error_set(why, "the gateway has gone");
        }
    }
    *why = h->bad;
    return h->answer;
}

/* offer is the source's take: the gateway says whether the set can be used. */
static enum err offer(void *arg, struct material *m, bool asked, struct load_error *why)
{
    struct key_holder *h = arg;
    uint32_t set = keep_keys(h, m);
    key_sets_wipe_stack();
    if (!send_material(h, m, asked, set)) {
        uv_stop(&h->loop);
        return load_error_set(why, "the gateway has gone, or the files are more than it takes");
    }
    enum err err = wait_for_answer(h, why);
    if (err == ERR_OK) {
        material_free(m);
    } else {
        key_sets_drop(h->sets, set);
    }
    return err;
}

/* first: what the gateway cannot start without, and so it is told what is wrong with it. */
static enum err first(struct key_holder *h)
{
    struct load_error why;
    struct material *m;
    enum err err = material_read(h->options, &m, &why);
    if (err != ERR_OK) {
        say(h, &(struct key_note){ .type = KEY_NOTHING, .body = slice_of(why.text) });
        return err;
    }
    uint8_t digest[SHA256_DIGEST_LENGTH];
    memcpy(digest, material_digest(m), sizeof(digest));
    err = offer(h, m, false, &why);
    if (err != ERR_OK) {
        material_free(m);
        return err;
    }
    h->source = source_new(&h->loop, h->options, digest, offer, h);
    return ERR_OK;
}

static void on_reload(uv_timer_t *timer)
{
    source_ask(container_of(timer, struct key_holder, reload)->source);
}

/* Life. */

static enum err start_signers(struct key_holder *h, const struct key_holder_fds *fds)
{
    h->signers = mem_alloc(fds->count * sizeof(struct key_signer *));
    for (size_t i = 0; i < fds->count; i++) {
        enum err err = key_signer_start(h->sets, fds->signing[i], &h->signers[i]);
        if (err != ERR_OK) {
            return err;
        }
        h->signer_count++;
    }
    return ERR_OK;
}

static void release(struct key_holder *h)
{
    for (size_t i = 0; i < h->signer_count; i++) {
        key_signer_stop(h->signers[i]);
    }
    free(h->signers);
    key_sets_free(h->sets);
    source_close(h->source);
    uv_close((uv_handle_t *)&h->control, NULL);
    uv_close((uv_handle_t *)&h->reload, NULL);
    while (uv_loop_close(&h->loop) == UV_EBUSY) { /* a uv_stop may end the first run early */
        uv_run(&h->loop, UV_RUN_DEFAULT);
    }
    buf_release(&h->in);
}

int key_holder_run(const struct gateway_options *o, const struct key_holder_fds *fds, int parent)
{
    struct key_holder h = { .options = o, .fd = fds->control };
    if (!die_with(parent)) {
        return EXIT_FAILURE;
    }
    shed(fds);
    buf_init(&h.in, IN_MAX);
    h.sets = key_sets_new();
    uv_loop_init(&h.loop);
    uv_poll_init(&h.loop, &h.control, h.fd);
    uv_poll_start(&h.control, UV_READABLE, on_control);
    uv_timer_init(&h.loop, &h.reload);
    int status = EXIT_FAILURE;
    if (start_signers(&h, fds) == ERR_OK && first(&h) == ERR_OK) {
        uv_run(&h.loop, UV_RUN_DEFAULT);
        status = EXIT_SUCCESS;
    }
    release(&h);
    return status;
}
