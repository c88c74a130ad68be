/*
 * monitor: MONITOR. A monitor is shown the commands that took effect, in the order in which they did: a line is written when
 * a command runs, and leaves together with its reply, for a turn after the commit. So what was begun and never happened (a
 * turn that failed, or ended in UNCERTAIN) is not shown, and what had to begin again is shown once. Not shown either,
 * as in Redis: commands that were refused before they ran, and those with the flag "admin".
 *
 * A monitor sees its own keyspace alone. Secrets (AUTH, HELLO … AUTH) are written as "(redacted)".
 */
#ifndef COFRE_MONITOR_H
#define COFRE_MONITOR_H

#include "request.h"
#include "session_private.h"

/* monitor_start, monitor_stop: the session is a monitor from now on, or not any more; both may be repeated. */
void monitor_start(struct session *s);
void monitor_stop(struct session *s);

/* monitor_note appends the line of a command that has just run, if there is somebody to read it. */
void monitor_note(const struct session *s, const struct request *r, struct buf *lines);

/*
 * monitor_show sends lines that a session's commands made to the monitors of its keyspace. Lines that did not fit their buf
 * are lost, and monitors are cut off rather than shown less than there was.
 */
void monitor_show(const struct session *s, struct slice lines, bool lost);

/* monitor_line writes a line as Redis does: +seconds.micros [db address] "word" "word"… */
void monitor_line(struct buf *out, int64_t now_us, uint32_t db_number, struct slice peer,
                  const struct slice *argv, uint32_t argc);

enum {
    MONITOR_LINES_MAX = 128 * 1024 * 1024
}; /* of one turn; monitors that miss some are cut off */

#endif
