/*
 * The sending half of the exchange.
 *
 *     [ out: records ] ──flush──▶ [ texts: payloads ] ──▶ NOTIFY
 *                                  a large record: INSERT INTO cofre.message, and its number
 */
#include "exchange_private.h"

#include "base/log.h"
#include "keyspaces.h"

enum { WRITES_MAX = 1024 * 1024 }; /* bytes of written keys that are worth telling one by one */

void exchange_append(struct exchange *x, const struct notice *n)
{
    const size_t at = buf_len(&x->out);
    const uint8_t room[4] = { 0 };
    buf_append(&x->out, room, sizeof(room));
    parcel_write(&x->out, n, keyspaces_name(x->core->keyspaces, n->keyspace));
    if (x->out.overflow) {
        buf_truncate(&x->out, at);
        x->figures.dropped++;
        x->owes_forget = true; /* it may be one that must not be lost */
        return;
    }
    const uint32_t length = (uint32_t)(buf_len(&x->out) - at - sizeof(room));
    memcpy(x->out.p + x->out.start + at, &length, sizeof(length));
    x->figures.sent++;
}

static void append_write(struct exchange *x, const struct notice *n)
{
    if (x->owes_forget)
        return;
    x->write_bytes += n->body.len;
    x->owes_forget = x->write_bytes > WRITES_MAX || !exchange_is_fresh(x);
    exchange_append(x, n);
}

void exchange_send(struct exchange *x, const struct notice *n)
{
    const bool write = n->kind == NOTICE_WROTE || n->kind == NOTICE_EMPTIED;
    if (x->state != EXCHANGE_UP) {
        x->owes_forget = x->owes_forget || write;
        return;
    }
    if (peers_count(x->peers) == 0)
        x->owes_forget = x->owes_forget || (write && !exchange_is_fresh(x));
    else if (n->kind == NOTICE_EVENT ? peers_want(x->peers) & n->a
             : write                 ? exchange_wanted(x) & PEERS_WANT_WRITES
                                     : true)
        (write ? append_write : exchange_append)(x, n);
}

static void put_texts(struct exchange *x)
{
    if (x->text_count == 0)
        return;
    pg_array(&x->params, PG_TEXT, x->text_count);
    for (struct slice rest = buf_slice(&x->texts); rest.len > 0;) {
        uint32_t length;
        memcpy(&length, rest.p, sizeof(length));
        pg_elem_bytes(&x->params, (struct slice){ rest.p + sizeof(length), length });
        rest =
            (struct slice){ rest.p + sizeof(length) + length, rest.len - sizeof(length) - length };
    }
    exchange_query(x, SQL_NOTIFY, NULL);
    buf_clear(&x->texts);
    x->text_count = 0;
}

static void put_payload(struct exchange *x)
{
    if (buf_len(&x->records) == 0)
        return;
    const struct payload p = { .sender = x->id, .number = ++x->number };
    const size_t at = buf_len(&x->texts);
    const uint8_t room[4] = { 0 };
    buf_append(&x->texts, room, sizeof(room));
    payload_write(&x->texts, &p, buf_slice(&x->records));
    const uint32_t length = (uint32_t)(buf_len(&x->texts) - at - sizeof(room));
    memcpy(x->texts.p + x->texts.start + at, &length, sizeof(length));
    x->text_count++;
    buf_clear(&x->records);
}

static void put_large(struct exchange *x, struct slice record)
{
    put_payload(x);
    put_texts(x);
    const struct payload p = { .sender = x->id, .number = ++x->number };
    pg_bytes(&x->params, record);
    pg_int8(&x->params, exchange_now_ms(x));
    payload_write_row(&x->texts, &p);
    pg_bytes(&x->params, buf_slice(&x->texts));
    exchange_query(x, SQL_NOTIFY_LARGE, NULL);
    buf_clear(&x->texts);
}

static void put_record(struct exchange *x, struct slice record)
{
    if (record.len > PARCEL_RECORDS_MAX) {
        put_large(x, record);
        return;
    }
    if (buf_len(&x->records) + record.len > PARCEL_RECORDS_MAX)
        put_payload(x);
    buf_append_slice(&x->records, record);
}

static void on_sent(void *arg, enum pg_group_status status, const char *sqlstate,
                    const char *message)
{
    struct exchange *x = arg;
    x->sending = false;
    if (status == PG_GROUP_OK || status == PG_GROUP_LOST)
        return;            /* the pool tells of a loss */
    x->owes_forget = true; /* the others also see the gap, with the next payload */
    x->figures.dropped++;
    log_event(LOG_WARNING, "the other cores could not be told", LF_STR("sqlstate", sqlstate),
              LF_STR("error", message));
}

void exchange_send_all(struct exchange *x)
{
    for (struct slice rest = buf_slice(&x->out); rest.len > 0;) {
        uint32_t length;
        memcpy(&length, rest.p, sizeof(length));
        put_record(x, (struct slice){ rest.p + sizeof(length), length });
        rest =
            (struct slice){ rest.p + sizeof(length) + length, rest.len - sizeof(length) - length };
    }
    put_payload(x);
    put_texts(x);
    buf_release(&x->out);
    x->write_bytes = 0;
    x->sending = true;
    pg_conn_end_group(exchange_conn(x), on_sent, x);
}

void exchange_flush(struct exchange *x)
{
    if (x->state != EXCHANGE_UP || x->sending || exchange_conn(x) == NULL)
        return;
    if (x->owes_forget && exchange_is_fresh(x)) {
        x->owes_forget = false;
        if (exchange_wanted(x) & PEERS_WANT_WRITES)
            exchange_append(x, &(struct notice){ .kind = NOTICE_FORGET });
    }
    if (buf_len(&x->out) > 0)
        exchange_send_all(x);
}

void exchange_drop_out(struct exchange *x)
{
    if (buf_len(&x->out) > 0)
        x->figures.dropped++;
    buf_release(&x->out);
    x->write_bytes = 0;
}

void exchange_say_heard(void *arg, int64_t id, int64_t wish)
{
    exchange_append(arg, &(struct notice){ .kind = NOTICE_HEARD, .a = id, .b = wish });
}
