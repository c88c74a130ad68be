/*
 * watch: libuv's fs events on directories, made anew at each arming: an inotify watch is on an inode,
 * and what a path leads to may be another one by now. The new ones are started before the former end, so
 * that nothing is missed in between.
 */
#include "files/watch.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "files/stamp.h"

enum { MAX_LINKS = 40 }; /* as Linux has it (path_resolution(7)) */

struct spot {
    uv_fs_event_t event;
    struct spot *next;
    struct watch *owner;
    char *path;
};

struct watch {
    uv_loop_t *loop;
    const char **paths;
    struct stamp *stamps; /* of the paths, at the last arming */
    bool was_fresh;       /* one of them had been written within the second before */
    size_t count;
    struct spot *spots;
    uv_timer_t soon; /* runs from the first event until it is quiet */
    uv_timer_t slow;
    uint64_t poll_ms;
    uint64_t since; /* the first event of those that `soon` waits for */
    void (*changed)(void *arg);
    void *arg;
    int handles;      /* that are not closed yet; the last one frees */
    bool was_refused; /* the kernel gave no watch, and that was logged */
};

/* Following a path. */

struct walk {
    char at[PATH_MAX];       /* a directory, without links */
    char rest[2 * PATH_MAX]; /* what is still to be looked up from there */
    int links;
};

/* cut_part takes the first part off the rest; false when none is left. */
static bool cut_part(struct walk *k, char part[NAME_MAX + 1])
{
    const char *p = k->rest + strspn(k->rest, "/");
    size_t len = strcspn(p, "/");
    if (len == 0 || len > NAME_MAX) {
        return false;
    }
    memcpy(part, p, len);
    part[len] = '\0';
    memmove(k->rest, p + len, strlen(p + len) + 1);
    return true;
}

static bool join(char out[PATH_MAX], const char *directory, const char *part)
{
    const char *slash = strcmp(directory, "/") == 0 ? "" : "/";
    return snprintf(out, PATH_MAX, "%s%s%s", directory, slash, part) < PATH_MAX;
}

static void go_up(struct walk *k)
{
    char *slash = strrchr(k->at, '/');
    if (slash != NULL) {
        slash[slash == k->at ? 1 : 0] = '\0';
    }
}

static bool turn_at_link(struct walk *k, const char *link)
{
    char target[PATH_MAX];
    char rest[sizeof(k->rest)];
    ssize_t len = readlink(link, target, sizeof(target) - 1);
    if (len <= 0 || ++k->links > MAX_LINKS) {
        return false;
    }
    target[len] = '\0';
    if (snprintf(rest, sizeof(rest), "%s/%s", target, k->rest) >= (int)sizeof(rest)) {
        return false;
    }
    memcpy(k->rest, rest, strlen(rest) + 1);
    if (target[0] == '/') {
        memcpy(k->at, "/", 2);
    }
    return true;
}

static bool start_walk(struct walk *k, const char *path)
{
    if (path[0] == '/') {
        memcpy(k->at, "/", 2);
    } else if (getcwd(k->at, sizeof(k->at)) == NULL) {
        return false;
    }
    return snprintf(k->rest, sizeof(k->rest), "%s", path) < (int)sizeof(k->rest);
}

void watch_follow(const char *path, void (*visit)(void *arg, const char *path), void *arg)
{
    struct walk k = { .links = 0 };
    char part[NAME_MAX + 1], next[PATH_MAX];
    bool going = start_walk(&k, path);
    while (going && cut_part(&k, part)) {
        struct stat st;
        if (strcmp(part, ".") == 0) {
            continue;
        }
        if (strcmp(part, "..") == 0) {
            go_up(&k);
            continue;
        }
        visit(arg, k.at);
        if (!join(next, k.at, part) || lstat(next, &st) != 0) {
            return;
        }
        if (S_ISLNK(st.st_mode)) {
            going = turn_at_link(&k, next);
        } else if (S_ISDIR(st.st_mode)) {
            memcpy(k.at, next, sizeof(next));
        } else {
            visit(arg, next);
            return;
        }
    }
}

/* Noticing. */

static void on_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    if (--w->handles == 0) {
        free(w->stamps);
        free(w->paths);
        free(w);
    }
}

static void on_spot_closed(uv_handle_t *handle)
{
    struct spot *s = container_of((uv_fs_event_t *)handle, struct spot, event);
    handle->data = s->owner;
    on_closed(handle);
    free(s->path);
    free(s);
}

