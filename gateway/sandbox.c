/*
 * sandbox: the three system calls of Landlock, which glibc does not wrap. The header at hand may be older
 * than the kernel: what it lacks is defined here, as the kernel's include/uapi/linux/landlock.h has it.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_SOCK = 1 << 9,
    FS_FIRST = (1 << 13) - 1, /* all of ABI 1 */
    FS_REFER = 1 << 13,
    FS_TRUNCATE = 1 << 14,
    FS_IOCTL_DEV = 1 << 15,
    NET_BIND_TCP = 1 << 0,
    NET_CONNECT_TCP = 1 << 1,
    SCOPE_SIGNAL = 1 << 1,
};

/* The kernel takes a longer struct than it knows, if the rest is zero. */
struct ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

/* What is denied from which ABI version on. */
static const struct {
    int abi;
    struct ruleset adds;
} versions[] = {
    { 1, { .fs = FS_FIRST } },     { 2, { .fs = FS_REFER } },
    { 3, { .fs = FS_TRUNCATE } },  { 4, { .net = NET_BIND_TCP | NET_CONNECT_TCP } },
    { 5, { .fs = FS_IOCTL_DEV } }, { 6, { .scoped = SCOPE_SIGNAL } },
};

static const struct {
    enum sandbox_right right;
    uint64_t fs;
} rights[] = {
    { SANDBOX_READ, FS_READ_FILE | FS_READ_DIR },
    { SANDBOX_WRITE, FS_WRITE_FILE | FS_TRUNCATE },
    { SANDBOX_BIND, FS_MAKE_SOCK | FS_REMOVE_FILE },
    { SANDBOX_RUN, FS_EXECUTE },
};

/* Of a rule on a file, only these mean anything, and others are an error. */
enum { FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV };

static struct ruleset all_of(int abi)
{
    struct ruleset all = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(versions) && versions[i].abi <= abi; i++) {
        all.fs |= versions[i].adds.fs;
        all.net |= versions[i].adds.net;
        all.scoped |= versions[i].adds.scoped;
    }
    return all;
}

static uint64_t fs_rights(unsigned wanted)
{
    uint64_t fs = 0;
    for (size_t i = 0; i < ARRAY_SIZE(rights); i++) {
        fs |= (wanted & rights[i].right) != 0 ? rights[i].fs : 0;
    }
    return fs;
}

static enum err add_rule(int ruleset, const struct sandbox_rule *rule, uint64_t known)
{
    int fd = rule->path == NULL ? -1 : open(rule->path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return ERR_OK;
    }
    struct landlock_path_beneath_attr attr = { .allowed_access = fs_rights(rule->rights) & known,
                                               .parent_fd = fd };
    long r = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
    if (r != 0 && errno == EINVAL) { /* not a directory */
        attr.allowed_access &= FS_OF_FILES;
        r = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
    }
    close(fd);
    return r == 0 ? ERR_OK : ERR_SYSTEM;
}

static enum err restrict_self(int ruleset)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                   syscall(SYS_landlock_restrict_self, ruleset, 0) == 0
               ? ERR_OK
               : ERR_SYSTEM;
}

enum err sandbox_enter(const struct sandbox_rule *rules, size_t count)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return ERR_SYSTEM;
    }
    struct ruleset all = all_of(abi);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
    if (fd < 0) {
        return ERR_SYSTEM;
    }
    enum err err = ERR_OK;
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        err = add_rule(fd, &rules[i], all.fs);
    }
    if (err == ERR_OK) {
        err = restrict_self(fd);
    }
    close(fd);
    return err;
}
