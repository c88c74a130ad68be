/*
 * command_table: every command is a row. A row and a function are all that a new command needs.
 */
#ifndef COFRE_COMMAND_TABLE_H
#define COFRE_COMMAND_TABLE_H

#include "entry.h"
#include "walk.h"
#include "wire/resp_write.h"
#include "working_set.h"

struct core;
struct session;
struct command;

/*
 * call: one command being run. Pure data commands use argv, ws, walk, now_ms, db and reply only; commands about
 * the connection or the server may use session and core through session.h and core.h.
 */
struct call {
    const struct command *command; /* the subcommand's row, where there is one */
    const struct slice *argv; /* argv[0] is the command's name; live until the turn is settled */
    uint32_t argc;
    uint32_t db;            /* the session's selected database, as db_ref */
    int64_t now_ms;         /* unix ms on the database's clock, one value for the whole turn */
    struct working_set *ws; /* NULL for CMD_LOCAL commands outside a transaction */
    struct walk *walk;      /* answered, for rows with a walk function */
    struct session *session;
    struct core *core;
    struct buf *deeds;         /* what it does to other clients (deeds.h) */
    struct resp_writer *reply; /* exactly one reply is written */
    bool in_multi;             /* a CMD_LATER command that was queued in a transaction */
};

typedef void command_fn(struct call *call);

/*
 * A needs function declares the keys of a call and how much of each must be loaded, by ws_want; rows without
 * one get `need` for each key of first/last/step. A walk function fills in the question, or leaves WALK_NONE.
 * Neither writes a reply: bad arguments are reported by the command function alone.
 */
typedef void command_needs_fn(const struct call *call);
typedef void command_walk_fn(const struct call *call, struct walk *walk);
/*
 * A keys function finds the keys of rows whose key positions depend on the arguments (MSETEX's numkeys, SORT's STORE): it
 * returns how many there are and fills in the first `max`; 0 where the arguments are bad.
 */
typedef size_t command_keys_fn(const struct slice *argv, uint32_t argc, struct slice *keys,
                               size_t max);

enum command_flag {
    CMD_WRITE = 1 << 0,    /* may change entries: runs in the write lane */
    CMD_READONLY = 1 << 1, /* reads entries */
    CMD_LOCAL = 1 << 2,    /* touches no entry: runs at once, without a turn */
    CMD_FAST = 1 << 3,
    CMD_ADMIN = 1 << 4,
    CMD_NO_MULTI = 1 << 5, /* refused inside MULTI */
    CMD_IN_MULTI =
        1
        << 6, /* runs at once inside MULTI instead of being queued: EXEC DISCARD MULTI WATCH QUIT RESET */
    CMD_SELECT = 1 << 7, /* changes the selected database */
    CMD_NO_AUTH = 1 << 8,
    CMD_PUBSUB = 1 << 9,
    CMD_BLOCKING = 1 << 10,
    CMD_DENYOOM = 1 << 11, /* shown by COMMAND INFO as Redis does; no effect here */
    CMD_NOSCRIPT = 1 << 12,
    CMD_LOADING = 1 << 13,
    CMD_STALE = 1 << 14,
    CMD_ALONE =
        1 << 15, /* a unit of its own in a read turn that changes the session when it runs: WATCH */
    CMD_EXEC = 1 << 16, /* dispatch turns the queued commands into one unit */
    CMD_WRITES_BACK =
        1
        << 17, /* shown as a reader, as Redis does, but keeps what it found out: runs in the write lane */
    CMD_OWN_LIMIT =
        1 << 18, /* an argument holds a value in a wrapping: it checks the length itself */
    CMD_EXCLUSIVE =
        1 << 19, /* no other write turn is under way, on any core, while it runs: SWAPDB */
    CMD_LATER = /* LOCAL, and about what others hear: in a transaction it runs once that has committed */
    1 << 20,
    CMD_LISTENER = 1 << 21,   /* what a RESP2 client with subscriptions may still do */
    CMD_ALLOW_BUSY = 1 << 24, /* shown by COMMAND INFO as Redis does; no effect here */
    CMD_SKIP_SLOWLOG = 1 << 25,
    CMD_MAY_REPLICATE = 1 << 26, /* counts as a write while clients are paused: PUBLISH */
    CMD_IN_PAUSE = 1 << 27,      /* runs while clients are paused: CLIENT UNPAUSE */
};

/* ACL categories, as Redis names them (@read, @write, …). */
enum command_category {
    CAT_KEYSPACE = 1 << 0,
    CAT_READ = 1 << 1,
    CAT_WRITE = 1 << 2,
    CAT_SET = 1 << 3,
    CAT_STRING = 1 << 4,
    CAT_BITMAP = 1 << 5,
    CAT_HYPERLOGLOG = 1 << 6,
    CAT_PUBSUB = 1 << 7,
    CAT_ADMIN = 1 << 8,
    CAT_FAST = 1 << 9,
    CAT_SLOW = 1 << 10,
    CAT_DANGEROUS = 1 << 11,
    CAT_CONNECTION = 1 << 12,
    CAT_TRANSACTION = 1 << 13,
    CAT_BLOCKING = 1 << 14,
    CAT_SCRIPTING = 1 << 15,
    CAT_SORTEDSET = 1 << 16,
    CAT_LIST = 1 << 17,
    CAT_HASH = 1 << 18,
    CAT_GEO = 1 << 19,
    CAT_STREAM = 1 << 20,
};

