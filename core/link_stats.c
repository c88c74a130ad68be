/* Lines of name, kind and value, kept in the order in which they first came. */
#include "link_stats.h"

#include <string.h>

/* place returns where a name's figure belongs, NULL: there is no room, or it is no name. */
static struct link_stat *place(struct link_stats *stats, struct slice name)
{
    size_t i = 0;
    while (i < stats->count && !slice_eq(slice_of(stats->values[i].name), name))
        i++;
    if (i == LINK_STATS_MAX || name.len == 0 || name.len >= sizeof(stats->values[i].name))
        return NULL;
    if (i == stats->count) {
        stats->count++;
        memcpy(stats->values[i].name, name.p, name.len);
        stats->values[i].name[name.len] = '\0';
    }
    return &stats->values[i];
}

static void set(struct link_stats *stats, struct slice name, const struct link_stat *one)
{
    struct link_stat *at = place(stats, name);
    if (at == NULL)
        return;
    at->kind = one->kind;
    at->value = one->value;
    memcpy(at->text, one->text, sizeof(at->text));
}

/* read_value returns false for what is no value of its kind. Nothing at all: it has none at present. */
static bool read_value(struct slice value, struct link_stat *one)
{
    if (value.len == 0) {
        one->kind = LINK_STAT_NONE;
        return true;
    }
    if (one->kind != LINK_STAT_TEXT)
        return slice_to_i64(value, &one->value) == ERR_OK;
    if (value.len >= sizeof(one->text) || !slice_is_text(value) ||
        memchr(value.p, '\r', value.len) != NULL)
        return false;
    memcpy(one->text, value.p, value.len);
    return true;
}

static void take_line(struct link_stats *stats, struct slice line)
{
    size_t name = 0;
    while (name < line.len && memchr("=<>:", line.p[name], 4) == NULL)
        name++;
    if (name == line.len)
        return;
    struct link_stat one = { .kind = (enum link_stat_kind)line.p[name] };
    if (read_value((struct slice){ line.p + name + 1, line.len - name - 1 }, &one))
        set(stats, (struct slice){ line.p, name }, &one);
}

void link_stats_take(struct link_stats *stats, struct slice lines)
{
    while (lines.len > 0) {
        const uint8_t *end = memchr(lines.p, '\n', lines.len);
        const size_t len = end ? (size_t)(end - lines.p) : lines.len;
        const size_t step = end ? len + 1 : len;
        take_line(stats, (struct slice){ lines.p, len });
        lines = (struct slice){ lines.p + step, lines.len - step };
    }
}

static int64_t combined(enum link_stat_kind kind, int64_t a, int64_t b)
{
    switch (kind) {
    case LINK_STAT_SUM:
        return a + b;
    case LINK_STAT_LEAST:
        return a < b ? a : b;
    case LINK_STAT_GREATEST:
        return a > b ? a : b;
    case LINK_STAT_NONE:
    case LINK_STAT_TEXT:
        break;
    }
    return a;
}

void link_stats_add(const struct link_stats *stats, struct link_stat *total)
{
    for (size_t i = 0; i < stats->count; i++) {
        const struct link_stat *one = &stats->values[i];
        if (one->kind == LINK_STAT_NONE || strcmp(total->name, one->name) != 0)
            continue;
        if (total->kind == LINK_STAT_NONE)
            *total = *one;
        else
            total->value = combined(one->kind, total->value, one->value);
    }
}
