/*
 * The inside of a link, for link*.c alone: link.c reads it, link_output.c fills `out`, link_server.c has all of them.
 */
#ifndef COFRE_LINK_PRIVATE_H
#define COFRE_LINK_PRIVATE_H

#include <uv.h>

#include "core_private.h"
#include "link.h"
#include "link_stats.h"

struct link_server;

enum {
    LINK_READ_SIZE = 256 * 1024,
    LINK_OUT_HIGH = 1024 * 1024, /* above this, replies wait in their sessions */
    LINK_OUT_LOW = 256 * 1024,   /* below this, waiting replies are pumped */
};

struct link {
    struct link_server *server;
    struct core *core;
    struct link *next; /* the server's list */
    uv_pipe_t pipe;
    uv_write_t write;
    struct buf in;
    struct buf out;
    struct buf writing; /* in flight while write_busy */
    bool write_busy;
    bool hello_seen;
    bool drained; /* the gateway sends no more requests */
    bool closing;
    uint64_t read_ns;       /* when what is being handled was read */
    struct session **table; /* by wire_id */
    size_t table_size;      /* a power of two */
    size_t sessions;
    struct session *pump; /* a ring of sessions with replies that wait */
    struct link_stats stats;
};

/* link.c */

/* link_new makes one whose pipe is to be accepted into. */
struct link *link_new(struct link_server *server, struct core *core);
/* link_begin says HELLO and reads, once accepted; link_drop frees one that was not let in. */
void link_begin(struct link *l);
void link_drop(struct link *l);
/* link_close ends it and all its sessions; its memory goes with the pipe's close callback. */
void link_close(struct link *l, const char *why);
/* link_write_close: the session is over; session 0: this core stops. */
void link_write_close(struct link *l, uint64_t wire_id, const char *why);
/* link_flush sends what was gathered, and as many of the replies that wait as there is room for. */
void link_flush(struct link *l);

/* link_output.c */

/* link_pump moves replies that wait to l->out, in turns, until it is full, they are gone or out of credit. */
void link_pump(struct link *l);
/* link_forget_output drops what waits for a session. */
void link_forget_output(struct link *l, struct session *s);
/* link_cut_slow closes those who have been over their soft limit for too long. Now and then. */
void link_cut_slow(struct link *l);

/* link_server.c */

/* link_server_remove takes a link that closes off the list. */
void link_server_remove(struct link_server *ls, struct link *l);

#endif
