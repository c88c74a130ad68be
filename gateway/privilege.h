/*
 * privilege: becoming an unprivileged user, and the limits of the process.
 */
#ifndef COFRE_GATEWAY_PRIVILEGE_H
#define COFRE_GATEWAY_PRIVILEGE_H

#include "files/pem.h"

/* privilege_drop becomes `user` for good, with its groups; NULL: stay. Not being root is an error. */
MUST_CHECK enum err privilege_drop(const char *user, struct load_error *why);

/* privilege_allow_files raises the limit of open files to `wanted` and returns what it is now. */
long privilege_allow_files(long wanted);

/*
 * privilege_shed gives up all capabilities for good but one, if it is there, and what a program that is run
 * could gain. The user stays as it is.
 */
enum privilege_kept {
    PRIVILEGE_READING,  /* to read any file */
    PRIVILEGE_REACHING, /* for a root that stays root: to open any Unix socket, as the core's */
};
void privilege_shed(enum privilege_kept kept);

/* privilege_no_dump keeps the keys out of core dumps and debuggers of the same user. */
void privilege_no_dump(void);

#endif
