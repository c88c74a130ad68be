/*
 * keylog: the file that --keylog names, with the secrets of every TLS session, for Wireshark. Opened once,
 * before privileges are dropped; reloads keep it.
 */
#ifndef COFRE_GATEWAY_KEYLOG_H
#define COFRE_GATEWAY_KEYLOG_H

#include "files/pem.h"

/*
 * keylog_open makes the file, 0600, or goes on with one that is there. What others may read, own or have
 * put in its place is refused and not mended: they may have it open already.
 */
MUST_CHECK enum err keylog_open(const char *path, int *fd, struct load_error *why);

/* keylog_warn says in the log, whatever its level, that secrets are written. */
void keylog_warn(const char *path);

/* keylog_write appends a line, whole. Any thread. A full disk must not end a session: errors are ignored. */
void keylog_write(int fd, const char *line);

#endif
