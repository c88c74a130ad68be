/* ACL files: parsing with all mistakes told at once, and writing so that a crash leaves the old file or the new one. */
#include "acl/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acl/words.h"

/* --- faults --------------------------------------------------------------------------------- */

static void add_fault(struct acl_faults *faults, size_t line, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static void add_fault(struct acl_faults *faults, size_t line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    if (vasprintf(&text, fmt, args) < 0) {
        abort(); /* memory is out */
    }
    va_end(args);
    faults->items = mem_realloc(faults->items, (faults->count + 1) * sizeof(*faults->items));
    faults->items[faults->count++] = (struct acl_fault){ line, text };
}

void acl_faults_release(struct acl_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        free(faults->items[i].text);
    }
    free(faults->items);
    *faults = (struct acl_faults){ NULL, 0 };
}

void acl_faults_add(struct acl_faults *faults, const char *text)
{
    add_fault(faults, 0, "%s", text);
}

/* --- rules of a user ------------------------------------------------------------------------ */

/* A password must not come back in a reply or a log. */
static void note_rule(struct buf *out, struct slice rule)
{
    const bool secret = rule.len > 0 && memchr("><#!", rule.p[0], 4) != NULL;
    buf_append_slice(out, secret ? (struct slice){ rule.p, 1 } : rule);
    if (secret) {
        buf_append_slice(out, SLICE("(hidden)"));
    }
}

const char *acl_apply_rules(const struct acl_user *from, struct slice name,
                            const struct slice *rules, size_t count, struct acl_user **out,
                            struct buf *rule)
{
    enum acl_name_kind kind;
    const char *error = acl_name_check(name, &kind);
    if (error != NULL) {
        return error;
    }
    struct acl_user *u = from != NULL ? acl_user_copy(from) : acl_user_new(name, kind);
    size_t i = 0;
    while (i < count && (error = acl_user_apply(u, rules[i])) == NULL) {
        i++;
    }
    if (error != NULL) {
        note_rule(rule, rules[i]);
        acl_user_unref(u);
        return error;
    }
    *out = u;
    return NULL;
}

/* --- parsing -------------------------------------------------------------------------------- */

struct parsing {
    struct acl_set *set;
    struct acl_faults *faults;
    size_t line;
    bool default_seen;
};

/* seen_before: the set begins with a default user that no line has named. */
static bool seen_before(struct parsing *p, struct slice name)
{
    if (slice_eq(name, SLICE("default"))) {
        const bool seen = p->default_seen;
        p->default_seen = true;
        return seen;
    }
    return acl_set_find(p->set, name) != NULL;
}

static void add_user(struct parsing *p, struct slice name, const struct acl_words *rules)
{
    struct acl_user *user = NULL;
    struct buf rule;
    buf_init(&rule, SIZE_MAX / 2);
    const char *error = acl_apply_rules(NULL, name, rules->items, rules->count, &user, &rule);
    const struct slice shown = buf_slice(&rule);
    if (error != NULL && shown.len > 0) {
        add_fault(p->faults, p->line, "Error in applying operation '%.*s': %s", (int)shown.len,
                  (const char *)shown.p, error);
    } else if (error != NULL) {
        add_fault(p->faults, p->line, "username '%.*s' is not valid: %s", (int)name.len,
                  (const char *)name.p, error);
    } else if (seen_before(p, name)) {
        add_fault(p->faults, p->line, "Duplicate user '%.*s' found", (int)name.len,
                  (const char *)name.p);
        acl_user_unref(user);
    } else {
        acl_set_put(p->set, user);
    }
    buf_release(&rule);
}

static void parse_words(struct parsing *p, const struct acl_words *words)
{
    struct acl_words rules;
    struct slice unmatched;
    if (words->count < 2 || !slice_eq(words->items[0], SLICE("user"))) {
        add_fault(p->faults, p->line, "should start with user keyword followed by the username");
        return;
    }
    if (acl_words_merge(words->items + 2, words->count - 2, &rules, &unmatched) != ERR_OK) {
        add_fault(p->faults, p->line, "Unmatched parenthesis in selector definition");
        return;
    }
    add_user(p, words->items[1], &rules);
    acl_words_release(&rules);
}

