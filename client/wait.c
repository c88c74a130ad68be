/* wait: see wait.h. The client does one thing at a time, so poll(2) on one descriptor is all it needs. */
#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

int64_t wait_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What a signal handler leaves can only be global. */
static volatile sig_atomic_t interrupted;
static bool may_interrupt;
static sigset_t mask_outside;
static struct sigaction action_outside;

static void on_interrupt(int signum)
{
    (void)signum;
    interrupted = 1;
}

void wait_interrupts(bool on)
{
    struct sigaction action = { .sa_handler = on_interrupt };
    sigset_t mask;

    if (on == may_interrupt) {
        return;
    }
    may_interrupt = on;
    interrupted = 0;
    if (on) {
        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, SIGINT);
        (void)sigprocmask(SIG_BLOCK, &mask, &mask_outside);
        (void)sigaction(SIGINT, &action, &action_outside);
    } else { /* one that came just now is not for whoever comes next */
        action.sa_handler = SIG_IGN;
        (void)sigaction(SIGINT, &action, NULL);
        (void)sigprocmask(SIG_SETMASK, &mask_outside, NULL);
        (void)sigaction(SIGINT, &action_outside, NULL);
    }
}

enum err wait_until(int fd, short events, int64_t deadline)
{
    for (;;) {
        struct pollfd poll_fd = { .fd = fd, .events = events };
        int64_t left = deadline == WAIT_FOREVER ? 0 : deadline - wait_now();
        if (deadline != WAIT_FOREVER && left <= 0) {
            return ERR_TIMEOUT;
        }
        struct timespec rest = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
        int ready = ppoll(&poll_fd, 1, deadline == WAIT_FOREVER ? NULL : &rest,
                          may_interrupt ? &mask_outside : NULL);
        if (interrupted) {
            return ERR_INTERRUPTED;
        }
        if (ready > 0) {
            return ERR_OK;
        }
        if (ready < 0 && errno != EINTR) {
            return ERR_SYSTEM;
        }
    }
}
