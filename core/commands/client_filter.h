/*
 * client_filter: which connections CLIENT LIST and CLIENT KILL are about: TYPE, ID, ADDR and the like, all of which must fit. A
 * session in a private keyspace sees the connections of its keyspace alone.
 */
#ifndef COFRE_CLIENT_FILTER_H
#define COFRE_CLIENT_FILTER_H

#include "command_table.h"
#include "session.h"

enum client_type { CLIENT_ANY, CLIENT_NORMAL, CLIENT_MASTER, CLIENT_REPLICA, CLIENT_PUBSUB };

/* Texts are borrowed from the call's arguments; p is NULL where none was given. Numbers are -1 where none was given. */
struct client_filter {
    const struct call *call;
    bool kills; /* CLIENT KILL: other defaults and error texts */
    bool skip_me;
    enum client_type type;
    uint32_t first_id, last_id; /* the arguments [first, last) are ids; 0,0: all sessions */
    struct slice user, addr, laddr, ip, name, lib_name, lib_version;
    int64_t max_age, idle, db; /* seconds, seconds, number */
};

/* client_filter_parse reads the options from the third argument on; false after an error reply. */
MUST_CHECK bool client_filter_parse(struct call *call, bool kills, struct client_filter *out);

/*
 * client_filter_each visits the sessions that fit: those of the ids in the order in which they were given, else all in order
 * of their ids.
 */
void client_filter_each(const struct client_filter *filter,
                        void (*visit)(struct session *s, void *arg), void *arg);

enum client_type client_type_of(const struct session *s);

#endif
