/*
 * sandbox: what a process can still reach once it has started, by Landlock (landlock(7)): in the file
 * system what the rules name and nothing else, no new TCP connection or port, no signal to others.
 * Descriptors that are open already, and connecting to Unix sockets, are not affected.
 */
#ifndef COFRE_GATEWAY_SANDBOX_H
#define COFRE_GATEWAY_SANDBOX_H

#include <stddef.h>

#include "base/err.h"

enum sandbox_right {
    SANDBOX_READ = 1,  /* files, and lists of directories */
    SANDBOX_WRITE = 2, /* files that are there */
    SANDBOX_BIND = 4,  /* making and removing Unix sockets in a directory */
    SANDBOX_RUN = 8,   /* programs */
};

/* A file, or a directory and all beneath it; one that is not there gives nothing. NULL: no rule. */
struct sandbox_rule {
    const char *path;
    unsigned rights; /* of enum sandbox_right */
};

/*
 * sandbox_enter binds the calling thread, and threads and processes that it makes, for good. ERR_SYSTEM
 * with errno when this kernel cannot (ENOSYS before Linux 5.13, EOPNOTSUPP when it is switched off).
 * What a kernel knows only in part is denied in part: each right of landlock(7) that it has.
 */
MUST_CHECK enum err sandbox_enter(const struct sandbox_rule *rules, size_t count);

#endif
