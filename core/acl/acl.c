/* The ACL in force. */
#include "acl/acl.h"

#include <stdlib.h>

#include "acl/words.h"

enum { LOG_ENTRIES = 128 }; /* Redis's acllog-max-len */

struct acl {
    struct acl_set *set;
    struct keyspaces *keyspaces;
    struct acl_log *log;
    const char *path; /* NULL: there is no file */
    uint64_t generation;
};

struct acl *acl_new(struct keyspaces *keyspaces, const char *path)
{
    struct acl *acl = mem_zalloc(sizeof(*acl));
    acl->set = acl_set_new(path == NULL);
    acl->keyspaces = keyspaces;
    acl->log = acl_log_new(LOG_ENTRIES);
    acl->path = path;
    acl->generation = 1;
    return acl;
}

void acl_free(struct acl *acl)
{
    if (acl == NULL) {
        return;
    }
    acl_set_free(acl->set);
    acl_log_free(acl->log);
    free(acl);
}

const struct acl_set *acl_users(const struct acl *acl)
{
    return acl->set;
}

struct acl_log *acl_refusals(struct acl *acl)
{
    return acl->log;
}

const char *acl_path(const struct acl *acl)
{
    return acl->path;
}

uint64_t acl_generation(const struct acl *acl)
{
    return acl->generation;
}

/* --- changing --------------------------------------------------------------------------------- */

static bool seal(struct acl *acl, struct acl_user *user)
{
    const uint32_t index = keyspaces_index(acl->keyspaces, user->keyspace);
    if (index == KEYSPACES_FULL) {
        return false;
    }
    acl_user_seal(user, index);
    return true;
}

static void put_in_force(struct acl *acl, struct acl_set *set)
{
    acl_set_free(acl->set);
    acl->set = set;
    acl->generation++;
}

static const char *const too_many_keyspaces = "There are too many keyspaces";

enum err acl_load(struct acl *acl, struct acl_faults *faults)
{
    struct acl_set *set;
    const enum err err = acl_read_file(acl->path, &set, faults);
    if (err != ERR_OK) {
        return err;
    }
    for (size_t i = 0; i < acl_set_count(set); i++) {
        if (!seal(acl, acl_set_at(set, i))) {
            acl_faults_add(faults, too_many_keyspaces);
            acl_set_free(set);
            return ERR_LIMIT;
        }
    }
    put_in_force(acl, set);
    return ERR_OK;
}

static enum err apply_merged(struct acl *acl, struct slice name, const struct acl_words *rules,
                             struct buf *error)
{
    struct acl_user *user = NULL;
    struct buf rule;
    buf_init(&rule, SIZE_MAX / 2);
    const char *why = acl_apply_rules(acl_set_find(acl->set, name), name, rules->items,
                                      rules->count, &user, &rule);
    if (why != NULL && buf_len(&rule) > 0) {
        buf_append_slice(error, SLICE("Error in ACL SETUSER modifier '"));
        buf_append_slice(error, buf_slice(&rule));
        buf_append_slice(error, SLICE("': "));
    } else if (why == NULL && !seal(acl, user)) {
        why = too_many_keyspaces;
        acl_user_unref(user);
    }
    buf_release(&rule);
    if (why != NULL) {
        buf_append_slice(error, slice_of(why));
        return ERR_INVALID;
    }
    struct acl_set *set = acl_set_copy(acl->set);
    acl_set_put(set, user);
    put_in_force(acl, set);
    return ERR_OK;
}

enum err acl_set_user(struct acl *acl, struct slice name, const struct slice *rules, size_t count,
                      struct buf *error)
{
    struct acl_words merged;
    struct slice unmatched;
    if (acl_words_merge(rules, count, &merged, &unmatched) != ERR_OK) {
        buf_append_slice(error, SLICE("Unmatched parenthesis in acl selector starting at '"));
        buf_append_slice(error, unmatched);
        buf_append_slice(error, SLICE("'."));
        return ERR_INVALID;
    }
    const enum err err = apply_merged(acl, name, &merged, error);
    acl_words_release(&merged);
    return err;
}

size_t acl_delete_users(struct acl *acl, const struct slice *names, size_t count)
{
    struct acl_set *set = acl_set_copy(acl->set);
    size_t deleted = 0;
    for (size_t i = 0; i < count; i++) {
        deleted += acl_set_remove(set, names[i]);
    }
    if (deleted > 0) {
        put_in_force(acl, set);
    } else {
        acl_set_free(set);
    }
    return deleted;
}
