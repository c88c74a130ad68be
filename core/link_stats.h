/*
 * link_stats: the figures that a gateway's worker reports (STATS), by name.
 */
#ifndef COFRE_LINK_STATS_H
#define COFRE_LINK_STATS_H

#include <stdint.h>

#include "base/slice.h"

enum { LINK_STATS_MAX = 160 };

/* How the workers' figures of one name make one, by the character that stands between name and value. */
enum link_stat_kind {
    LINK_STAT_SUM = '=',
    LINK_STAT_LEAST = '<',
    LINK_STAT_GREATEST = '>',
};

struct link_stats {
    struct link_stat {
        char name[48];
        enum link_stat_kind kind;
        int64_t value;
    } values[LINK_STATS_MAX];
    size_t count;
};

/* link_stats_take reads lines of name, kind and value; what is malformed or too much is passed over. */
void link_stats_take(struct link_stats *stats, struct slice lines);

/* link_stats_add puts another worker's figure, if it says one, to those of the workers before it. */
struct link_stat_total {
    bool any;
    int64_t value; /* 0 when there is none */
};
void link_stats_add(const struct link_stats *stats, struct slice name,
                    struct link_stat_total *total);

#endif
