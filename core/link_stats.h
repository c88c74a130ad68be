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
    LINK_STAT_NONE = 0, /* there is none at present; said by a line that ends after the character */
    LINK_STAT_SUM = '=',
    LINK_STAT_LEAST = '<',
    LINK_STAT_GREATEST = '>',
    LINK_STAT_TEXT = ':', /* the first one's counts */
};

struct link_stat {
    char name[48];
    enum link_stat_kind kind;
    int64_t value; /* 0 of a text */
    char text[80]; /* "" of a number */
};

struct link_stats {
    struct link_stat values[LINK_STATS_MAX];
    size_t count;
};

/* link_stats_take reads lines of name, kind and value; what is malformed or too much is passed over. */
void link_stats_take(struct link_stats *stats, struct slice lines);

/* link_stats_add puts another worker's figure of total->name, if it says one, to those of the workers before it. */
void link_stats_add(const struct link_stats *stats, struct link_stat *total);

#endif
