/* Users by name, and the patterns among them by how specific they are. */
#include "acl/set.h"

#include <stdlib.h>

#include "acl/words.h"

struct user_list {
    struct acl_user **items;
    size_t count;
    size_t cap;
};

struct acl_set {
    struct user_list all;      /* by name; they hold the references */
    struct user_list patterns; /* the most specific first */
    struct acl_user *fallback; /* the default user */
};

/* --- lists ------------------------------------------------------------------------------------ */

static void insert(struct user_list *list, size_t at, struct acl_user *user)
{
    if (list->count == list->cap) {
        list->cap = list->cap > 0 ? list->cap * 2 : 16;
        list->items = mem_realloc(list->items, list->cap * sizeof(*list->items));
    }
    memmove(list->items + at + 1, list->items + at, (list->count - at) * sizeof(*list->items));
    list->items[at] = user;
    list->count++;
}

static void take_out(struct user_list *list, size_t at)
{
    list->count--;
    memmove(list->items + at, list->items + at + 1, (list->count - at) * sizeof(*list->items));
}

/* place_of returns where a name is or would be among all users. */
static size_t place_of(const struct acl_set *set, struct slice name)
{
    size_t low = 0;
    size_t high = set->all.count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (slice_cmp(set->all.items[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const struct acl_set *set, size_t i, struct slice name)
{
    return i < set->all.count && slice_eq(set->all.items[i]->name, name);
}

static size_t place_among_patterns(const struct acl_set *set, const struct acl_user *user)
{
    size_t i = 0;
    while (i < set->patterns.count && acl_user_precedes(set->patterns.items[i], user)) {
        i++;
    }
    return i;
}

/* --- lifetime ------------------------------------------------------------------------------- */

static struct acl_user *new_default(bool open)
{
    static const char *const rules[] = { "on", "~*", "&*", "+@all" };
    struct acl_user *u = acl_user_new(SLICE("default"), ACL_NAME_DEFAULT);
    for (size_t i = 0; open && i < ARRAY_SIZE(rules); i++) {
        (void)!acl_user_apply(u, slice_of(rules[i]));
    }
    acl_user_seal(u, 0);
    return u;
}

struct acl_set *acl_set_new(bool open)
{
    struct acl_set *set = mem_zalloc(sizeof(*set));
    acl_set_put(set, new_default(open));
    return set;
}

static void copy_list(const struct user_list *from, struct user_list *to)
{
    *to = (struct user_list){ .count = from->count, .cap = from->count };
    to->items = mem_alloc((from->count + 1) * sizeof(*to->items));
    if (from->count > 0) {
        memcpy(to->items, from->items, from->count * sizeof(*to->items));
    }
}

struct acl_set *acl_set_copy(const struct acl_set *set)
{
    struct acl_set *copy = mem_zalloc(sizeof(*copy));
    copy_list(&set->all, &copy->all);
    copy_list(&set->patterns, &copy->patterns);
    copy->fallback = set->fallback;
    for (size_t i = 0; i < copy->all.count; i++) {
        acl_user_ref(copy->all.items[i]);
    }
    return copy;
}

void acl_set_free(struct acl_set *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i < set->all.count; i++) {
        acl_user_unref(set->all.items[i]);
    }
    free(set->all.items);
    free(set->patterns.items);
    free(set);
}

/* --- users ------------------------------------------------------------------------------------ */

size_t acl_set_count(const struct acl_set *set)
{
    return set->all.count;
}

struct acl_user *acl_set_at(const struct acl_set *set, size_t i)
{
    return set->all.items[i];
}

struct acl_user *acl_set_find(const struct acl_set *set, struct slice name)
{
    const size_t i = place_of(set, name);
    return is_at(set, i, name) ? set->all.items[i] : NULL;
}

/* forget takes the user at a place out of every list, and gives its reference up. */
static void forget(struct acl_set *set, size_t at)
{
    struct acl_user *user = set->all.items[at];
    for (size_t i = 0; i < set->patterns.count; i++) {
        if (set->patterns.items[i] == user) {
            take_out(&set->patterns, i);
        }
    }
    take_out(&set->all, at);
    acl_user_unref(user);
}

void acl_set_put(struct acl_set *set, struct acl_user *user)
{
    const size_t at = place_of(set, user->name);
    if (is_at(set, at, user->name)) {
        forget(set, at);
    }
    insert(&set->all, at, user);
    if (user->kind == ACL_NAME_GLOB) {
        insert(&set->patterns, place_among_patterns(set, user), user);
    } else if (user->kind == ACL_NAME_DEFAULT) {
        set->fallback = user;
    }
}

bool acl_set_remove(struct acl_set *set, struct slice name)
{
    const size_t at = place_of(set, name);
    if (!is_at(set, at, name) || set->all.items[at] == set->fallback) {
        return false;
    }
    forget(set, at);
    return true;
}

struct acl_user *acl_set_match(const struct acl_set *set, struct slice identity,
                               struct slice issuer)
{
    struct acl_user *exact = acl_set_find(set, identity);
    if (exact != NULL && exact->kind == ACL_NAME_EXACT &&
        acl_user_matches(exact, identity, issuer)) {
        return exact;
    }
    for (size_t i = 0; i < set->patterns.count; i++) {
        if (acl_user_matches(set->patterns.items[i], identity, issuer)) {
            return set->patterns.items[i];
        }
    }
    return set->fallback;
}

void acl_set_text(const struct acl_set *set, struct buf *out)
{
    for (size_t i = 0; i < set->all.count; i++) {
        acl_user_line(set->all.items[i], out);
        buf_append(out, "\n", 1);
    }
}
