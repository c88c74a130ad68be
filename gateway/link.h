/*
 * link: a worker's one connection to the core. Reads frames, gathers what is to be sent and sends it
 * once per loop turn, and comes back by itself after the core went away. It knows no session.
 */
#ifndef COFRE_GATEWAY_LINK_H
#define COFRE_GATEWAY_LINK_H

#include <uv.h>

#include "wire/frame.h"

struct link;

/*
 * What the owner hears; all on the loop's thread, never from within link_new.
 * on_up     frames may be appended from now on
 * on_down   the core is gone; whatever was appended and not answered has an unknown outcome
 * on_frame  one frame; its payload lives until on_batch_end returns
 * on_batch_end  everything that one read brought was given to on_frame
 */
struct link_events {
    void (*on_up)(void *arg);
    void (*on_down)(void *arg);
    void (*on_frame)(void *arg, const struct frame *f);
    void (*on_batch_end)(void *arg);
};

/* Backpressure: above HIGH clients are not read, below LOW they are again. */
enum {
    LINK_HIGH = 1024 * 1024,
    LINK_LOW = 256 * 1024,
};

/* link_new begins to connect on the next loop turn. `path` and `events` are borrowed. */
struct link *link_new(uv_loop_t *loop, const char *path, const struct link_events *events,
                      void *arg);

/* link_close ends it for good, without on_down; it is freed once its handles are closed. */
void link_close(struct link *l);

bool link_is_up(const struct link *l);
bool link_is_draining(const struct link *l); /* up, but no request may be appended any more */
void link_say_drained(struct link *l); /* when draining: all that was begun has been appended */
struct buf *link_out(struct link *l);  /* append whole frames, only while up */
void link_flush(struct link *l);       /* once per loop turn */

#endif
