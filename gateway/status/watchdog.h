/*
 * watchdog: tells the service manager that we live, as long as every worker answers. A worker that hangs
 * keeps it silent, and the manager does what its unit says. Main thread only.
 */
#ifndef COFRE_GATEWAY_WATCHDOG_H
#define COFRE_GATEWAY_WATCHDOG_H

#include "status/systemd.h"
#include "worker.h"

struct watchdog;

/* watchdog_new returns NULL when the manager wants no watchdog. Everything is borrowed. */
struct watchdog *watchdog_new(uv_loop_t *loop, const struct systemd *manager,
                              struct worker **workers, size_t count);

/* watchdog_close stops it; the loop must run once more, and the workers' calls be back, before watchdog_free. */
void watchdog_close(struct watchdog *w);
void watchdog_free(struct watchdog *w);

#endif