/*
 * What a command does with a key, as Redis's key specs say it: one of the first four, and any of the next four. For the ACL,
 * ACCESS is reading and each of UPDATE, INSERT, DELETE is writing; without any of them it only asks whether the key is there.
 */
enum key_access {
    KEY_RO = 1 << 0,
    KEY_RW = 1 << 1,
    KEY_OW = 1 << 2,
    KEY_RM = 1 << 3,
    KEY_ACCESS = 1 << 4,
    KEY_UPDATE = 1 << 5,
    KEY_INSERT = 1 << 6,
    KEY_DELETE = 1 << 7,
    KEY_VARIABLE = 1 << 8, /* this is the most; the arguments may make it less */
};

/*
 * name            lower case
 * arity           as in COMMAND INFO: the name counts; negative: at least
 * flags           enum command_flag
 * first,last,step key positions as in COMMAND INFO; 0,0,0: no keys, or only a keys function knows
 * first_access,   enum key_access of the first key, and of the others; 0: what CMD_WRITE or its absence says.
 * rest_access     Read by command_key_access
 * need            what must be known of those keys before it runs (NEED_NOTHING: a blind write)
 * categories      enum command_category
 * run             the function; NULL for a pure container of subcommands
 * needs, walk, keys   see above; NULL for most; a row with a keys function and keys has a needs function too
 * subcommands     rows of "client", "config", …, named "client|list"; looked up by argv[1]. A container may have a
 *                 run of its own, for the bare command (COMMAND)
 * summary, since, group, syntax   COMMAND DOCS; `syntax` is the argument list in the notation of redis.io:
 *                 "key value [NX | XX] [EX seconds | PX milliseconds]"; command_docs parses it into the nested form
 */
struct command {
    const char *name;
    int arity;
    uint32_t flags;
    int first, last, step;
    uint16_t first_access, rest_access;
    enum entry_need need;
    uint32_t categories;
    command_fn *run;
    command_needs_fn *needs;
    command_walk_fn *walk;
    command_keys_fn *keys;
    const struct command *subcommands;
    size_t subcommand_count;
    const char *summary;
    const char *since;
    const char *group;
    const char *complexity;
    const char *syntax;
};

/* command_find looks a name up, case-insensitively (perfect for outsiders' bytes); NULL if unknown. O(1). */
const struct command *command_find(struct slice name);
/* command_find_sub looks argv[1] up among a container's rows; NULL if unknown. */
const struct command *command_find_sub(const struct command *container, struct slice name);
/*
 * command_resolve is the first gates of dispatch: name, subcommand, arity. It returns the row to run, or NULL after
 * writing Redis's error reply.
 */
const struct command *command_resolve(const struct slice *argv, uint32_t argc,
                                      struct resp_writer *reply);

/* SUBSCRIBE and its like: what they answer is a push by nature, and comes also after CLIENT REPLY OFF. */
static inline bool command_announces(const struct command *command)
{
    return (command->flags & (CMD_PUBSUB | CMD_LISTENER)) == (CMD_PUBSUB | CMD_LISTENER);
}

/* The whole table, sorted by name. */
size_t command_count(void);
const struct command *command_at(size_t i);

/* Each row, a subcommand's too, has a number: the first are those of command_at, then come all subcommands. */
enum { COMMAND_IDS_MAX = 512 };
size_t command_id(const struct command *command);
size_t command_id_count(void);
const struct command *command_by_id(size_t id);
/* command_find_name finds "get", and "config|get" for a subcommand; NULL if unknown. */
const struct command *command_find_name(struct slice name);

/* command_each visits the rows of all commands and subcommands, in order of their names. */
void command_each(void (*visit)(const struct command *command, void *arg), void *arg);

/*
 * command_needs declares the needs of a call to its working set: the row's needs function, or its key positions.
 */
void command_needs(const struct call *call);

/* command_keys finds the key positions of a call (ACL, COMMAND GETKEYS); returns the count, keys[i] up to max. */
size_t command_keys(const struct command *command, const struct slice *argv, uint32_t argc,
                    struct slice *keys, size_t max);
/*
 * command_key_access returns enum key_access of key number i (from 0), the most that the command may do with it;
 * command_key_access_of what it does with it in this call.
 */
uint32_t command_key_access(const struct command *command, size_t i);
uint32_t command_key_access_of(const struct command *command, const struct slice *argv,
                               uint32_t argc, size_t i);

bool command_arity_ok(const struct command *command, uint32_t argc);

/* Replies that many commands share; each is one whole error reply. */
void reply_wrong_arity(struct resp_writer *reply, const struct command *command);
void reply_syntax_error(struct call *call); /* -ERR syntax error */
void reply_not_integer(struct call *call);  /* -ERR value is not an integer or out of range */
/* call_i64 parses argument i or writes reply_not_integer and returns false. */
MUST_CHECK bool call_i64(struct call *call, uint32_t i, int64_t *out);
bool call_arg_is(const struct call *call, uint32_t i, const char *word); /* case-insensitive */

/*
 * call_event declares a keyspace event of the call's database, as Redis does after the change (ws_event). The key is an
 * argument, or lives as long as one.
 */
static inline void call_event(const struct call *call, uint32_t event, const char *name,
                              struct slice key)
{
    ws_event(call->ws, event, name, call->db, key);
}

#endif
