/*
 * watch: says when files may have changed. For each path it watches every directory in which a part of
 * it is looked up, along symbolic links, and the file itself: so it sees a rename over, a write in
 * place, a link that is turned (Kubernetes' ..data, certbot's live/ to archive/), a directory that is
 * replaced, and a single file that is bind-mounted. What inotify does not see (network file systems,
 * mmap) a slow poll of stat(2) does. It reads no file.
 */
#ifndef COFRE_GATEWAY_WATCH_H
#define COFRE_GATEWAY_WATCH_H

#include <uv.h>

struct watch;

enum {
    WATCH_QUIET_MS = 50,    /* nothing more has happened for so long: look now */
    WATCH_PATIENT_MS = 250, /* or so long after the first that happened */
    WATCH_POLL_MS = 60 * 1000,
};

/*
 * watch_new calls back on the loop's thread when something may have changed since watch_arm. `paths` is
 * copied, the texts are borrowed. Nothing is watched before the first watch_arm.
 */
struct watch *watch_new(uv_loop_t *loop, const char *const *paths, size_t count, uint64_t poll_ms,
                        void (*changed)(void *arg), void *arg);

/* watch_arm follows the paths as they are now; to be called before the files are read, each time. */
void watch_arm(struct watch *w);

/* watch_close ends it; memory is freed once the loop ran. NULL is fine. */
void watch_close(struct watch *w);

/*
 * watch_follow calls `visit` with each directory in which a part of the path is looked up, in order, and
 * with the file in the end; for watch_arm and its test. A part that is missing ends the walk.
 */
void watch_follow(const char *path, void (*visit)(void *arg, const char *path), void *arg);

#endif
