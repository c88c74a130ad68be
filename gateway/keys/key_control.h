/*
 * key_control: the gateway's hold on its key holder: starts the process, receives the sets of files that it
 * reads, tells it which sets nobody signs under any more, and notices when it is gone. Main thread only.
 */
#ifndef COFRE_GATEWAY_KEY_CONTROL_H
#define COFRE_GATEWAY_KEY_CONTROL_H

#include <uv.h>

#include "files/source.h"

struct key_control;

/*
 * What the owner hears, on the main loop.
 * take     each set that the holder has read, its private keys replaced by a lease, as from a source: what
 *          it answers goes to the holder's source
 * on_lost  the holder is gone: nothing is signed any more. Once; `how` it ended is for the log.
 */
struct key_control_owner {
    source_take *take;
    void *take_arg;
    void (*on_lost)(void *arg, const char *how);
    void *lost_arg;
};

/* key_control_fork starts the holder. Before any thread, any secret and any privilege is given up. */
MUST_CHECK enum err key_control_fork(const struct gateway_options *o, struct key_control **out,
                                     struct load_error *why);

/*
 * key_control_first waits for the first set, and gives it to the caller; ERR_INVALID with the holder's
 * reason when it cannot be read. key_control_watch tells the holder that it was taken.
 */
MUST_CHECK enum err key_control_first(struct key_control *k, struct material **out,
                                      struct load_error *why);

/* key_control_take_fd gives a worker its socket, which is then the worker's. */
int key_control_take_fd(struct key_control *k, size_t worker);

/* key_control_watch goes on in the main loop. */
void key_control_watch(struct key_control *k, uv_loop_t *loop,
                       const struct key_control_owner *owner);

/* key_control_reload has the files read again. */
void key_control_reload(struct key_control *k);

/* key_control_unwatch takes it out of its loop, which must run once more. */
void key_control_unwatch(struct key_control *k);

/* key_control_free ends the holder and waits for that. NULL is fine. */
void key_control_free(struct key_control *k);

#endif
