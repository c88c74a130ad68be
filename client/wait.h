/* wait: deadlines, and waiting for a descriptor until one. Times are milliseconds on the monotonic clock. */
#ifndef COFRE_CLIENT_WAIT_H
#define COFRE_CLIENT_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define WAIT_FOREVER INT64_MAX

int64_t wait_now(void);

/*
 * wait_until waits until fd has one of the poll(2) events: ERR_TIMEOUT once the deadline has passed, ERR_INTERRUPTED when
 * Ctrl-C was pressed between wait_interrupts(true) and wait_interrupts(false).
 */
MUST_CHECK enum err wait_until(int fd, short events, int64_t deadline);

/*
 * wait_interrupts(true): until wait_interrupts(false), SIGINT ends a wait instead of the program. It is let in while we wait
 * and at no other moment, so that none is missed and none comes in the middle of something else.
 */
void wait_interrupts(bool on);

#endif
