/*
 * privilege: called once, before any thread exists.
 */
#include "privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
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

/* A container may have DAC_OVERRIDE and not the lesser DAC_READ_SEARCH. */
static uint64_t what_to_keep(enum privilege_kept kept, uint64_t permitted)
{
    uint64_t search = permitted & (uint64_t)1 << CAP_DAC_READ_SEARCH;
    uint64_t any = permitted & (uint64_t)1 << CAP_DAC_OVERRIDE;
    if (kept == PRIVILEGE_REACHING) {
        return geteuid() == 0 ? any : 0;
    }
    return search != 0 ? search : any;
}

/* Without the right to (SETPCAP) these fail, and then there is nothing that a program could gain by them. */
static void close_ways_back(uint64_t keep)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if ((keep >> cap & 1) == 0) {
            prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
        }
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

void privilege_shed(enum privilege_kept kept)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { 0 }, { 0 } };
    if (syscall(SYS_capget, &head, data) != 0) {
        return;
    }
    uint64_t permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    uint64_t keep = what_to_keep(kept, permitted);
    close_ways_back(keep);
    for (size_t i = 0; i < 2; i++) {
        uint32_t half = (uint32_t)(keep >> (32 * i));
        data[i] = (struct __user_cap_data_struct){ .effective = half, .permitted = half };
    }
    syscall(SYS_capset, &head, data);
}

void privilege_no_dump(void)
{
    prctl(PR_SET_DUMPABLE, 0);
}
