/*
 * source: where material comes from while the gateway runs (DESIGN §5.5): read again when asked, and when
 * a file may have changed. Runs in any loop, on its thread.
 *
 *     asked (SIGHUP) ─┐
 *     watch ──────────┴─▶ read ──▶ whole and another one (or asked) ──▶ take ──▶ done
 *                          ▲                                             │
 *                          └── again after a pause, for SOURCE_PATIENCE_MS ◀── bad: half-written, wrong
 *
 * A set that is still bad after that is logged as refused, once for each reason and each time that
 * somebody asked; it is tried again when a file changes and at each slow poll, and what was taken before
 * stays in use.
 */
#ifndef COFRE_GATEWAY_SOURCE_H
#define COFRE_GATEWAY_SOURCE_H

#include <uv.h>

#include "files/material.h"

struct source;

enum {
    SOURCE_PAUSE_MS = 50, /* before a bad set is read again; twice as long each time */
    SOURCE_MAX_PAUSE_MS = 400,
    SOURCE_PATIENCE_MS = 2000,
};

/*
 * A source_take gets each set that was read whole. ERR_OK: the material is its own now. Else *why says
 * what is wrong with the set, and the material stays the source's. When somebody `asked`, it may be the
 * same set again; the taker says so in the log. It must not close the source.
 */
typedef enum err source_take(void *arg, struct material *m, bool asked, struct load_error *why);

/*
 * source_new begins with a look at the files, against `present`, the digest of the set in use: what
 * changed since that was read is found. `options` must outlive it; --watch off leaves only source_ask.
 */
struct source *source_new(uv_loop_t *loop, const struct gateway_options *options,
                          const uint8_t present[SHA256_DIGEST_LENGTH], source_take *take,
                          void *arg);

/* source_ask reads now and gives the set, changed or not. */
void source_ask(struct source *s);

/* source_close ends it; memory is freed once the loop ran. NULL is fine. */
void source_close(struct source *s);

#endif
