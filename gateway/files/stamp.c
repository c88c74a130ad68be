/*
 * stamp: compared field by field, for a struct has holes.
 */
#include "files/stamp.h"

#include <errno.h>

struct stamp stamp_of(const struct stat *st)
{
    return (struct stamp){ .mode = st->st_mode,
                           .device = st->st_dev,
                           .inode = st->st_ino,
                           .size = st->st_size,
                           .modified = st->st_mtim,
                           .changed = st->st_ctim };
}

struct stamp stamp_take(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? stamp_of(&st) : (struct stamp){ .error = errno };
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->error == b->error && a->mode == b->mode && a->device == b->device &&
           a->inode == b->inode && a->size == b->size && same_time(a->modified, b->modified) &&
           same_time(a->changed, b->changed);
}

bool stamp_is_fresh(const struct stamp *s)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time_t age = now.tv_sec - s->changed.tv_sec;
    return s->error == 0 && age >= -1 && age <= 1;
}
