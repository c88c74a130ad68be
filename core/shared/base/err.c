/*
 * err: texts of the error codes, and memory that never comes back NULL (HOUSE rule 20: out of
 * memory aborts, in one place).
 */
#include "base/err.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *err_text(enum err err)
{
    static const char *const texts[] = {
        [-ERR_OK] = "success",
        [-ERR_SYSTEM] = "system call failed",
        [-ERR_PROTOCOL] = "protocol error",
        [-ERR_LIMIT] = "over a limit",
        [-ERR_INVALID] = "not valid",
        [-ERR_NOT_FOUND] = "not found",
        [-ERR_REFUSED] = "refused",
        [-ERR_CLOSED] = "closed by the other side",
        [-ERR_TIMEOUT] = "timed out",
        [-ERR_INTERRUPTED] = "interrupted",
    };
    size_t i = (size_t)(-(long)err);
    return i < ARRAY_SIZE(texts) ? texts[i] : "unknown error";
}

/* Nothing here may allocate: the line goes out by write(2), without stdio or the log. */
static void *or_abort(void *p)
{
    static const char line[] = "out of memory\n";
    if (p == NULL) {
        ssize_t ignored = write(STDERR_FILENO, line, sizeof(line) - 1);
        (void)ignored;
        abort();
    }
    return p;
}

void *mem_alloc(size_t size)
{
    return or_abort(malloc(size > 0 ? size : 1));
}

void *mem_zalloc(size_t size)
{
    return or_abort(calloc(1, size > 0 ? size : 1));
}

void *mem_realloc(void *old, size_t size)
{
    return or_abort(realloc(old, size > 0 ? size : 1));
}

char *mem_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(mem_alloc(size), text, size);
}
