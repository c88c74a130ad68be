/*
 * stamp: what stat(2) says of a path: two that are equal mean that the same file is there, unchanged.
 */
#ifndef COFRE_GATEWAY_STAMP_H
#define COFRE_GATEWAY_STAMP_H

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

struct stamp {
    int error; /* errno when there is no such file or it is out of reach; the rest is then 0 */
    mode_t mode;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
    struct timespec changed;
};

struct stamp stamp_of(const struct stat *st);

/* stamp_take follows symbolic links. */
struct stamp stamp_take(const char *path);

bool stamp_equal(const struct stamp *a, const struct stamp *b);

/* stamp_is_fresh: changed within the last second; a further change might not show in the times. */
bool stamp_is_fresh(const struct stamp *s);

#endif
