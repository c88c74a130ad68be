/* Users: whom they match, and the rules that are about a user as a whole. */
#include "acl/user.h"

#include <stdlib.h>

#include "acl/words.h"

static const char *const bad_syntax = "Syntax error";

static struct slice behind(struct slice s, size_t n)
{
    return (struct slice){ s.p + n, s.len - n };
}

/* --- who it is ------------------------------------------------------------------------------- */

bool acl_user_matches(const struct acl_user *u, struct slice identity, struct slice issuer)
{
    return (u->issuer.len == 0 || slice_eq(u->issuer, issuer)) &&
           acl_name_matches(u->name, u->kind, identity);
}

bool acl_user_precedes(const struct acl_user *a, const struct acl_user *b)
{
    if (a->literal != b->literal) {
        return a->literal > b->literal;
    }
    if (a->name.len != b->name.len) {
        return a->name.len > b->name.len;
    }
    return slice_cmp(a->name, b->name) < 0;
}

/* --- lifetime ------------------------------------------------------------------------------- */

struct acl_user *acl_user_new(struct slice name, enum acl_name_kind kind)
{
    struct acl_user *u = mem_zalloc(sizeof(*u));
    u->refs = 1;
    u->name = slice_dup(name);
    u->kind = kind;
    u->literal = acl_name_literal(name);
    u->all_databases = true;
    u->selectors = mem_alloc(sizeof(*u->selectors));
    u->selector_count = 1;
    acl_selector_init(&u->selectors[0]);
    return u;
}

struct acl_user *acl_user_copy(const struct acl_user *u)
{
    struct acl_user *copy = mem_alloc(sizeof(*copy));
    *copy = *u;
    copy->refs = 1;
    copy->name = slice_dup(u->name);
    copy->issuer = slice_dup(u->issuer);
    copy->keyspace = slice_dup(u->keyspace);
    copy->selectors = mem_alloc(u->selector_count * sizeof(*u->selectors));
    for (size_t i = 0; i < u->selector_count; i++) {
        acl_selector_copy(&u->selectors[i], &copy->selectors[i]);
    }
    return copy;
}

struct acl_user *acl_user_ref(struct acl_user *u)
{
    u->refs++;
    return u;
}

void acl_user_unref(struct acl_user *u)
{
    if (u == NULL || --u->refs > 0) {
        return;
    }
    for (size_t i = 0; i < u->selector_count; i++) {
        acl_selector_release(&u->selectors[i]);
    }
    free(u->selectors);
    free((void *)u->name.p);
    free((void *)u->issuer.p);
    free((void *)u->keyspace.p);
    free(u);
}

void acl_user_seal(struct acl_user *u, uint32_t keyspace_index)
{
    const struct acl_selector *root = &u->selectors[0];
    u->keyspace_index = keyspace_index;
    u->unlimited =
        u->on && u->all_databases && root->all_commands && root->keys.all && root->channels.all;
}

/* --- rules of one word ---------------------------------------------------------------------- */

static void set_text(struct slice *to, struct slice text)
{
    free((void *)to->p);
    *to = text.len > 0 ? slice_dup(text) : (struct slice){ NULL, 0 };
}

static void turn_on(struct acl_user *u)
{
    u->on = true;
}

static void turn_off(struct acl_user *u)
{
    u->on = false;
}

static void set_nopass(struct acl_user *u)
{
    u->nopass = true;
}

static void reset_pass(struct acl_user *u)
{
    u->nopass = false;
}

static void sanitize(struct acl_user *u)
{
    u->sanitize = ACL_SANITIZE;
}

static void skip_sanitize(struct acl_user *u)
{
    u->sanitize = ACL_SANITIZE_SKIP;
}

static void clear_selectors(struct acl_user *u)
{
    while (u->selector_count > 1) {
        acl_selector_release(&u->selectors[--u->selector_count]);
    }
}

static void reset_issuer(struct acl_user *u)
{
    set_text(&u->issuer, (struct slice){ NULL, 0 });
}

static void reset_keyspace(struct acl_user *u)
{
    set_text(&u->keyspace, (struct slice){ NULL, 0 });
}

static void allow_databases(struct acl_user *u)
{
    u->all_databases = true;
    memset(u->databases, 0, sizeof(u->databases));
}

static void reset(struct acl_user *u)
{
    clear_selectors(u);
    acl_selector_release(&u->selectors[0]);
    acl_selector_init(&u->selectors[0]);
    u->on = u->nopass = false;
    u->sanitize = ACL_SANITIZE;
    reset_issuer(u);
    reset_keyspace(u);
    allow_databases(u);
}

