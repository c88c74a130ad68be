/*
 * key_client: a worker's side of the key holder: asks for signatures and says when they are there. All
 * that one loop turn asks for leaves in one write; requests are told apart by ids, so that who asked
 * may be gone when the answer comes.
 */
#ifndef COFRE_GATEWAY_KEY_CLIENT_H
#define COFRE_GATEWAY_KEY_CLIENT_H

#include <uv.h>

#include "keys/key_wire.h"

struct key_client;

/*
 * What the worker hears, on the loop's thread and never from within another function here.
 * on_reply  a signature, or an empty one: it was refused
 * on_lost   the holder is gone: no answer comes any more. Once.
 */
struct key_client_events {
    void (*on_reply)(void *arg, const struct key_reply *reply);
    void (*on_lost)(void *arg);
};

/* key_client_new speaks through fd (taken over). `events` are borrowed. */
struct key_client *key_client_new(uv_loop_t *loop, int fd, const struct key_client_events *events,
                                  void *arg);

/* key_client_ask: false when the holder is gone, or has more to do than it will get done in time. */
bool key_client_ask(struct key_client *k, const struct key_request *request);

/* key_client_waiting: how many answers have not come yet. */
size_t key_client_waiting(const struct key_client *k);

/* key_client_flush: once per loop turn. */
void key_client_flush(struct key_client *k);

/* key_client_close ends it; it frees itself. NULL is fine. */
void key_client_close(struct key_client *k);

#endif
