/*
 * The receiving half of the exchange. Payloads are taken in the order in which they come; one whose records are in a row of
 * cofre.message holds up those behind it until they are fetched.
 */
#include "exchange_private.h"

#include <stdlib.h>

#include "base/log.h"
#include "events.h"
#include "keyspaces.h"

enum { INBOX_MAX = 64 * 1024 * 1024 };

/* A payload that waits for one before it, whose row is being fetched. */
struct letter {
    struct letter *next;
    struct payload payload;
    struct buf records;
    size_t size;
};

static void take_notice(struct exchange *x, int64_t sender, struct notice *n, struct slice keyspace)
{
    switch (n->kind) {
    case NOTICE_WANTS:
        peers_wish(x->peers, sender, (uint32_t)n->a, n->b);
        exchange_say_heard(x, sender, n->b);
        break;
    case NOTICE_HEARD:
        if (n->a == x->id)
            peers_heard(x->peers, sender, n->b);
        break;
    case NOTICE_BYE:
        peers_bye(x->peers, sender);
        break;
    case NOTICE_KINDS:
        break;
    default:
        n->keyspace = keyspaces_find(x->core->keyspaces, keyspace);
        if (n->keyspace != KEYSPACES_FULL)
            events_hear(x->core->events, n);
    }
}

static void take_records(struct exchange *x, int64_t sender, struct slice records)
{
    while (records.len > 0) {
        struct notice n;
        struct slice keyspace;
        if (parcel_read(&records, &n, &keyspace) != ERR_OK) {
            log_event(LOG_WARNING, "a malformed notice from another core",
                      LF_INT("sender", sender));
            exchange_missed(x);
            return;
        }
        x->figures.received++;
        take_notice(x, sender, &n, keyspace);
    }
}

static void take_letters(struct exchange *x);

static void pop_letter(struct exchange *x)
{
    struct letter *l = x->inbox;
    x->inbox = l->next;
    if (x->inbox == NULL)
        x->inbox_last = &x->inbox;
    x->inbox_bytes -= l->size;
    buf_release(&l->records);
    free(l);
}

static bool on_message(void *arg, struct pg_result *r)
{
    struct exchange *x = arg;
    if (pg_row_count(r) == 1)
        buf_append_slice(&x->inbox->records, pg_get_bytes(r, 0, 0));
    return false;
}

static void on_fetched(void *arg, enum pg_group_status status, const char *sqlstate,
                       const char *message)
{
    struct exchange *x = arg;
    (void)sqlstate;
    (void)message;
    if (status == PG_GROUP_LOST)
        return; /* the inbox is emptied with the connection */
    struct letter *l = x->inbox;
    l->payload.row = 0;
    if (buf_len(&l->records) == 0)
        exchange_missed(x); /* we were too slow, and it was purged */
    take_letters(x);
}

static void fetch(struct exchange *x)
{
    pg_int8(&x->params, x->inbox->payload.row);
    exchange_query(x, SQL_MESSAGE, on_message);
    pg_conn_end_group(exchange_conn(x), on_fetched, x);
}

/* take_letters goes on up to one whose row must be fetched first. */
static void take_letters(struct exchange *x)
{
    while (x->inbox) {
        if (x->inbox->payload.row) {
            fetch(x);
            return;
        }
        take_records(x, x->inbox->payload.sender, buf_slice(&x->inbox->records));
        pop_letter(x);
    }
}

static void post(struct exchange *x, const struct payload *p)
{
    const size_t size = sizeof(struct letter) + buf_len(&x->records);
    if (x->inbox_bytes + size > INBOX_MAX) {
        exchange_missed(x);
        return;
    }
    struct letter *l = mem_alloc(sizeof(*l));
    *l = (struct letter){ .payload = *p, .size = size };
    buf_init(&l->records, RECORDS_MAX);
    buf_append_slice(&l->records, buf_slice(&x->records));
    const bool first = x->inbox == NULL;
    *x->inbox_last = l;
    x->inbox_last = &l->next;
    x->inbox_bytes += size;
    if (first)
        take_letters(x);
}

void exchange_receive(struct exchange *x, struct slice text)
{
    struct payload p;
    buf_clear(&x->records);
    if (payload_read(text, &p, &x->records) != ERR_OK) {
        log_event(LOG_WARNING, "a malformed notification on channel cofre");
        exchange_missed(x);
    } else if (p.sender != x->id && p.sender != x->former_id) {
        if (peers_payload(x->peers, p.sender, p.number))
            exchange_missed(x);
        if (p.row || x->inbox)
            post(x, &p);
        else
            take_records(x, p.sender, buf_slice(&x->records));
    }
    buf_clear(&x->records);
}

void exchange_empty_inbox(struct exchange *x)
{
    while (x->inbox) {
        struct letter *next = x->inbox->next;
        buf_release(&x->inbox->records);
        free(x->inbox);
        x->inbox = next;
    }
    x->inbox_last = &x->inbox;
    x->inbox_bytes = 0;
}
