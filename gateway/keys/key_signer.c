/*
 * key_signer: read what the worker asked for in one loop turn, sign one after the other, answer in few
 * writes. Plain blocking calls: the thread has nothing else to do.
 */
#include "keys/key_signer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "keys/tls_sign.h"

enum {
    IN_CAP = 64 * 1024,
    AT_ONCE = 16, /* signatures */
    OUT_MAX = AT_ONCE * KEY_REPLY_MAX,
};

struct key_signer {
    uv_thread_t thread;
    struct key_sets *sets;
    int fd;
    time_t logged;    /* when a refusal was last logged: at most once a second */
    unsigned refused; /* since then */
    size_t filled;    /* of in: [0, filled) unread · [filled, IN_CAP) free */
    struct buf out;
    uint8_t in[IN_CAP];
};

static bool answer(struct key_sets *sets, const struct key_request *r, struct buf *out)
{
    uint8_t signature[TLS_SIGN_MAX];
    size_t len = 0;
    EVP_PKEY *key = key_sets_find(sets, r->set, r->pair);
    bool ok = key != NULL && tls_sign(key, r->scheme, r->message, signature, &len) == ERR_OK;
    EVP_PKEY_free(key);
    key_write_reply(out, &(struct key_reply){ .id = r->id, .signature = { signature, len } });
    return ok;
}

struct key_answers key_signer_answer(struct key_sets *sets, struct slice in, struct buf *out)
{
    struct key_answers done = { .took = 0 };
    for (int i = 0; i < AT_ONCE && !done.bad; i++) {
        struct key_request r;
        size_t used;
        enum key_wire_status status =
            key_read_request((struct slice){ in.p + done.took, in.len - done.took }, &r, &used);
        if (status != KEY_WIRE_READY) {
            done.bad = status == KEY_WIRE_BAD;
            break;
        }
        done.refused += !answer(sets, &r, out);
        done.took += used;
    }
    return done;
}

static bool send_all(const struct key_signer *s, struct slice rest)
{
    while (rest.len > 0) {
        ssize_t n = send(s->fd, rest.p, rest.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        size_t took = n < 0 ? 0 : (size_t)n;
        rest = (struct slice){ rest.p + took, rest.len - took };
    }
    return true;
}

static void log_refused(struct key_signer *s)
{
    time_t now = time(NULL);
    if (s->refused > 0 && now != s->logged) {
        log_event(LOG_ERROR, "signatures refused: no TLS server of this set signs that",
                  LF_INT("count", s->refused));
        s->refused = 0;
        s->logged = now;
    }
}

/* answer_all answers every whole request that was read. False: the worker has gone, or is not itself. */
static bool answer_all(struct key_signer *s)
{
    size_t at = 0;
    struct key_answers done;
    do {
        done = key_signer_answer(s->sets, (struct slice){ s->in + at, s->filled - at }, &s->out);
        bool sent = send_all(s, buf_slice(&s->out));
        buf_clear(&s->out);
        at += done.took;
        s->refused += done.refused;
        log_refused(s);
        if (!sent || done.bad) {
            return false;
        }
    } while (done.took > 0);
    memmove(s->in, s->in + at, s->filled - at);
    s->filled -= at;
    return true;
}

static bool serve_once(struct key_signer *s)
{
    ssize_t n = recv(s->fd, s->in + s->filled, IN_CAP - s->filled, 0);
    if (n <= 0) {
        return n < 0 && errno == EINTR;
    }
    s->filled += (size_t)n;
    bool ok = answer_all(s);
    key_sets_wipe_stack();
    return ok;
}

static void run(void *arg)
{
    struct key_signer *s = arg;
    while (serve_once(s)) {
    }
    shutdown(s->fd, SHUT_RDWR); /* the worker learns of it, whatever the reason */
}

enum err key_signer_start(struct key_sets *sets, int fd, struct key_signer **out)
{
    struct key_signer *s = mem_zalloc(sizeof(*s));
    s->sets = sets;
    s->fd = fd;
    buf_init(&s->out, OUT_MAX);
    if (uv_thread_create(&s->thread, run, s) != 0) {
        free(s);
        return ERR_SYSTEM;
    }
    *out = s;
    return ERR_OK;
}

void key_signer_stop(struct key_signer *s)
{
    if (s != NULL) {
        shutdown(s->fd, SHUT_RDWR);
        uv_thread_join(&s->thread);
        close(s->fd);
        buf_release(&s->out);
        free(s);
    }
}
