/* Lines of name=value, kept in the order in which they first came. */
#include "link_stats.h"

#include <string.h>

static void set(struct link_stats *stats, struct slice name, int64_t value)
{
    size_t i = 0;
    while (i < stats->count && !slice_eq(slice_of(stats->values[i].name), name))
        i++;
    struct link_stat *at = &stats->values[i];
    if (i == LINK_STATS_MAX || name.len == 0 || name.len >= sizeof(at->name))
        return;
    memcpy(at->name, name.p, name.len);
    at->name[name.len] = '\0';
    at->value = value;
    if (i == stats->count)
        stats->count++;
}

static void take_line(struct link_stats *stats, struct slice line)
{
    const uint8_t *equals = memchr(line.p, '=', line.len);
    if (equals == NULL)
        return;
    const size_t name = (size_t)(equals - line.p);
    int64_t value;
    if (slice_to_i64((struct slice){ equals + 1, line.len - name - 1 }, &value) == ERR_OK)
        set(stats, (struct slice){ line.p, name }, value);
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

static bool is_setting(struct slice name)
{
    const struct slice end = SLICE("_seconds");
    return name.len > end.len &&
           slice_eq((struct slice){ name.p + name.len - end.len, end.len }, end);
}

void link_stats_add(const struct link_stats *stats, struct slice name, int64_t *sum)
{
    for (size_t i = 0; i < stats->count; i++) {
        const int64_t more = stats->values[i].value;
        if (!slice_eq(name, slice_of(stats->values[i].name)))
            continue;
        *sum = is_setting(name) ? (more > *sum ? more : *sum) : *sum + more;
    }
}
