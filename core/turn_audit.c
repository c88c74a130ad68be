/* Written keys: each command's own list, made by the working set as it changes entries. */
#include "turn_audit.h"

/* The revision that the row had is known until something of this turn has changed the entry. */
static int64_t replaced(const struct entry *e)
{
    return e->loaded == NEED_NOTHING || e->dirty ? REVISION_UNKNOWN : e->revision;
}

static void note_write(void *arg, struct entry *e)
{
    struct turn *t = arg;
    if (t->written && t->written->entry == e)
        return;
    struct written_key *w = ws_alloc(t->ws, sizeof(*w));
    *w = (struct written_key){ .entry = e, .replaced = replaced(e) };
    *(t->written ? &t->written->next : &t->writing->written) = w;
    t->written = w;
}

void turn_audit_begin(struct turn *t, struct request *r)
{
    r->written = NULL;
    if (!(r->command->flags & CMD_WRITE) || !audit_wants_writes(t->core->audit))
        return;
    t->writing = r;
    t->written = NULL;
    ws_on_write(t->ws, note_write, t);
}

void turn_audit_ran(struct turn *t)
{
    if (t->writing)
        ws_on_write(t->ws, NULL, NULL);
    t->writing = NULL;
}

static void record_command(struct session *s, const struct request *r)
{
    audit_call(s, r->command, r->argv, r->argc, r->error != 0);
    for (const struct written_key *w = r->written; w; w = w->next)
        audit_write(s, r->command, w->entry->db, w->entry->key, w->replaced);
}

static void record_unit(struct session *s, const struct request *r)
{
    for (const struct request *b = r->body; b && r->ran; b = b->next)
        if (b->ran)
            record_command(s, b);
    if (r->ran)
        record_command(s, r);
}

void turn_audit_settled(const struct turn *t)
{
    if (t->core->audit == NULL)
        return;
    for (size_t i = 0; i < t->part_count; i++) {
        const struct part *p = &t->parts[i];
        const struct request *r = p->units.first;
        for (size_t n = 0; n < p->done; n++, r = r->next)
            record_unit(p->session, r);
    }
}
