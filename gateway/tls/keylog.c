/*
 * keylog: the rules for a file that opens all traffic to whoever reads it.
 */
#include "tls/keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"

static enum err check_file(const char *path, const struct stat *st, struct load_error *why)
{
    if (!S_ISREG(st->st_mode)) {
        return load_error_set(why, "--keylog %s: not a regular file", path);
    }
    if (st->st_uid != geteuid()) {
        return load_error_set(why,
                              "--keylog %s: it belongs to another user; remove it or name "
                              "another file",
                              path);
    }
    if ((st->st_mode & 0077) != 0) {
        return load_error_set(why, "--keylog %s: other users may read it; remove it, or chmod 0600",
                              path);
    }
    return ERR_OK;
}

enum err keylog_open(const char *path, int *fd, struct load_error *why)
{
    struct stat st;
    /* Without O_NONBLOCK a FIFO would hold us until somebody reads it. */
    int file =
        open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (file < 0 && errno == ELOOP) {
        return load_error_set(why, "--keylog %s: a symbolic link; name the file itself", path);
    }
    if (file < 0 || fstat(file, &st) != 0) {
        int error = errno;
        if (file >= 0) {
            close(file);
        }
        return load_error_set(why, "--keylog %s: %s", path, strerror(error));
    }
    enum err err = check_file(path, &st, why);
    if (err != ERR_OK) {
        close(file);
        return err;
    }
    *fd = file;
    return ERR_OK;
}

void keylog_warn(const char *path)
{
    log_event(log_enabled(LOG_WARNING) ? LOG_WARNING : LOG_ERROR,
              "writing TLS secrets: whoever reads this file reads all traffic; for debugging only",
              LF_STR("keylog", path));
}

void keylog_write(int fd, const char *line)
{
    struct iovec parts[] = { { (void *)line, strlen(line) }, { (void *)"\n", 1 } };
    ssize_t ignored = writev(fd, parts, 2);
    (void)ignored;
}
