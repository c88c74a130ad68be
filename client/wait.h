/* wait: deadlines, and waiting for a descriptor until one. Times are milliseconds on the monotonic clock. */
#ifndef COFRE_CLIENT_WAIT_H
#define COFRE_CLIENT_WAIT_H

#include <stdint.h>

#include "base/err.h"

#define WAIT_FOREVER INT64_MAX

int64_t wait_now(void);

/* wait_until waits until fd has one of the poll(2) events: ERR_TIMEOUT once the deadline has passed. */
MUST_CHECK enum err wait_until(int fd, short events, int64_t deadline);

#endif
