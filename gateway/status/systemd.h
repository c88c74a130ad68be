/*
 * systemd: what a service manager is told (sd_notify(3)) and what it hands over (sd_listen_fds(3)), by the
 * environment. Written out here: libsystemd would bring compression and cryptography libraries into the
 * process that faces the network, for a datagram and an environment variable. Main thread only.
 */
#ifndef COFRE_GATEWAY_SYSTEMD_H
#define COFRE_GATEWAY_SYSTEMD_H

#include "status/listen_set.h"

struct systemd {
    int fd;               /* connected to the manager's socket, or -1: there is none */
    uint64_t watchdog_ms; /* it wants to hear of us at least so often; 0: it does not */
};

/*
 * systemd_init reads the environment and takes our variables out of it, so that no child takes them for its
 * own. Before privileges are dropped.
 */
void systemd_init(struct systemd *s);
void systemd_release(struct systemd *s);

/* systemd_notify sends "READY=1\nSTATUS=…" and the like; without a manager it does nothing. */
void systemd_notify(const struct systemd *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* systemd_reloading says RELOADING=1 with the time, which READY=1 must follow. */
void systemd_reloading(const struct systemd *s);

/* systemd_sockets adopts those that were handed over; none is fine, one that is no listening TCP socket is not. */
MUST_CHECK enum err systemd_sockets(struct listen_set *out, struct load_error *why);

/*
 * systemd_listen_fds reads LISTEN_PID and LISTEN_FDS for the process `pid`: how many descriptors there are
 * from 3 on. 0: none, or for another process. ERR_INVALID: not numbers, or too many. For systemd_sockets
 * and its tests.
 */
MUST_CHECK enum err systemd_listen_fds(const char *listen_pid, const char *listen_fds, int64_t pid,
                                       int *count);

/* systemd_watchdog reads WATCHDOG_USEC and WATCHDOG_PID: ms, 0: none wanted, or not from us. */
uint64_t systemd_watchdog(const char *usec, const char *watchdog_pid, int64_t pid);

#endif
