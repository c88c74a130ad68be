/*
 * privilege: called once, before any thread exists.
 */
#include "privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static enum err become(const struct passwd *pw, struct load_error *why)
{
    if (initgroups(pw->pw_name, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 ||
        setuid(pw->pw_uid) != 0) {
        return load_error_set(why, "--user %s: %s", pw->pw_name, strerror(errno));
    }
    if (pw->pw_uid != 0 && (setuid(0) == 0 || seteuid(0) == 0)) {
        return load_error_set(why, "--user %s: root could be regained", pw->pw_name);
    }
    return ERR_OK;
}

enum err privilege_drop(const char *user, struct load_error *why)
{
    if (user == NULL) {
        return ERR_OK;
    }
    errno = 0;
    const struct passwd *pw = getpwnam(user);
    if (pw == NULL) {
        return load_error_set(why, "--user %s: no such user", user);
    }
    if (geteuid() == pw->pw_uid && geteuid() != 0) {
        return ERR_OK;
    }
    return become(pw, why);
}

long privilege_allow_files(long wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return wanted;
    }
    if (limit.rlim_cur < (rlim_t)wanted) {
        rlim_t former = limit.rlim_cur;
        limit.rlim_cur = (rlim_t)wanted;
        if (limit.rlim_max < (rlim_t)wanted && geteuid() == 0) {
            limit.rlim_max = (rlim_t)wanted;
        } else if (limit.rlim_max < (rlim_t)wanted) {
            limit.rlim_cur = limit.rlim_max;
        }
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            limit.rlim_cur = former;
        }
    }
    return (long)limit.rlim_cur;
}

void privilege_no_dump(void)
{
    prctl(PR_SET_DUMPABLE, 0);
}
