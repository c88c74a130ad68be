/*
 * link_stats: the figures that a gateway's worker reports (STATS), by name.
 */
#ifndef COFRE_LINK_STATS_H
#define COFRE_LINK_STATS_H

#include <stdint.h>

#include "base/slice.h"

enum { LINK_STATS_MAX = 64 };

struct link_stats {
    struct link_stat {
        char name[48];
        int64_t value;
    } values[LINK_STATS_MAX];
    size_t count;
};

/* link_stats_take reads name=value lines; what is malformed or too much is passed over. */
void link_stats_take(struct link_stats *stats, struct slice lines);

/* link_stats_add puts another worker's figure to a sum; of a name that ends in _seconds, a setting's, the greatest counts. */
void link_stats_add(const struct link_stats *stats, struct slice name, int64_t *sum);

#endif
