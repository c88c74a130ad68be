/*
 * err: the one error type, the out-of-memory policy, and the three macros that
 * everything else uses. 0 is success, errors are negative; a function that can
 * fail is marked MUST_CHECK and leaves its outputs untouched on failure.
 */
#ifndef COFRE_BASE_ERR_H
#define COFRE_BASE_ERR_H

#include <stddef.h>

#define MUST_CHECK                      __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first)         __attribute__((format(printf, fmt, first)))
#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

enum err {
    ERR_OK = 0,
    ERR_SYSTEM = -1,    /* a system call failed; errno (or libuv's code in the log line) says why */
    ERR_PROTOCOL = -2,  /* bytes from outside that break the format */
    ERR_LIMIT = -3,     /* over a limit that an option sets */
    ERR_INVALID = -4,   /* a value that has the wrong form: an option, a number, a file's content */
    ERR_NOT_FOUND = -5, /* nothing by that name */
    ERR_REFUSED = -6,   /* not allowed: peer uid, certificate, identity */
    ERR_CLOSED = -7,    /* the other side is gone */
    ERR_TIMEOUT = -8,   /* a deadline passed */
    ERR_INTERRUPTED = -9, /* the user does not want to wait any longer */
};

/* err_text returns a short lower-case phrase for a log line; never NULL, static. */
const char *err_text(enum err err);

/*
 * mem_alloc, mem_zalloc, mem_realloc: malloc and friends that abort the process when
 * memory is out (the one policy, HOUSE rule 20). Release with free().
 */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *old, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));

#endif
