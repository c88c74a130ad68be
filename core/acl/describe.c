/*
 * Selectors as text. The rules that were applied are not kept; what they came to is told anew, in few words: categories
 * that fit well, then the commands that are still wrong.
 */
#include "acl/selector.h"

#include <stdio.h>
#include <stdlib.h>

#include "acl/words.h"
#include "command_docs.h"

enum { CATEGORIES_MAX = 32 };

/* --- keys and channels ------------------------------------------------------------------------ */

static const char *key_prefix(uint8_t access)
{
    return access == ACL_READ ? "%R~" : access == ACL_WRITE ? "%W~" : "~";
}

static void describe_patterns(const struct acl_patterns *p, bool keys, struct buf *out)
{
    if (p->all) {
        buf_append_slice(out, keys ? SLICE("~*") : SLICE("&*"));
        return;
    }
    for (size_t i = 0; i < p->count; i++) {
        buf_append(out, " ", i > 0 ? 1 : 0);
        acl_rule_write(out, keys ? key_prefix(p->items[i].access) : "&", p->items[i].text);
    }
}

void acl_selector_describe_keys(const struct acl_selector *s, struct buf *out)
{
    describe_patterns(&s->keys, true, out);
}

void acl_selector_describe_channels(const struct acl_selector *s, struct buf *out)
{
    describe_patterns(&s->channels, false, out);
}

/* --- commands ------------------------------------------------------------------------------- */

/* A description being found: `told` is what the rules so far come to, `rest` what of the truth they leave to be said. */
struct telling {
    const struct acl_selector *truth;
    struct acl_selector told;
    struct acl_selector rest;
    bool additive; /* from -@all, by +; else from +@all, by - */
    bool used[CATEGORIES_MAX];
    struct buf *out;
};

static void begin_telling(struct telling *t, const struct acl_selector *s, struct buf *out)
{
    *t = (struct telling){ .truth = s, .additive = !s->from_all, .out = out };
    acl_selector_init(&t->told);
    acl_selector_init(&t->rest);
    memcpy(t->rest.commands, s->commands, sizeof(s->commands));
    if (!t->additive) {
        memset(t->told.commands, 0xff, sizeof(t->told.commands));
    }
    buf_append_slice(out, t->additive ? SLICE("-@all") : SLICE("+@all"));
}

/* fit counts the commands of a category that a rule about it would get right, and wrong. */
static void fit(const struct telling *t, uint32_t category, size_t *right, size_t *wrong)
{
    *right = *wrong = 0;
    for (size_t id = 0; id < command_id_count(); id++) {
        if ((command_by_id(id)->categories & category) != 0) {
            *(acl_selector_bit(&t->rest, id) == t->additive ? right : wrong) += 1;
        }
    }
}

/* best_category finds the one with the fewest wrong, of those the most right; more right than wrong at least. */
static size_t best_category(const struct telling *t)
{
    size_t best = command_category_count();
    size_t best_wrong = SIZE_MAX;
    size_t best_right = 0;
    for (size_t i = 0; i < command_category_count(); i++) {
        uint32_t category;
        size_t right;
        size_t wrong;
        command_category_at(i, &category);
        fit(t, category, &right, &wrong);
        if (!t->used[i] && right > wrong &&
            (wrong < best_wrong || (wrong == best_wrong && right > best_right))) {
            best = i;
            best_wrong = wrong;
            best_right = right;
        }
    }
    return best;
}

static void tell_categories(struct telling *t)
{
    size_t best;
    while ((best = best_category(t)) < command_category_count()) {
        uint32_t category;
        const char *name = command_category_at(best, &category);
        acl_selector_set_category(&t->told, category, t->additive);
        acl_selector_set_category(&t->rest, category, !t->additive);
        t->used[best] = true;
        buf_printf(t->out, " %c@%s", t->additive ? '+' : '-', name);
    }
}

static void tell_first_args(struct telling *t, const struct command *command)
{
    const struct acl_selector *truth = t->truth;
    const size_t id = command_id(command);
    for (size_t i = 0; !acl_selector_bit(truth, id) && i < truth->first_arg_count; i++) {
        if (truth->first_args[i].command == id) {
            char prefix[64];
            snprintf(prefix, sizeof(prefix), "+%s|", command->name);
            buf_append(t->out, " ", 1);
            acl_rule_write(t->out, prefix, truth->first_args[i].arg);
        }
    }
}

/* tell_command corrects what the categories came to: a container first, since it takes its subcommands with it. */
static void tell_command(struct telling *t, const struct command *command)
{
    const bool allowed = acl_selector_bit(t->truth, command_id(command));
    if (allowed != acl_selector_bit(&t->told, command_id(command))) {
        acl_selector_set_command(&t->told, command, allowed);
        buf_printf(t->out, " %c%s", allowed ? '+' : '-', command->name);
    }
    for (size_t i = 0; i < command->subcommand_count; i++) {
        tell_command(t, &command->subcommands[i]);
    }
    tell_first_args(t, command);
}

void acl_selector_describe_commands(const struct acl_selector *s, struct buf *out)
{
    struct telling t;
    begin_telling(&t, s, out);
    tell_categories(&t);
    for (size_t i = 0; i < command_count(); i++) {
        tell_command(&t, command_at(i));
    }
    /* A rule that says less than the truth locks somebody out; one that says more lets somebody in. */
    for (size_t id = 0; id < command_id_count(); id++) {
        if (acl_selector_bit(&t.told, id) != acl_selector_bit(s, id)) {
            abort();
        }
    }
}

void acl_selector_describe(const struct acl_selector *s, struct buf *out)
{
    acl_selector_describe_keys(s, out);
    if (s->keys.all || s->keys.count > 0) {
        buf_append(out, " ", 1);
    }
    if (!s->channels.all) {
        buf_append_slice(out, SLICE("resetchannels "));
    }
    acl_selector_describe_channels(s, out);
    if (s->channels.all || s->channels.count > 0) {
        buf_append(out, " ", 1);
    }
    acl_selector_describe_commands(s, out);
}
