/*
 * key_control: the gateway's hold on its key holder: starts the process, receives the sets of files that it
 * reads, tells it which sets nobody signs under any more, and notices when it is gone. Main thread only.
 */
#ifndef COFRE_GATEWAY_KEY_CONTROL_H
#define COFRE_GATEWAY_KEY_CONTROL_H

#include <uv.h>

#include "key_lease.h"
#include "key_wire.h"
#include "options.h"
#include "pem.h"

struct key_control;

/*
 * What the owner hears, on the main loop.
 * on_material  a set that the holder has read. The bytes are lent; who signs under it takes a reference of
 *              the lease, or the holder will forget its private keys
 * on_refused   there is no new set, and why
 * on_lost      the holder is gone: nothing is signed any more. Once; `how` it ended is for the log.
 */
struct key_control_events {
    void (*on_material)(void *arg, struct key_lease *lease, struct slice bytes);
    void (*on_refused)(void *arg, struct slice why);
    void (*on_lost)(void *arg, const char *how);
};

/* key_control_fork starts the holder. Before any thread, any secret and any privilege is given up. */
MUST_CHECK enum err key_control_fork(const struct gateway_options *o, struct key_control **out,
                                     struct load_error *why);

/*
 * key_control_first waits for the first set; ERR_INVALID with the holder's reason when it cannot be read.
 * The bytes live until key_control_watch, the lease is lent as on_material's.
 */
MUST_CHECK enum err key_control_first(struct key_control *k, struct key_lease **lease,
                                      struct slice *bytes, struct load_error *why);

/* key_control_take_fd gives a worker its socket, which is then the worker's. */
int key_control_take_fd(struct key_control *k, size_t worker);

/* key_control_watch goes on in the main loop. `events` are borrowed. */
void key_control_watch(struct key_control *k, uv_loop_t *loop,
                       const struct key_control_events *events, void *arg);

/* key_control_reload has the files read again; `force` is passed along. */
void key_control_reload(struct key_control *k, bool force);

/* key_control_unwatch takes it out of its loop, which must run once more. */
void key_control_unwatch(struct key_control *k);

/* key_control_free ends the holder and waits for that. NULL is fine. */
void key_control_free(struct key_control *k);

#endif