static const struct {
    const char *word;
    void (*apply)(struct acl_user *u);
} word_rows[] = {
    { "on", turn_on },
    { "off", turn_off },
    { "nopass", set_nopass },
    { "resetpass", reset_pass },
    { "sanitize-payload", sanitize },
    { "skip-sanitize-payload", skip_sanitize },
    { "clearselectors", clear_selectors },
    { "reset", reset },
    { "resetissuer", reset_issuer },
    { "resetkeyspace", reset_keyspace },
    { "alldbs", allow_databases },
};

static bool apply_word(struct acl_user *u, struct slice rule)
{
    for (size_t i = 0; i < ARRAY_SIZE(word_rows); i++) {
        if (slice_eq_nocase(rule, slice_of(word_rows[i].word))) {
            word_rows[i].apply(u);
            return true;
        }
    }
    return false;
}

/* --- rules with a value ----------------------------------------------------------------------- */

/* An empty value is refused: a template that was filled in wrongly must not unbind a user. */
static const char *apply_issuer(struct acl_user *u, struct slice value)
{
    if (value.len == 0) {
        return "issuer= needs an issuer; 'resetissuer' takes any";
    }
    if (u->kind == ACL_NAME_DEFAULT) {
        return "The default user is for every issuer";
    }
    if (!acl_is_printable(value)) {
        return bad_syntax;
    }
    set_text(&u->issuer, value);
    return NULL;
}

static const char *apply_keyspace(struct acl_user *u, struct slice value)
{
    if (value.len == 0) {
        return "keyspace= needs a name; 'resetkeyspace' goes back to the common one";
    }
    if (value.len > ACL_KEYSPACE_MAX || !slice_is_text(value) || !acl_is_printable(value) ||
        acl_has_spaces(value)) {
        return "The name of a keyspace is UTF-8 without spaces, of 128 bytes at most";
    }
    set_text(&u->keyspace, value);
    return NULL;
}

/* read_range reads "2" or "2-4". */
static bool read_range(struct slice s, uint64_t *low, uint64_t *high)
{
    const uint8_t *dash = s.len > 0 ? memchr(s.p, '-', s.len) : NULL;
    const size_t n = dash != NULL ? (size_t)(dash - s.p) : s.len;
    if (slice_to_u64((struct slice){ s.p, n }, low) != ERR_OK) {
        return false;
    }
    *high = *low;
    if (dash != NULL && slice_to_u64(behind(s, n + 1), high) != ERR_OK) {
        return false;
    }
    return *low <= *high && *high < ACL_DATABASES_MAX;
}

static const char *apply_databases(struct acl_user *u, struct slice value)
{
    uint64_t bits[ACL_DATABASES_MAX / 64] = { 0 };
    struct slice rest = value;
    bool more = true;
    while (more) {
        const uint8_t *comma = rest.len > 0 ? memchr(rest.p, ',', rest.len) : NULL;
        const size_t n = comma != NULL ? (size_t)(comma - rest.p) : rest.len;
        uint64_t low;
        uint64_t high;
        if (!read_range((struct slice){ rest.p, n }, &low, &high)) {
            return "db= is a list of database numbers, as in db=0,2-4";
        }
        for (; low <= high; low++) {
            bits[low / 64] |= UINT64_C(1) << (low % 64);
        }
        more = comma != NULL;
        rest = behind(rest, more ? n + 1 : n);
    }
    u->all_databases = false;
    memcpy(u->databases, bits, sizeof(bits));
    return NULL;
}

static const struct {
    const char *word;
    const char *(*apply)(struct acl_user *u, struct slice value);
} value_rows[] = {
    { "issuer=", apply_issuer },
    { "keyspace=", apply_keyspace },
    { "db=", apply_databases },
};

/* apply_value returns true when the rule is one of value_rows; *error as acl_user_apply. */
static bool apply_value(struct acl_user *u, struct slice rule, const char **error)
{
    for (size_t i = 0; i < ARRAY_SIZE(value_rows); i++) {
        const size_t n = strlen(value_rows[i].word);
        if (rule.len >= n &&
            slice_eq_nocase((struct slice){ rule.p, n }, slice_of(value_rows[i].word))) {
            *error = value_rows[i].apply(u, behind(rule, n));
            return true;
        }
    }
    return false;
}

