/*
 * expiry: background work on a borrowed read lane: deleting rows whose time is over, emptying retired spaces, the
 * database's clock, INFO's key counts. And while somebody waits for keys to expire: finding those that did, once each.
 */
#ifndef COFRE_EXPIRY_H
#define COFRE_EXPIRY_H

#include "core_private.h"

struct expiry;

struct expiry *expiry_new(struct core *core);
void expiry_start(struct expiry *x);
void expiry_free(struct expiry *x);

/* expiry_look: a key was met whose time is over: look for such now, if anybody waits for it. */
void expiry_look(struct expiry *x);

/* expiry_key_count: what INFO shows; counted again when asked for and older than 10 s. False past the last. */
bool expiry_key_count(struct expiry *x, size_t index, struct core_key_count *out);

#endif
