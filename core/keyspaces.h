/*
 * keyspaces: the names behind the numbers of db_ref (entry.h). Number 0 is the common keyspace, whose name is empty; a private
 * one gets its number when the ACL first names it, and keeps it as long as the process lives. Another core may number them
 * otherwise: only names leave the process. One thread.
 */
#ifndef COFRE_KEYSPACES_H
#define COFRE_KEYSPACES_H

#include "base/slice.h"

struct keyspaces;

enum {
    KEYSPACES_FULL = UINT16_MAX
}; /* what keyspaces_index returns when there is no number left */

struct keyspaces *keyspaces_new(void);
void keyspaces_free(struct keyspaces *k); /* NULL is fine */

uint32_t keyspaces_index(struct keyspaces *k, struct slice name);
/* keyspaces_find gives a name no number that it has not: KEYSPACES_FULL, nobody here is in it. */
uint32_t keyspaces_find(const struct keyspaces *k, struct slice name);
struct slice keyspaces_name(const struct keyspaces *k, uint32_t index);
uint32_t keyspaces_count(const struct keyspaces *k);

/*
 * The rows in cofre.space that a private keyspace needs before its first write: known to be there, or not. All is forgotten
 * when a connection is lost, since the next server may be another one.
 */
bool keyspaces_ready(const struct keyspaces *k, uint32_t index);
void keyspaces_set_ready(struct keyspaces *k, uint32_t index);
bool keyspaces_forget(struct keyspaces *k); /* false: nothing was known */

#endif