/*
 * has_changed compares with what was there at the arming: directories hold other files, too. A file that
 * had just been written then may have been written once more within the same tick of the clock.
 */
static bool has_changed(const struct watch *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct stamp now = stamp_take(w->paths[i]);
        if (!stamp_equal(&now, &w->stamps[i])) {
            return true;
        }
    }
    return w->was_fresh;
}

static void on_look(uv_timer_t *timer)
{
    struct watch *w = timer->data;
    if (has_changed(w)) {
        w->changed(w->arg);
    }
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct watch *w = event->data;
    uint64_t now = uv_now(w->loop);
    (void)name;
    (void)events;
    (void)status;
    if (!uv_is_active((uv_handle_t *)&w->soon)) {
        w->since = now;
    }
    uint64_t waited = now - w->since;
    uint64_t left = waited < WATCH_PATIENT_MS ? WATCH_PATIENT_MS - waited : 0;
    uv_timer_start(&w->soon, on_look, left < WATCH_QUIET_MS ? left : WATCH_QUIET_MS, 0);
}

/* Arming. */

static void say_refused(struct watch *w, const char *path, int error)
{
    if (!w->was_refused) {
        /* A directory on the way that may be entered but not read is no great loss. */
        log_event(
            error == UV_EACCES ? LOG_INFO : LOG_WARNING,
            "this cannot be watched: changes are noticed by a look now and then, or by SIGHUP",
            LF_STR("path", path), LF_STR("reason", uv_strerror(error)),
            LF_INT("seconds", w->poll_ms / 1000));
    }
    w->was_refused = true;
}

static bool is_watched(const struct watch *w, const char *path)
{
    for (const struct spot *s = w->spots; s != NULL; s = s->next) {
        if (strcmp(s->path, path) == 0) {
            return true;
        }
    }
    return false;
}

static void add_spot(void *arg, const char *path)
{
    struct watch *w = arg;
    if (is_watched(w, path)) {
        return;
    }
    struct spot *s = mem_zalloc(sizeof(*s));
    s->owner = w;
    s->path = mem_strdup(path);
    s->next = w->spots;
    w->spots = s;
    w->handles++;
    uv_fs_event_init(w->loop, &s->event);
    s->event.data = w;
    int rc = uv_fs_event_start(&s->event, on_event, path, 0);
    if (rc != 0 && rc != UV_ENOENT) { /* what is gone is noticed by the directory that it was in */
        say_refused(w, path, rc);
    }
}

static void close_spots(struct spot *first)
{
    for (struct spot *s = first, *next; s != NULL; s = next) {
        next = s->next;
        uv_close((uv_handle_t *)&s->event, on_spot_closed);
    }
}

void watch_arm(struct watch *w)
{
    struct spot *former = w->spots;
    w->spots = NULL;
    uv_timer_stop(&w->soon); /* what it waits for is about to be read */
    w->was_fresh = false;
    for (size_t i = 0; i < w->count; i++) {
        watch_follow(w->paths[i], add_spot, w);
        w->stamps[i] = stamp_take(w->paths[i]);
        w->was_fresh |= stamp_is_fresh(&w->stamps[i]);
    }
    close_spots(former);
}

struct watch *watch_new(uv_loop_t *loop, const char *const *paths, size_t count, uint64_t poll_ms,
                        void (*changed)(void *arg), void *arg)
{
    struct watch *w = mem_zalloc(sizeof(*w));
    w->loop = loop;
    w->count = count;
    w->paths = mem_alloc((count + 1) * sizeof(w->paths[0]));
    memcpy(w->paths, paths, count * sizeof(w->paths[0]));
    w->stamps = mem_zalloc((count + 1) * sizeof(w->stamps[0]));
    w->poll_ms = poll_ms;
    w->changed = changed;
    w->arg = arg;
    uv_timer_init(loop, &w->soon);
    uv_timer_init(loop, &w->slow);
    w->soon.data = w;
    w->slow.data = w;
    w->handles = 2;
    uv_timer_start(&w->slow, on_look, poll_ms, poll_ms);
    return w;
}

void watch_close(struct watch *w)
{
    if (w == NULL) {
        return;
    }
    close_spots(w->spots);
    w->spots = NULL;
    uv_close((uv_handle_t *)&w->soon, on_closed);
    uv_close((uv_handle_t *)&w->slow, on_closed);
}
