/* wait: see wait.h. The client does one thing at a time, so poll(2) on one descriptor is all it needs. */
#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

int64_t wait_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum err wait_until(int fd, short events, int64_t deadline)
{
    for (;;) {
        struct pollfd poll_fd = { .fd = fd, .events = events };
        int64_t left = deadline == WAIT_FOREVER ? -1 : deadline - wait_now();
        if (deadline != WAIT_FOREVER && left <= 0) {
            return ERR_TIMEOUT;
        }
        int ready = poll(&poll_fd, 1, (int)left);
        if (ready > 0) {
            return ERR_OK;
        }
        if (ready < 0 && errno != EINTR) {
            return ERR_SYSTEM;
        }
    }
}
