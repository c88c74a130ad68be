/* Names: what they can match, and how specific a pattern is. */
#include "acl/name.h"

#include "acl/words.h"

static const struct slice kinds[] = { SLICE("uri:"), SLICE("dns:"), SLICE("email:"), SLICE("cn:") };

static size_t kind_length(struct slice name)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (slice_starts_with(name, kinds[i])) {
            return kinds[i].len;
        }
    }
    return 0;
}

/* is_literal: nothing in it stands for anything else; a backslash does, for the character behind it. */
static bool is_literal(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (memchr("*?[\\", name.p[i], 4) != NULL) {
            return false;
        }
    }
    return true;
}

/* acl_name_literal counts the characters before the first that stands for others; one with a backslash before it does not. */
size_t acl_name_literal(struct slice name)
{
    size_t count = 0;
    for (size_t i = 0; i < name.len && memchr("*?[", name.p[i], 3) == NULL; i++) {
        i += name.p[i] == '\\';
        count++;
    }
    return count;
}

bool acl_is_printable(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.p[i] < ' ' || name.p[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

const char *acl_name_check(struct slice name, enum acl_name_kind *kind)
{
    const size_t prefix = kind_length(name);
    const bool literal = is_literal(name);
    if (name.len > ACL_NAME_MAX) {
        return "Usernames can't be longer than 4096 bytes";
    }
    if (!acl_is_printable(name) || (prefix == 0 && acl_has_spaces(name))) {
        return "Usernames can't contain spaces or null characters";
    }
    if (prefix == 0 && !literal) {
        return "A pattern of identities begins with a kind: uri:, dns:, email: or cn:";
    }
    if (name.len == prefix) {
        return "Usernames can't be empty";
    }
    *kind = slice_eq(name, SLICE("default")) ? ACL_NAME_DEFAULT
            : prefix == 0                    ? ACL_NAME_NOBODY
            : literal                        ? ACL_NAME_EXACT
                                             : ACL_NAME_GLOB;
    return NULL;
}

static struct slice behind(struct slice s, size_t n)
{
    return (struct slice){ s.p + n, s.len - n };
}

/* The kind is compared as it is, and the pattern matched with what follows it alone: no pattern leaves its kind. */
bool acl_name_matches(struct slice name, enum acl_name_kind kind, struct slice identity)
{
    const size_t prefix = kind_length(name);
    switch (kind) {
    case ACL_NAME_EXACT:
        return slice_eq(name, identity);
    case ACL_NAME_GLOB:
        return slice_starts_with(identity, (struct slice){ name.p, prefix }) &&
               slice_glob(behind(name, prefix), behind(identity, prefix), false);
    case ACL_NAME_DEFAULT:
        return true;
    case ACL_NAME_NOBODY:
        break;
    }
    return false;
}
