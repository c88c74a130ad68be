/*
 * identity: a client's verified name ("cn:alice"), shared by its sessions, with the number that the database
 * gives it (cofre.identity), which is looked up before its first write.
 */
#ifndef COFRE_IDENTITY_H
#define COFRE_IDENTITY_H

#include "base/slice.h"

struct identity {
    struct slice name; /* owned */
    int32_t id;        /* 0 until the database has told */
    uint32_t refs;
    struct identity *next; /* hash chain */
};

struct identity_table;
struct identity_table *identity_table_new(void);
void identity_table_free(struct identity_table *t);
/* identity_ref interns a name; pair with identity_unref. */
struct identity *identity_ref(struct identity_table *t, struct slice name);
void identity_unref(struct identity_table *t, struct identity *identity);
/* identity_find returns the interned identity, or NULL; no reference is taken. */
struct identity *identity_find(struct identity_table *t, struct slice name);

#endif
