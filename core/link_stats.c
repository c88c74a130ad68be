/* Lines of name=value, name<value and name>value, kept in the order in which they first came. */
#include "link_stats.h"

#include <string.h>

static void set(struct link_stats *stats, struct slice name, enum link_stat_kind kind,
                int64_t value)
{
    size_t i = 0;
    while (i < stats->count && !slice_eq(slice_of(stats->values[i].name), name))
        i++;
    struct link_stat *at = &stats->values[i];
    if (i == LINK_STATS_MAX || name.len == 0 || name.len >= sizeof(at->name))
        return;
    memcpy(at->name, name.p, name.len);
    at->name[name.len] = '\0';
    at->kind = kind;
    at->value = value;
    if (i == stats->count)
        stats->count++;
}

static void take_line(struct link_stats *stats, struct slice line)
{
    size_t name = 0;
    while (name < line.len && memchr("=<>", line.p[name], 3) == NULL)
        name++;
    if (name == line.len)
        return;
    const struct slice text = { line.p + name + 1, line.len - name - 1 };
    int64_t value;
    if (slice_to_i64(text, &value) == ERR_OK)
        set(stats, (struct slice){ line.p, name }, (enum link_stat_kind)line.p[name], value);
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
    case LINK_STAT_LEAST:
        return a < b ? a : b;
    case LINK_STAT_GREATEST:
        return a > b ? a : b;
    case LINK_STAT_SUM:
        break;
    }
    return a + b;
}

void link_stats_add(const struct link_stats *stats, struct slice name,
                    struct link_stat_total *total)
{
    for (size_t i = 0; i < stats->count; i++) {
        const struct link_stat *one = &stats->values[i];
        if (!slice_eq(name, slice_of(one->name)))
            continue;
        total->value = total->any ? combined(one->kind, total->value, one->value) : one->value;
        total->any = true;
    }
}
