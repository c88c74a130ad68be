/*
 * commands_cases: the rows of commands_test: a line, and the reply to it in either protocol.
 */
#ifndef COFRE_TEST_COMMANDS_CASES_H
#define COFRE_TEST_COMMANDS_CASES_H

#include "base/err.h"

struct command_case {
    const char *line;  /* as fake_line reads it */
    const char *resp2; /* NULL: any reply will do */
    size_t resp2_len;
    const char *resp3; /* NULL: the same as in RESP2 */
    size_t resp3_len;
};

extern const struct command_case redis_cases[]; /* what Redis answers too */
extern const size_t redis_case_count;
extern const struct command_case bit_cases[]; /* likewise; commands_bits_cases.c */
extern const size_t bit_case_count;
extern const struct command_case hyperloglog_cases[]; /* likewise; commands_hyperloglog_cases.c */
extern const size_t hyperloglog_case_count;

extern const struct command_case redis_keys_cases[]; /* likewise; commands_keys_cases.c */
extern const size_t redis_keys_case_count;
extern const struct command_case
    our_keys_cases[]; /* what Redis 7.0.15 does not know, or answers otherwise */
extern const size_t our_keys_case_count;

#endif
