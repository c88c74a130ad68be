/*
 * config: what a parameter of CONFIG is. config.c has the commands, config_table.c the rows, config_values.c the values that
 * are more than a number or a word.
 */
#ifndef COFRE_CONFIG_H
#define COFRE_CONFIG_H

#include "command_table.h"

enum parameter_kind {
    PARAM_TEXT,
    PARAM_NUMBER,
    PARAM_BYTES, /* a number that may be given as 64mb */
    PARAM_BOOL,
    PARAM_CHOICE,
};

enum parameter_flag {
    PARAM_SETTABLE = 1,  /* else the only value that SET takes is the one that it has */
    PARAM_IMMUTABLE = 2, /* as in Redis: SET is refused whatever the value */
    PARAM_PROTECTED = 4, /* likewise, in other words */
};

/* Writes the value as CONFIG GET shows it. */
typedef void parameter_get(struct call *call, struct buf *out);
/* Where a number or a bool (as 0 or 1) is kept: an int64_t of the settings (telemetry.h) or of the options (core.h). */
enum parameter_place { PLACE_NONE, PLACE_SETTINGS, PLACE_OPTIONS };
/* Checks a value of one of config_values.c's own forms and, with apply, sets it. Returns Redis's words for what is wrong. */
typedef const char *parameter_set(struct core *core, struct slice value, bool apply);

/*
 * name      Redis's, or ours where it begins with cofre-
 * kind      how a value is read, and so how an error is worded
 * flags     enum parameter_flag
 * text      the value, where it never changes
 * get       what writes it otherwise
 * place, offset   NUMBER, BYTES, BOOL that can be set: where
 * min, max  bounds of NUMBER and BYTES
 * set       what sets it otherwise
 * choices   CHOICE: the words, separated by ", " as errors name them; TEXT: NULL
 */
struct parameter {
    const char *name;
    enum parameter_kind kind;
    unsigned flags;
    const char *text;
    parameter_get *get;
    enum parameter_place place;
    size_t offset;
    int64_t min, max;
    parameter_set *set;
    const char *choices;
};

extern const struct parameter config_parameters[];
extern const size_t config_parameter_count;

/* config_values.c */
parameter_get get_keyspace_events, get_tracking_max_keys, get_output_limits, get_percentiles,
    get_store_timeout, get_loglevel, get_cofre_loglevel;
parameter_set set_keyspace_events, set_tracking_max_keys, set_output_limits, set_percentiles,
    set_store_timeout, set_loglevel, set_cofre_loglevel, set_cache_size;

/* config_memory reads a number of bytes: 1024, 1k (1000), 1kb (1024), m, mb, g, gb. */
MUST_CHECK bool config_memory(struct slice s, int64_t *out);

#endif
