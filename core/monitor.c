/* Monitors: see the header. The core keeps them in a list; whoever does not read is cut off by link_push. */
#include "monitor.h"

#include <inttypes.h>
#include <string.h>
#include <uv.h>

#include "core_private.h"
#include "link.h"

/* --- who monitors ----------------------------------------------------------------------------- */

void monitor_start(struct session *s)
{
    if (s->switches & SESSION_MONITOR)
        return;
    s->switches |= SESSION_MONITOR;
    s->monitors.prev = NULL;
    s->monitors.next = s->core->first_monitor;
    if (s->monitors.next)
        s->monitors.next->monitors.prev = s;
    s->core->first_monitor = s;
}

void monitor_stop(struct session *s)
{
    if (!(s->switches & SESSION_MONITOR))
        return;
    s->switches &= ~(uint32_t)SESSION_MONITOR;
    if (s->monitors.prev)
        s->monitors.prev->monitors.next = s->monitors.next;
    else
        s->core->first_monitor = s->monitors.next;
    if (s->monitors.next)
        s->monitors.next->monitors.prev = s->monitors.prev;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void add_escaped(struct buf *out, uint8_t c)
{
    static const char from[] = "\\\"\n\r\t\a\b";
    static const char to[] = "\\\"nrtab";
    const char *known = c ? memchr(from, c, sizeof(from) - 1) : NULL;
    if (known)
        buf_printf(out, "\\%c", to[known - from]);
    else
        buf_printf(out, "\\x%02x", c);
}

static bool is_plain(uint8_t c)
{
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

/* Runs of plain bytes go as they are. */
static void add_word(struct buf *out, struct slice word)
{
    buf_append(out, " \"", 2);
    for (size_t i = 0, run; i < word.len; i += run) {
        for (run = 0; i + run < word.len && is_plain(word.p[i + run]); run++)
            ;
        buf_append(out, word.p + i, run);
        if (run == 0) {
            add_escaped(out, word.p[i]);
            run = 1;
        }
    }
    buf_append(out, "\"", 1);
}

/* Whatever follows the word AUTH may be a secret, also where the command is malformed. */
static bool hides_all(struct slice word)
{
    return slice_eq_nocase(word, SLICE("auth"));
}

void monitor_line(struct buf *out, int64_t now_us, uint32_t db_number, struct slice peer,
                  const struct slice *argv, uint32_t argc)
{
    buf_printf(out, "+%" PRId64 ".%06" PRId64 " [%" PRIu32 " %.*s]", now_us / 1000000,
               now_us % 1000000, db_number, (int)peer.len, (const char *)peer.p);
    const bool hello = slice_eq_nocase(argv[0], SLICE("hello"));
    uint32_t hidden = hides_all(argv[0]) ? argc : 0; /* so many words to come */
    for (uint32_t i = 0; i < argc; i++) {
        const bool hide = i > 0 && hidden > 0;
        add_word(out, hide ? SLICE("(redacted)") : argv[i]);
        hidden -= hide;
        if (hello && !hide && i > 0 && hides_all(argv[i]))
            hidden = 2;
    }
    buf_append(out, "\r\n", 2);
}

static int64_t now_us(const struct core *core)
{
    return (int64_t)(uv_hrtime() / 1000) + core->clock_offset * 1000;
}

void monitor_note(const struct session *s, const struct request *r, struct buf *lines)
{
    if (s->core->first_monitor && !(r->command->flags & CMD_ADMIN))
        monitor_line(lines, now_us(s->core), s->vars.db_number, s->info.peer, r->argv, r->argc);
}

void monitor_show(const struct session *s, struct slice lines, bool lost)
{
    if (lines.len == 0 && !lost)
        return;
    for (struct session *m = s->core->first_monitor; m; m = m->monitors.next) {
        if (m->vars.keyspace != s->vars.keyspace)
            continue;
        if (lost)
            link_end_session(m, "there was more than MONITOR can show at once");
        else if (!(m->switches & SESSION_REPLY_OFF))
            link_push(m, lines);
    }
}