static void parse_line(struct parsing *p, struct slice line)
{
    struct acl_words words;
    if (acl_words_split(line, &words) != ERR_OK) {
        add_fault(p->faults, p->line, "unbalanced quotes in acl line");
        return;
    }
    if (words.count > 0) {
        parse_words(p, &words);
    }
    acl_words_release(&words);
}

static void parse_lines(struct parsing *p, struct slice text)
{
    while (text.len > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.len);
        const size_t n = end != NULL ? (size_t)(end - text.p) : text.len;
        p->line++;
        if (n > 0 && text.p[0] != '#') {
            parse_line(p, (struct slice){ text.p, n });
        }
        const size_t step = end != NULL ? n + 1 : n;
        text = (struct slice){ text.p + step, text.len - step };
    }
}

enum err acl_parse(struct slice text, struct acl_set **out, struct acl_faults *faults)
{
    struct parsing p = { .set = acl_set_new(false), .faults = faults };
    const size_t before = faults->count;
    parse_lines(&p, text);
    if (faults->count > before) {
        acl_set_free(p.set);
        return ERR_INVALID;
    }
    *out = p.set;
    return ERR_OK;
}

/* --- files ------------------------------------------------------------------------------------ */

/* read_all returns 0, or errno. */
static int read_all(int fd, struct buf *out)
{
    ssize_t n = 1;
    while (n > 0) {
        uint8_t *to = buf_reserve(out, 64 * 1024);
        if (to == NULL) {
            return EFBIG;
        }
        n = read(fd, to, 64 * 1024);
        if (n > 0) {
            buf_commit(out, (size_t)n);
        }
    }
    return n < 0 ? errno : 0;
}

enum err acl_read_file(const char *path, struct acl_set **out, struct acl_faults *faults)
{
    struct buf text;
    buf_init(&text, ACL_FILE_MAX);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const int failed = fd < 0 ? errno : read_all(fd, &text);
    if (fd >= 0) {
        close(fd);
    }
    enum err err = ERR_SYSTEM;
    if (failed != 0) {
        add_fault(faults, 0, "Error loading ACLs, opening file '%s': %s", path, strerror(failed));
    } else {
        err = acl_parse(buf_slice(&text), out, faults);
    }
    buf_release(&text);
    return err;
}

static bool write_all(int fd, struct slice text)
{
    while (text.len > 0) {
        const ssize_t n = write(fd, text.p, text.len);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        const size_t done = n > 0 ? (size_t)n : 0;
        text = (struct slice){ text.p + done, text.len - done };
    }
    return true;
}

/* sync_folder makes the rename last; a file system that cannot do that is left to itself. */
static void sync_folder(const char *path)
{
    char *folder = mem_strdup(path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        slash[slash == folder] = '\0';
    }
    const int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!fsync(fd);
        close(fd);
    }
    free(folder);
}

/* fill_file writes a file that is open and closes it; returns 0 or errno. */
static int fill_file(int fd, const char *like, struct slice text)
{
    struct stat old;
    const mode_t mode = stat(like, &old) == 0 ? old.st_mode & 07777 : 0640;
    int failed = fchmod(fd, mode) != 0 || !write_all(fd, text) || fsync(fd) != 0 ? errno : 0;
    if (close(fd) != 0 && failed == 0) {
        failed = errno;
    }
    return failed;
}

static int replace_file(const char *path, const char *fresh, struct slice text)
{
    const int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    int failed = fill_file(fd, path, text);
    if (failed == 0 && rename(fresh, path) != 0) {
        failed = errno;
    }
    if (failed != 0) {
        unlink(fresh);
    } else {
        sync_folder(path);
    }
    return failed;
}

enum err acl_write_file(const char *path, const struct acl_set *set, char *why, size_t why_size)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    acl_set_text(set, &text);
    char *fresh = NULL;
    if (asprintf(&fresh, "%s.new-%d", path, (int)getpid()) < 0) {
        abort(); /* memory is out */
    }
    const int failed = replace_file(path, fresh, buf_slice(&text));
    if (failed != 0) {
        snprintf(why, why_size, "%s: %s", path, strerror(failed));
    }
    free(fresh);
    buf_release(&text);
    return failed == 0 ? ERR_OK : ERR_SYSTEM;
}
