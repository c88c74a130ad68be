/*
 * exchange_private: the inside of the exchange, for its three files: exchange (joining, wishes, the table of cores),
 * exchange_send and exchange_receive.
 */
#ifndef COFRE_EXCHANGE_PRIVATE_H
#define COFRE_EXCHANGE_PRIVATE_H

#include "exchange.h"
#include "parcel.h"
#include "pg_pool.h"

enum { RECORDS_MAX = 72 * 1024 * 1024 }; /* of one payload: a message as long as a value may be */

enum exchange_state {
    EXCHANGE_DOWN,
    EXCHANGE_JOINING, /* listens, and is finding out who is there */
    EXCHANGE_UP,
    EXCHANGE_LEAVING, /* its goodbye is on the way */
    EXCHANGE_LEFT,
};

struct letter;

struct exchange {
    struct core *core;
    struct pg_pool *pool; /* of one connection */
    enum exchange_state state;
    struct pg_params params;
    struct peers *peers;
    uv_timer_t *timer;
    int64_t id;        /* our row in cofre.listener */
    int64_t former_id; /* of the connection before: what it sent may come back to us */
    uint64_t joined_ms;
    uint64_t beat_ms; /* monotonic, when the last beat that went through was sent */
    uint64_t beat_sent_ms;
    bool busy;       /* joining, or a beat is on its way */
    bool complained; /* the log says that it is not up */

    uint32_t wants;      /* our wish, */
    int64_t wish;        /* its number, */
    int64_t writes_wish; /* and the number of the one since which written keys are in it */
    uint32_t wanted_now;
    uint64_t narrower_since_ms; /* since when less would do; 0: not */

    struct buf out;     /* u32 length, record, … : not sent yet */
    size_t write_bytes; /* of written keys in it */
    bool owes_forget;   /* written keys were not told: the others' clients are to forget all */
    bool sending;
    int64_t number;   /* of the last payload */
    struct buf texts; /* u32 length, payload, … : of the statement being made */
    size_t text_count;
    struct buf records; /* of the payload being made, or read */

    struct letter *inbox;
    struct letter **inbox_last;
    size_t inbox_bytes;
    struct exchange_figures figures;
};

uint64_t exchange_clock_ms(
    void); /* monotonic, never cached: how long the process stood still shows in it */
int64_t exchange_now_ms(const struct exchange *x);       /* unix ms on the database's clock */
struct pg_conn *exchange_conn(const struct exchange *x); /* NULL while there is none */
void exchange_query(struct exchange *x, enum sql_id id, pg_result_fn *fn);

/* exchange_is_fresh: it is up, and the others have seen it so. */
bool exchange_is_fresh(const struct exchange *x);
/* exchange_missed: something of another core's did not get here, whatever it was. */
void exchange_missed(struct exchange *x);

/* exchange_append: for all others, whoever wants it. */
void exchange_append(struct exchange *x, const struct notice *n);
void exchange_send_all(
    struct exchange *x); /* what gathered, in one group; with nothing, an empty one */
void exchange_say_heard(void *arg, int64_t id, int64_t wish);
void exchange_drop_out(struct exchange *x); /* what gathered is not to be sent any more */

void exchange_receive(struct exchange *x, struct slice payload);
void exchange_empty_inbox(struct exchange *x);

#endif