static const char *add_selector(struct acl_user *u, struct slice inner)
{
    struct acl_words words;
    struct acl_selector selector;
    const char *error = NULL;
    if (acl_words_split(inner, &words) != ERR_OK) {
        return bad_syntax;
    }
    acl_selector_init(&selector);
    for (size_t i = 0; i < words.count && error == NULL; i++) {
        error = acl_selector_apply(&selector, words.items[i]);
    }
    acl_words_release(&words);
    if (error != NULL) {
        acl_selector_release(&selector);
        return error;
    }
    u->selectors = mem_realloc(u->selectors, (u->selector_count + 1) * sizeof(struct acl_selector));
    u->selectors[u->selector_count++] = selector;
    return NULL;
}

const char *acl_user_apply(struct acl_user *u, struct slice rule)
{
    const char *error = NULL;
    if (rule.len == 0 || apply_word(u, rule) || apply_value(u, rule, &error)) {
        return error;
    }
    if (memchr("><#!", rule.p[0], 4) != NULL) {
        return "There are no passwords here: a client is who its certificate says";
    }
    if (rule.len > 1 && rule.p[0] == '(' && rule.p[rule.len - 1] == ')') {
        return add_selector(u, (struct slice){ rule.p + 1, rule.len - 2 });
    }
    return acl_selector_apply(&u->selectors[0], rule);
}

/* --- as text -------------------------------------------------------------------------------- */

const char *acl_user_flag(const struct acl_user *u, size_t i)
{
    const char *flags[] = {
        u->on ? "on" : "off",
        u->nopass ? "nopass" : NULL,
        u->sanitize == ACL_SANITIZE_SKIP ? "skip-sanitize-payload" : NULL,
        u->sanitize == ACL_SANITIZE ? "sanitize-payload" : NULL,
    };
    for (size_t k = 0; k < ARRAY_SIZE(flags); k++) {
        if (flags[k] != NULL && i-- == 0) {
            return flags[k];
        }
    }
    return NULL;
}

void acl_user_describe_databases(const struct acl_user *u, struct buf *out)
{
    const char *comma = "";
    for (uint32_t low = 0; low < ACL_DATABASES_MAX; low++) {
        uint32_t high = low;
        if (!acl_user_has_database(u, low)) {
            continue;
        }
        while (high + 1 < ACL_DATABASES_MAX && acl_user_has_database(u, high + 1)) {
            high++;
        }
        buf_printf(out, high > low ? "%s%u-%u" : "%s%u", comma, low, high);
        comma = ",";
        low = high;
    }
}

static void describe_text(struct buf *out, const char *word, struct slice value)
{
    acl_rule_write(out, word, value);
    buf_append(out, " ", 1);
}

/* describe_inner writes "(…)"; in quotes where the words inside could be taken for others, or their ends for its own. */
static void describe_inner(struct buf *out, const struct acl_selector *selector)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    buf_append(&text, "(", 1);
    acl_selector_describe(selector, &text);
    const struct slice inner = { text.p + text.start + 1, buf_len(&text) - 1 };
    bool plain = true;
    for (size_t i = 0; i < inner.len; i++) {
        plain = plain && memchr("\"'()", inner.p[i], 4) == NULL;
    }
    buf_append(&text, ")", 1);
    if (plain) {
        buf_append_slice(out, buf_slice(&text));
    } else {
        acl_word_write(out, buf_slice(&text));
    }
    buf_release(&text);
}

void acl_user_describe(const struct acl_user *u, struct buf *out)
{
    for (size_t i = 0; acl_user_flag(u, i) != NULL; i++) {
        buf_printf(out, "%s ", acl_user_flag(u, i));
    }
    if (u->issuer.len > 0) {
        describe_text(out, "issuer=", u->issuer);
    }
    if (u->keyspace.len > 0) {
        describe_text(out, "keyspace=", u->keyspace);
    }
    if (!u->all_databases) {
        buf_printf(out, "db=");
        acl_user_describe_databases(u, out);
        buf_append(out, " ", 1);
    }
    acl_selector_describe(&u->selectors[0], out);
    for (size_t i = 1; i < u->selector_count; i++) {
        buf_append(out, " ", 1);
        describe_inner(out, &u->selectors[i]);
    }
}

void acl_user_line(const struct acl_user *u, struct buf *out)
{
    buf_append_slice(out, SLICE("user "));
    acl_word_write(out, u->name);
    buf_append(out, " ", 1);
    acl_user_describe(u, out);
}
