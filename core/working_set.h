/*
 * working_set: the entries that one turn works on, in memory. Commands read and change it as
 * a single-threaded Redis would its dictionary; the store fills it before and saves its dirty
 * entries after. Owned by a turn; everything in it lives until working_set_reset.
 */
#ifndef COFRE_WORKING_SET_H
#define COFRE_WORKING_SET_H

#include "effect.h"
#include "entry.h"

struct working_set;

/* working_set_new: seed is slice_random_seed's; sets with the same one give entries the same hash. */
struct working_set *working_set_new(uint64_t seed);
void working_set_free(struct working_set *ws);
void working_set_reset(struct working_set *ws); /* empties it, keeps a moderate amount of memory */

/* --- for commands ---------------------------------------------------------------------- */

/*
 * ws_find returns the entry if the key exists now, else NULL (absent, deleted or expired). The key's need must
 * have been declared (command_table.h); e->value is there when that was NEED_VALUE or the turn wrote it.
 */
struct entry *ws_find(struct working_set *ws, uint32_t db, struct slice key);

/*
 * ws_put gives the key this value and expiry, whatever was there (a SET). The value is borrowed: arguments of the
 * request live long enough; anything else comes from ws_alloc or ws_copy.
 */
struct entry *ws_put(struct working_set *ws, uint32_t db, struct slice key, struct slice value,
                     int64_t expires_at);

/* ws_set_value replaces the value of an existing entry and keeps its expiry (INCR, APPEND). Borrowed, as above. */
void ws_set_value(struct working_set *ws, struct entry *e, struct slice value);

/*
 * ws_edit makes the value `length` bytes long and writable in place, old bytes kept, new ones zero; repeated
 * growth is amortized. Returns the bytes; e->value is set to them.
 */
uint8_t *ws_edit(struct working_set *ws, struct entry *e, size_t length);

void ws_expire(struct working_set *ws, struct entry *e, int64_t expires_at); /* 0: never */
void ws_remove(struct working_set *ws, struct entry *e);

/*
 * ws_share returns the value for a second entry to borrow (COPY, RENAME), or for anything else that must not see
 * later edits: from here on ws_edit of `e` works on a copy.
 */
struct slice ws_share(struct entry *e);

/* ws_alloc: memory that lives until the turn has been settled. */
void *ws_alloc(struct working_set *ws, size_t size);
struct slice ws_copy(struct working_set *ws, struct slice bytes);

/*
 * ws_event declares a keyspace event, told when the turn has committed; nothing is kept when nobody listens. The key
 * lives until then (an argument does), name is static. A new key's "new" and an expired one's "expired" come by
 * themselves where ws_put finds the key missing.
 */
void ws_event(struct working_set *ws, uint32_t event, const char *name, uint32_t db,
              struct slice key);

/* --- for turn and store ---------------------------------------------------------------- */

/* ws_want declares that a command will need this much of the key; creates the entry if need be. */
struct entry *ws_want(struct working_set *ws, uint32_t db, struct slice key, enum entry_need need);
/* ws_observe: from now on ws_want also calls fn (NULL: no more), so that the needs of one unit can be visited. */
void ws_observe(struct working_set *ws, void (*fn)(void *arg, struct entry *e), void *arg);
/* ws_on_write: from now on fn is called for each entry that a command is about to change (NULL: no more). */
void ws_on_write(struct working_set *ws, void (*fn)(void *arg, struct entry *e), void *arg);
/* ws_entry returns the key's slot, existing or not, or NULL when it was never mentioned. */
struct entry *ws_entry(struct working_set *ws, uint32_t db, struct slice key);
struct entry *ws_first(struct working_set *ws); /* then e->next */
size_t ws_count(const struct working_set *ws);

/*
 * ws_begin_unit sets whose writes follow, and the time that expiry is judged by. identity_id goes to modified_by.
 */
void ws_begin_unit(struct working_set *ws, int64_t now_ms, int32_t identity_id);

/* ws_listen: which events are kept, and whether written keys are, until the next call; `by` goes to EFFECT_WROTE. */
void ws_listen(struct working_set *ws, uint32_t events, bool writes);
void ws_act_as(struct working_set *ws, uint64_t by);
/* ws_effect appends an effect of this kind for the caller to fill in; ws_effects is the first of all, then e->next. */
struct effect *ws_effect(struct working_set *ws, enum effect_kind kind, uint32_t db);
struct effect *ws_effects(const struct working_set *ws);
/* ws_met_expired: a key was looked for whose time is over, and whose row does not say so yet. */
bool ws_met_expired(const struct working_set *ws);

/*
 * ws_forget empties a database (all of its keyspace when number is UINT16_MAX) after FLUSHDB: its entries are
 * then known to be absent, without a row, and clean.
 */
void ws_forget(struct working_set *ws, uint32_t db);
/*
 * ws_unload: what was known of a database is so no more, as after SWAPDB; its entries are to be loaded again, those that are
 * dirty were stored before.
 */
void ws_unload(struct working_set *ws, uint32_t db);
/* ws_clean marks every dirty entry as stored: its row exists and holds what the entry says; its revision is unknown. */
void ws_clean(struct working_set *ws);

#endif
