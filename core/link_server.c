/*
 * Accepting links from the gateway's uid, and what is done with all of them once per loop iteration.
 */
#include "link_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "link_private.h"

enum { LOOK_SLOW_MS = 1000 /* how often those who do not read are looked at */ };

struct link_server {
    struct core *core;
    uv_pipe_t *listener;
    struct link *links;
    uint64_t looked_ms; /* monotonic, when those who do not read were last looked at */
    uid_t gateway_uid;
    bool stopped;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* --- once per loop iteration -------------------------------------------------------------------------------- */

static void cut_slow(struct link_server *ls)
{
    const uint64_t now = uv_now(ls->core->loop);
    if (now - ls->looked_ms < LOOK_SLOW_MS)
        return;
    ls->looked_ms = now;
    for (struct link *l = ls->links; l; l = l->next)
        link_cut_slow(l);
}

void link_server_flush(struct link_server *ls)
{
    cut_slow(ls);
    for (struct link *l = ls->links, *next; l; l = next) {
        next = l->next;
        link_flush(l);
    }
}

void link_server_remove(struct link_server *ls, struct link *l)
{
    struct link **at = &ls->links;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
}

bool link_server_idle(const struct link_server *ls)
{
    for (const struct link *l = ls->links; l; l = l->next)
        if (l->write_busy || buf_len(&l->out) > 0 || !l->drained)
            return false;
    return true;
}

void link_server_end_sessions(struct link_server *ls)
{
    for (struct session *s = ls->core->first_session, *next; ls->core->ending && s; s = next) {
        next = s->all.next; /* closing one frees no other: its queue is dropped */
        if (s->ending)
            link_close_session(s, s->ending);
    }
}

/* --- accepting ---------------------------------------------------------------------------------------------- */

static bool peer_allowed(const struct link *l)
{
    struct ucred peer = { .uid = LINK_NOBODY };
    socklen_t size = sizeof(peer);
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&l->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    if (peer.uid == l->server->gateway_uid && peer.uid != LINK_NOBODY)
        return true;
    log_event(LOG_WARNING, "refused a process that is not the gateway", LF_INT("uid", peer.uid),
              LF_INT("pid", peer.pid), LF_INT("gateway_uid", l->server->gateway_uid));
    audit_stranger(l->server->core, peer.uid, peer.pid);
    return false;
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct link_server *ls = listener->data;
    if (status < 0)
        return;
    struct link *l = link_new(ls, ls->core);
    if (uv_accept(listener, (uv_stream_t *)&l->pipe) != 0 || !peer_allowed(l) || ls->stopped) {
        link_drop(l);
        return;
    }
    l->next = ls->links;
    ls->links = l;
    link_begin(l);
}

/* path_in_use: someone answers there. A socket that nobody listens on is left from a core that was killed. */
static bool path_in_use(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, path, strlen(path) + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool used = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0)
        close(fd);
    return used;
}

static enum err prepare_path(const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
        snprintf(why, why_size, "--socket %s: the path is too long for a Unix socket", path);
        return ERR_INVALID;
    }
    if (lstat(path, &st) != 0)
        return ERR_OK;
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(why, why_size, "--socket %s: there is a file that is not a socket", path);
        return ERR_INVALID;
    }
    if (path_in_use(path)) {
        snprintf(why, why_size,
                 "--socket %s: another core is listening there; stop it or choose another path",
                 path);
        return ERR_INVALID;
    }
    unlink(path);
    return ERR_OK;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

enum err link_server_new(struct core *core, const char *path, uid_t gateway_uid, char *why,
                         size_t why_size, struct link_server **out)
{
    if (prepare_path(path, why, why_size) != ERR_OK)
        return ERR_INVALID;
    struct link_server *ls = mem_zalloc(sizeof(*ls));
    ls->core = core;
    ls->gateway_uid = gateway_uid;
    ls->listener = mem_zalloc(sizeof(*ls->listener));
    ls->listener->data = ls;
    memcpy(ls->path, path, strlen(path) + 1);
    uv_pipe_init(core->loop, ls->listener, 0);
    int rc = uv_pipe_bind(ls->listener, path);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)ls->listener, 64, on_connection);
    if (rc == 0 && chmod(path, 0666) != 0) /* who may speak is decided by SO_PEERCRED */
        rc = -errno;
    if (rc != 0) {
        snprintf(why, why_size, "--socket %s: %s", path, uv_strerror(rc));
        uv_close((uv_handle_t *)ls->listener, free_handle);
        free(ls);
        return ERR_INVALID;
    }
    *out = ls;
    return ERR_OK;
}

void link_server_stop(struct link_server *ls)
{
    if (ls->stopped)
        return;
    ls->stopped = true;
    uv_close((uv_handle_t *)ls->listener, free_handle); /* also removes the path */
    for (struct link *l = ls->links; l; l = l->next)
        link_write_close(l, 0, "the core stops");
}

void link_server_close(struct link_server *ls)
{
    while (ls->links)
        link_close(ls->links, "the core stops");
}

void link_server_free(struct link_server *ls)
{
    if (ls == NULL)
        return;
    link_server_stop(ls);
    link_server_close(ls);
    free(ls);
}

bool link_stat(const struct link_server *ls, size_t index, struct link_stat *out)
{
    const struct link *first = ls->links;
    if (first == NULL || index >= first->stats.count)
        return false;
    *out = (struct link_stat){ .kind = LINK_STAT_NONE };
    memcpy(out->name, first->stats.values[index].name, sizeof(out->name));
    for (const struct link *l = first; l; l = l->next)
        link_stats_add(&l->stats, out);
    return true;
}
