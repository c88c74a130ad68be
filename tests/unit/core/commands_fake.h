/*
 * commands_fake: a world for commands without dispatch, turn, store or socket: one session, one working set that is
 * the whole database, a clock that stands still. What commands see of session.h and core.h is in commands_fake.c.
 */
#ifndef COFRE_TEST_COMMANDS_FAKE_H
#define COFRE_TEST_COMMANDS_FAKE_H

#include "command_table.h"
#include "core.h"
#include "deeds.h"
#include "session.h"

#define FAKE_NOW_MS INT64_C(1700000000000)

struct fake;

struct fake *fake_new(void);
void fake_free(struct fake *f);

struct session *fake_session(struct fake *f);
struct core *fake_core(struct fake *f);
struct working_set *fake_set(struct fake *f);
void fake_set_now(struct fake *f, int64_t now_ms);
struct core_options *fake_options(struct fake *f);
bool fake_has_quit(const struct fake *f);
/* fake_deeds is what the last command would have done to others. */
const struct deed *fake_deeds(const struct fake *f, size_t *count);
size_t fake_acl_changes(const struct fake *f);
/* fake_slept is for how many ms DEBUG SLEEP asked last; 0: never. */
int64_t fake_slept(const struct fake *f);
/* fake_listen: these events are kept from now on; fake_heard returns those since the last call: "new=k set=k 1:set=k". */
void fake_listen(struct fake *f, uint32_t events);
const char *fake_heard(struct fake *f);
/* fake_watched is the revision that WATCH remembered last; -1: none. */
int64_t fake_watched(const struct fake *f);

/*
 * fake_run runs one command and returns its reply, which holds until the next call. The arguments are copied and
 * live as long as the fake, as the working set wants it.
 */
struct slice fake_run(struct fake *f, const struct slice *argv, uint32_t argc);

/*
 * fake_line runs a line: words between spaces; "..." with \r \n \0 \xNN \" \\ inside; '@now MS' sets the clock.
 */
struct slice fake_line(struct fake *f, const char *line);

#endif
